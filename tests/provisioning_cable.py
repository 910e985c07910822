"""A USB cable between laptop and simulated box that can be pulled, or be bad, at a chosen byte."""

from __future__ import annotations

import os
import pty
import select
import threading
import tty
from collections.abc import Callable
from pathlib import Path


class Cable:
    """A pty for the laptop at `port`, led through to the box's `usb`. A pulled one has no port.

    `bytes_passed` counts both ways. `at(count, act)`: when so many have passed, `act` is called
    once with the piece that comes then, and what it gives passes instead; None pulls the cable.
    """

    def __init__(self, port: Path, usb: str) -> None:
        self.port = port
        self.bytes_passed = 0
        self._usb = usb
        self._at = -1
        self._act: Callable[[bytes], bytes | None] = lambda data: data
        self._thread: threading.Thread | None = None
        self.plug()

    def at(self, count: int, act: Callable[[bytes], bytes | None]) -> None:
        self._at, self._act = self.bytes_passed + count, act

    def calm(self) -> None:
        """Nothing happens any more."""
        self._at = -1

    def plug(self) -> None:
        """In again after it was pulled; the port has the same name as before."""
        self.pull()
        master, slave = pty.openpty()
        tty.setraw(slave)
        self.port.unlink(missing_ok=True)
        self.port.symlink_to(os.ttyname(slave))
        self._slave = slave
        box = os.open(self._usb, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        self._stop, self._wake = os.pipe()
        arguments = (master, box, self._stop)
        self._thread = threading.Thread(target=self._carry, args=arguments, daemon=True)
        self._thread.start()

    def pull(self) -> None:
        if self._thread is not None:
            os.write(self._wake, b".")
            self._thread.join()
            self._thread = None
            for descriptor in (self._stop, self._wake, self._slave):
                os.close(descriptor)

    def close(self) -> None:
        self.pull()

    def _carry(self, master: int, box: int, stop: int) -> None:
        ways = {master: box, box: master}
        try:
            while True:
                ready, _, _ = select.select([*ways, stop], [], [])
                if stop in ready:
                    return
                for source in ready:
                    try:
                        data: bytes | None = os.read(source, 512)
                    except BlockingIOError:
                        continue
                    if not data:
                        return
                    self.bytes_passed += len(data)
                    if 0 <= self._at <= self.bytes_passed:
                        self._at = -1
                        data = self._act(data)
                        if data is None:
                            return
                    self._write(ways[source], data)
        except OSError:
            return
        finally:
            # our slave stays open until pull(): a free number would be the next box's, and who
            # still has this port in hand would talk to that one
            self.port.unlink(missing_ok=True)
            os.close(master)
            os.close(box)

    @staticmethod
    def _write(target: int, data: bytes) -> None:
        while data:
            try:
                data = data[os.write(target, data) :]
            except BlockingIOError:
                select.select([], [target], [], 1.0)
