"""The console's ear: gathers requests from USB, a few bytes at a time.

All else is imported with the first request, and forgotten once it has been quiet for a while and
nobody is logged in: until then that costs no RAM.
"""

import asyncio
import select
import sys

import esp32
from micropython import const

from .. import forget, start

LINE_MOST = const(480)
_PASS_MS = const(20)
_BYTES_A_PASS = const(128)
_NEW = const(-1)  # lengths of a line that is no request: none has begun, or to be passed over
_OTHER = const(-2)


class Listener:
    """key: the ledger's, b"" if there is none. now() -> ms since boot. box: as box.py, None while
    no agent runs, and `why` says why not. serial, designation: what the configuration says.
    """

    def __init__(self, key: bytes, now, box, why: str, serial: str, designation: str):
        self.key = key
        self.now = now
        self.box = box
        self.why = why
        self.serial = serial
        self.designation = designation
        self.wait_until = -1  # no attempt to log in is looked at before; -1: not known yet
        self._desks: list = []  # none, or the one that is open
        self._line = bytearray(0)  # none while nobody asks
        self._length = _NEW
        self._one = bytearray(1)
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)

    @property
    def open(self) -> bool:
        """Whether somebody asks, or is logged in."""
        return bool(self._desks)

    async def run(self) -> None:
        if self.box and self._untold():
            from . import login

            login.tell(self)
            forget("wallbox.console", "login")
        print("console: ready")
        while True:
            await asyncio.sleep_ms(_PASS_MS)
            try:
                if self._read():
                    self._heard()
            except MemoryError:
                self._length = _OTHER
                print("console: no memory for it now: ask again")
            if self._desks and self._desks[0].idle():
                self._desks.clear()
                forget("wallbox.console", "desk")
                start.keep()

    def _untold(self) -> bool:
        """Whether somebody tried to log in while no agent ran; names as in login.py."""
        for name in ("login_bad", "login_good"):
            try:
                if esp32.NVS("wallbox").get_i32(name):
                    return True
            except OSError:
                pass
        return False

    def _heard(self) -> None:
        line = bytes(memoryview(self._line)[: self._length])
        self._line = bytearray(0)
        self._length = _NEW
        if not self._desks:
            start.lend()
            from . import desk

            self._desks.append(desk.Desk(self))
        self._desks[0].heard(line)

    def _read(self) -> bool:
        """True when a request is complete in the line."""
        for _ in range(_BYTES_A_PASS):
            ready = False
            for _one in self._poll.ipoll(0):
                ready = True
            if not ready or not sys.stdin.buffer.readinto(self._one):
                return False
            if self._take(self._one[0]):
                return True
        return False

    def _take(self, byte: int) -> bool:
        length = self._length
        if byte == 0x0A or byte == 0x0D:
            if length >= 0:
                return True
            self._length = _NEW
        elif length == _NEW:
            self._length = 0 if byte == 0x3E else _OTHER
            if self._length == 0 and not self._line:
                self._line = bytearray(LINE_MOST)
        elif length == LINE_MOST:
            self._length = _OTHER
        elif length >= 0:
            self._line[length] = byte
            self._length = length + 1
        return False
