"""The console's ear: gathers requests from USB a few bytes at a time, and knows who is logged in.

What understands and does a request is imported with it, and forgotten once it has been quiet for a
while: between requests that costs no RAM.
"""

import asyncio
import gc
import json
import select
import sys
from binascii import crc32

from micropython import const

from .. import forget

LINE_MOST = const(480)
LOGIN_MS = const(600_000)  # without an order
_PASS_MS = const(20)
_BYTES_A_PASS = const(128)
_QUIET_MS = const(5000)
_BUDGET_MOST = const(20)  # requests without login that are answered at once
_BUDGET_MS = const(250)  # and one more for each of these
_NEW = const(0)  # states of a line
_REQUEST = const(1)
_OTHER = const(2)
_MODULES = (
    ("wallbox.console", "words login parsing orders sectors wipe partner"),
    ("wallbox.commands", "orders verbs envelope settings"),
    ("wallbox.selftest", "electric people network"),
    ("wallbox.core", "codes"),
)


class Console:
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
        self.challenge = b""
        self.challenge_at = 0
        self.session = b""  # key of the login that lasts
        self.session_at = 0
        self.last_n = 0
        self.wait_until = 0  # no attempt is looked at before
        self.task = None  # an order that is under way
        self._loaded = False
        self._used_at = 0
        self._budget = _BUDGET_MOST
        self._budget_at = 0
        self._line = bytearray(LINE_MOST)
        self._length = 0
        self._state = _NEW
        self._one = bytearray(1)
        self._input = sys.stdin.buffer
        self._poll = select.poll()
        self._poll.register(sys.stdin, select.POLLIN)

    async def run(self) -> None:
        from . import login

        login.begin(self)
        forget("wallbox.console", "login")
        print("console: ready")
        while True:
            await asyncio.sleep_ms(_PASS_MS)
            if self._read():
                self._heard()
            self._rest()

    def say(self, tree: dict) -> None:
        """One line for the program at the other end."""
        text = json.dumps(tree)
        print("<%08x %s" % (crc32(text.encode()), text))

    def logged_in(self) -> bool:
        if self.session and self.now() - self.session_at >= LOGIN_MS:
            self.logout()
        return self.session != b""

    def logout(self) -> None:
        self.session = self.challenge = b""
        self.last_n = 0
        if self.task:
            self.task.cancel()

    def start(self, work, reply) -> None:
        """Does an order while all else goes on. work: a coroutine that returns its answer."""
        self.task = asyncio.create_task(self._work(work, reply))

    async def _work(self, work, reply) -> None:
        answer = ("Failed", "ended by a logout", {})
        try:
            answer = await work
        except MemoryError:
            answer = ("Failed", "no memory for it now: order it again", {})
        except Exception as error:  # a bug at the console must not stop a charge
            sys.print_exception(error)
            answer = ("Failed", "%s: see the log" % type(error).__name__, {})
        finally:
            self.task = None
            self._used_at = self.session_at = self.now()
            work = None
            reply.end(answer)
            self._unload()

    def _read(self) -> bool:
        """True when a request is complete in the line."""
        for _ in range(_BYTES_A_PASS):
            ready = False
            for _one in self._poll.ipoll(0):
                ready = True
            if not ready or not self._input.readinto(self._one):
                return False
            if self._take(self._one[0]):
                return True
        return False

    def _take(self, byte: int) -> bool:
        if byte == 0x0A or byte == 0x0D:
            complete = self._state == _REQUEST
            self._state = _NEW
            return complete
        if self._state == _NEW:
            self._state = _REQUEST if byte == 0x3E else _OTHER
            self._length = 0
        elif self._state == _REQUEST:
            if self._length == LINE_MOST:
                self._state = _OTHER
                return False
            self._line[self._length] = byte
            self._length += 1
        return False

    def _heard(self) -> None:
        if not self._affordable():
            return
        self._used_at = self.now()
        self._loaded = True
        try:
            from . import talk

            talk.heard(self, bytes(memoryview(self._line)[: self._length]))
        except MemoryError:
            self.say({"to": "", "status": "Failed", "info": "no memory for it now: ask again"})
        except Exception as error:
            sys.print_exception(error)
            self.say({"to": "", "status": "Failed", "info": type(error).__name__})
        if not self.task:
            self._unload()

    def _affordable(self) -> bool:
        if self.logged_in():
            return True
        earned = (self.now() - self._budget_at) // _BUDGET_MS
        if earned:
            self._budget = min(_BUDGET_MOST, self._budget + earned)
            self._budget_at = self.now()
        if not self._budget:
            return False
        self._budget -= 1
        return True

    def _rest(self) -> None:
        if self._loaded and not self.task and self.now() - self._used_at >= _QUIET_MS:
            self._loaded = False
            forget("wallbox.console", "talk")

    def _unload(self) -> None:
        for package, names in _MODULES:
            if package in sys.modules:
                for name in names.split(" "):
                    forget(package, name)
        forget("wallbox", "selftest")
        gc.collect()
