"""The number of the last command of a box, kept beside its key: `<serial>.counter`.

A box takes no command whose number is not above that of the last one. Whoever takes a number
holds the lock until the broker has the command, so commands reach the box in their order.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path

from host.keys import KeyStoreError
from host.send.message import COUNTER_MAX

LOCK_TIMEOUT_S = 15.0
_LOCK_POLL_S = 0.05
_FILE_BYTES_MAX = 16


class Counter:
    """The numbers of one box's commands; `key_path` is its key file, which is locked."""

    def __init__(self, key_path: Path, lock_timeout_s: float = LOCK_TIMEOUT_S) -> None:
        self.path = key_path.with_suffix(".counter")
        self._key_path = key_path
        self._lock_timeout_s = lock_timeout_s

    @contextlib.contextmanager
    def taken(self, count: int = 1, above: int = 0) -> Iterator[int]:
        """The first of `count` numbers that nobody had before, all above `above`; locked inside.

        Raises KeyStoreError if the file is unusable, or another command holds the lock too long.
        """
        with self._locked():
            first = max(int(time.time()), self._last() + 1, above + 1)
            if first + count - 1 > COUNTER_MAX:
                raise KeyStoreError(
                    f"{self.path}: no number is left above {first - 1}; give the box a new key"
                )
            self._keep(first + count - 1)
            yield first

    def _last(self) -> int:
        try:
            with self.path.open("rb") as file:
                text = file.read(_FILE_BYTES_MAX)
        except FileNotFoundError:
            return 0
        except OSError as error:
            raise KeyStoreError(f"{self.path}: cannot be read: {error.strerror}") from None
        digits = text.strip()
        if not digits.isdigit() or int(digits) > COUNTER_MAX:
            raise KeyStoreError(
                f"{self.path}: not a counter; delete it, the box says its own when it is asked"
            )
        return int(digits)

    def _keep(self, number: int) -> None:
        """Replaces the file; what a crash leaves is the old one or the new one."""
        fresh = self.path.with_suffix(".counter.new")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(fresh, flags, 0o600), "wb") as file:
                file.write(b"%d\n" % number)
                file.flush()
                os.fsync(file.fileno())
            os.replace(fresh, self.path)
        except OSError as error:
            raise KeyStoreError(f"{fresh}: cannot be written: {error.strerror}") from None

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        try:
            descriptor = os.open(self._key_path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        except OSError as error:
            raise KeyStoreError(f"{self._key_path}: cannot be read: {error.strerror}") from None
        try:
            deadline = time.monotonic() + self._lock_timeout_s
            while True:
                try:
                    fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                    break
                except BlockingIOError:
                    if time.monotonic() > deadline:
                        raise KeyStoreError(
                            f"{self._key_path}: another command holds it; try again"
                        ) from None
                    time.sleep(_LOCK_POLL_S)
            yield
        finally:
            os.close(descriptor)
