"""What a failing test leaves behind: console, bus traffic, ledger image, in its own folder."""

from __future__ import annotations

import contextlib
import re
import threading
import time
import zlib
from collections import deque
from collections.abc import Callable
from pathlib import Path

from host.provisioning.outcome import Stopped

PACKETS_MAX = 20_000
NAME_MAX = 100
_MISSING = "missing.txt"


class Capture:
    """The last PACKETS_MAX pieces of traffic on one bus; `add` may be called from any thread."""

    def __init__(self) -> None:
        self._packets: deque[tuple[float, str, bytes]] = deque(maxlen=PACKETS_MAX)
        self._began = time.monotonic()
        self._lock = threading.Lock()

    def add(self, who: str, data: bytes) -> None:
        """`who` sent `data`."""
        with self._lock:
            self._packets.append((time.monotonic() - self._began, who, bytes(data)))

    def clear(self) -> None:
        with self._lock:
            self._packets.clear()
            self._began = time.monotonic()

    def text(self) -> str:
        """A line a piece: seconds, sender, hex digits."""
        with self._lock:
            lines = [f"{at:10.4f} {who:<6} {data.hex(' ')}" for at, who, data in self._packets]
        return "".join(line + "\n" for line in lines)


def folder_name(test: str) -> str:
    """A test's name as the name of a folder: `tests/test_x.py::test_y` is `test_x.test_y`.

    One with other characters, or too long, ends with a number of its own.
    """
    file, _, name = test.partition("::")
    name = f"{file.rpartition('/')[2].removesuffix('.py')}.{name}"
    plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:NAME_MAX]
    return plain if plain == name else f"{plain}-{zlib.crc32(test.encode()):08x}"


def keep(folder: Path, pieces: dict[str, Callable[[], str | bytes]]) -> list[str]:
    """Writes each piece under its name, in place of an earlier run's; returns a line for each that
    could not be had."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name in (*pieces, _MISSING):
            (folder / name).unlink(missing_ok=True)
    except OSError as error:
        return [f"anything: {error}"]
    missing = []
    for name, make in pieces.items():
        try:
            content = make()
            data = content.encode() if isinstance(content, str) else content
            (folder / name).write_bytes(data)
        except (Stopped, OSError, RuntimeError) as error:  # TimeoutError among them
            missing.append(f"{name}: {error}")
    if missing:
        with contextlib.suppress(OSError):  # the run tells it too
            (folder / _MISSING).write_text("".join(line + "\n" for line in missing))
    return missing
