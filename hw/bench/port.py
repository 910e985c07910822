"""A serial port whose every byte is kept, and that comes back after its device went away.

A board's USB chip may lose its power with the box; then reads are empty and writes fail until it
is there again.
"""

from __future__ import annotations

import contextlib
import errno
import termios
import threading
import time

import serial

from host.provisioning.console_line import BAUD
from host.provisioning.port_errors import explain

READ_S = 0.05
RETRY_S = 0.2
WRITE_S = 5.0
HEARD_BYTES_MAX = 1_000_000
WAITING_BYTES_MAX = 65_536
OPEN_S = 1.5  # so long another program may still hold it


class ListeningPort:
    """`read`, `write`, `in_waiting`, `flush`, `close` as pyserial's; `heard` is what came."""

    def __init__(self, path: str) -> None:
        """Raises `Stopped` if it cannot be opened now."""
        self.path = path
        self._heard = bytearray()
        self._waiting = bytearray()
        self._news = threading.Condition()
        self._closing = False
        self._serial = self._opened()
        self._thread = threading.Thread(target=self._listen, name="console", daemon=True)
        self._thread.start()

    def _opened(self) -> serial.Serial | None:
        until = time.monotonic() + OPEN_S
        while True:
            try:
                return self._open()
            except (OSError, ValueError, termios.error) as error:
                stopped = explain(self.path, error)
                if not stopped.busy or time.monotonic() > until:
                    raise stopped from None
            time.sleep(READ_S)

    def _open(self) -> serial.Serial:
        line = serial.serial_for_url(self.path, do_not_open=True, baudrate=BAUD)
        line.timeout, line.write_timeout, line.exclusive = READ_S, WRITE_S, True
        line.dtr = line.rts = False  # else a board's circuit resets the chip
        line.open()
        return line

    def _listen(self) -> None:
        while not self._closing:
            line = self._serial
            try:
                if line is None:
                    self._serial = self._open()
                    continue
                self._take(line.read(min(max(1, line.in_waiting), 4096)))
            except (OSError, ValueError, termios.error):
                if line is not None:
                    line.close()
                self._serial = None
                time.sleep(RETRY_S)

    def _take(self, data: bytes) -> None:
        if not data:
            return
        with self._news:
            self._heard += data
            self._waiting += data
            del self._heard[: -HEARD_BYTES_MAX]
            del self._waiting[: -WAITING_BYTES_MAX]
            self._news.notify_all()

    @property
    def heard(self) -> bytes:
        """The end of what came, at most HEARD_BYTES_MAX."""
        with self._news:
            return bytes(self._heard)

    def forget(self) -> None:
        """What was heard until now."""
        with self._news:
            self._heard.clear()

    # as pyserial

    @property
    def in_waiting(self) -> int:
        return len(self._waiting)

    def read(self, size: int = 1) -> bytes:
        with self._news:
            if not self._waiting:
                self._news.wait(READ_S)
            data = bytes(self._waiting[:size])
            del self._waiting[:size]
            return data

    def write(self, data: bytes) -> int:
        line = self._serial
        if line is None:
            raise OSError(errno.EIO, "disconnected")
        return int(line.write(data) or 0)

    def flush(self) -> None:
        """pyserial's waits for the last character; the next read does, too."""

    def close(self) -> None:
        self._closing = True
        self._thread.join(5)
        line, self._serial = self._serial, None
        if line is not None:
            with contextlib.suppress(OSError):  # the box may have gone
                line.exclusive = False  # a program that is being started may still hold it
            line.close()
