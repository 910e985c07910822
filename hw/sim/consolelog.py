"""What the box printed, kept for those who wait for a text."""

from __future__ import annotations

import os
import re
import threading
import time
from pathlib import Path

KEPT_BYTES = 256 * 1024
FILE_BYTES = 1024 * 1024


class ConsoleLog:
    """The last 256 KiB of what the box printed, and a bounded file with the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._data = bytearray()
        self._start = 0
        self._news = threading.Condition()
        self._file = path.open("wb")

    def add(self, data: bytes) -> None:
        with self._news:
            self._data += data
            extra = len(self._data) - KEPT_BYTES
            if extra > 0:
                del self._data[:extra]
                self._start += extra
            self._news.notify_all()
        if self._file.tell() > FILE_BYTES:
            self._file.close()
            os.replace(self._path, self._path.with_suffix(".old"))
            self._file = self._path.open("wb")
        self._file.write(data)
        self._file.flush()

    @property
    def position(self) -> int:
        """How many bytes were printed so far: a mark for `text` and `wait_for`."""
        with self._news:
            return self._start + len(self._data)

    @property
    def at_line_start(self) -> bool:
        """Nothing was printed, or a whole line."""
        with self._news:
            return not self._data or self._data.endswith(b"\n")

    def text(self, since: int = 0) -> str:
        """What was printed since a mark, as far as it is kept; `\\r\\n` becomes `\\n`."""
        with self._news:
            data = bytes(self._data[max(0, since - self._start) :])
        return data.decode(errors="replace").replace("\r\n", "\n")

    def wait_for(self, pattern: str, timeout_s: float, since: int = 0) -> re.Match[str]:
        """Waits until the regular expression is found; `TimeoutError` with the tail if not."""
        deadline = time.monotonic() + timeout_s
        while True:
            with self._news:
                seen = self._start + len(self._data)
            found = re.search(pattern, self.text(since), re.MULTILINE)
            if found:
                return found
            with self._news:
                left = deadline - time.monotonic()
                if left <= 0:
                    tail = self.text(since)[-2000:]
                    raise TimeoutError(f"{pattern!r} not printed in {timeout_s} s; tail:\n{tail}")
                if self._start + len(self._data) == seen:
                    self._news.wait(left)

    def close(self) -> None:
        self._file.close()
