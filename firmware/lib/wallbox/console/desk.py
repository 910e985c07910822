"""Where requests are dealt with while somebody is there: who is logged in, what is under way."""

import asyncio
import gc
import json
import sys
from binascii import crc32

from micropython import const

from .. import forget

LOGIN_MS = const(600_000)  # without an order
_QUIET_MS = const(5000)
_CHALLENGE_MS = const(60_000)
_BUDGET_MOST = const(20)  # requests without login that are answered at once
_BUDGET_MS = const(250)  # and one more for each of these
_MODULES = (
    ("wallbox.console", "talk words login parsing orders changes sectors wipe partner"),
    ("wallbox.commands", "orders verbs envelope settings"),
    ("wallbox.selftest", "electric people network"),
)


class Desk:
    """ear: listener.Listener."""

    def __init__(self, ear):
        self.ear = ear
        self.box = ear.box
        self.key = ear.key
        self.now = ear.now
        self.challenge = b""
        self.challenge_at = 0
        self.session = b""  # key of the login that lasts
        self.session_at = 0
        self.last_n = 0
        self.task = None  # an order that is under way
        self._used_at = self.now()
        self._budget = _BUDGET_MOST
        self._budget_at = self._used_at

    def heard(self, line: bytes) -> None:
        """line: a request without its > and its end."""
        if not self._affordable():
            return
        self._used_at = self.now()
        try:
            from . import talk

            talk.heard(self, line)
        except MemoryError:
            self.say({"to": "", "status": "Failed", "info": "no memory for it now: ask again"})
        except Exception as error:  # a bug at the console must not stop a charge
            sys.print_exception(error)
            self.say({"to": "", "status": "Failed", "info": type(error).__name__})
        _unload(self.task is None)

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

    def reply(self, number: int, verb: str):
        return Reply(self, number, verb)

    def start(self, work, reply) -> None:
        """Does an order while all else goes on. work: a coroutine that returns its answer."""
        self.task = asyncio.create_task(self._work(work, reply))

    def idle(self) -> bool:
        """Whether nothing would be lost with it."""
        if self.task or self.now() - self._used_at < _QUIET_MS:
            return False
        if self.challenge and self.now() - self.challenge_at < _CHALLENGE_MS:
            return False
        return not self.logged_in()

    async def _work(self, work, reply) -> None:
        answer: tuple = ("Failed", "ended by a logout", {})
        try:
            answer = await work
        except MemoryError:
            answer = ("Failed", "no memory for it now: order it again", {})
        except Exception as error:
            sys.print_exception(error)
            answer = ("Failed", "%s: see the log" % type(error).__name__, {})
        finally:
            self.task = None
            self._used_at = self.session_at = self.now()
            work = None
            _unload(True)
            reply.end(answer)

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


class Reply:
    """The answers to one order."""

    def __init__(self, console, number: int, verb: str):
        self.console = console
        self._number = number
        self._verb = verb

    def part(self, tree: dict) -> None:
        self.console.say({"n": self._number, "to": self._verb, "part": tree})

    def end(self, answer: tuple) -> None:
        """answer: status, info, and other fields."""
        tree = {"n": self._number, "to": self._verb, "status": answer[0], "info": answer[1]}
        tree.update(answer[2])
        self.console.say(tree)


def _unload(everything: bool) -> None:
    """What a request needed; the next one imports it again. Not everything: an order is begun."""
    for package, names in _MODULES if everything else _MODULES[:1]:
        if package in sys.modules:
            for name in names.split(" "):
                forget(package, name)
    if everything:
        forget("wallbox", "selftest")
    gc.collect()
