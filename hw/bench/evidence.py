"""What a failing test leaves behind: console, bus traffic, ledger image, in its own folder."""

from __future__ import annotations

import re
import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from host.provisioning.outcome import Stopped

PACKETS_MAX = 20_000
NAME_MAX = 100


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
    """A test's name as the name of a folder: `tests/test_x.py::test_y[a]` is `test_x.test_y-a`."""
    file, _, name = test.partition("::")
    name = f"{file.rpartition('/')[2].removesuffix('.py')}.{name}"
    return re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-")[:NAME_MAX]


def keep(folder: Path, pieces: dict[str, Callable[[], str | bytes]]) -> list[str]:
    """Writes each piece under its name; returns a line for each that could not be had."""
    folder.mkdir(parents=True, exist_ok=True)
    missing = []
    for name, make in pieces.items():
        try:
            content = make()
        except (Stopped, OSError, TimeoutError, RuntimeError) as error:
            missing.append(f"{name}: {error}")
            continue
        data = content.encode() if isinstance(content, str) else content
        (folder / name).write_bytes(data)
    if missing:
        (folder / "missing.txt").write_text("".join(line + "\n" for line in missing))
    return missing
