"""TCP ports of the loopback interface that several processes at once may ask for."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from pathlib import Path
from typing import IO

FIRST, LAST = 20_000, 31_999  # below the ports that the system hands to clients

_kept: list[IO[bytes]] = []  # a port stays this process's until it ends


def free_port() -> int:
    """A port that is free and that no other process which asks here is given.

    RuntimeError if there is none.
    """
    count = LAST - FIRST + 1
    folder = Path(tempfile.gettempdir()) / f"wallbox-ports-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for number in range(count):
        port = FIRST + (os.getpid() * 37 + number) % count
        lock = (folder / str(port)).open("ab")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.close()
            continue
        if _is_free(port):
            _kept.append(lock)
            return port
        lock.close()
    raise RuntimeError(f"no free TCP port from {FIRST} to {LAST}")


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
