"""Who answers a request: words that anybody may say, and orders that are signed in a login."""

import gc
from binascii import hexlify

from micropython import const

from .. import forget
from ..commands import NOT_SUPPORTED, REJECTED
from ..store.keyed import hmac, same

_DIGITS = const(32)
_RESCUE = "status ledger trace network configure crash clear-fault restart"

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


def heard(console, line: bytes) -> None:
    """line: a request without its > and its end."""
    line = line.strip()
    if console.task and line != b"logout":
        reject(console, "the order before is not done yet")
    elif line == b"identity" or line == b"health":
        from . import words

        console.say(words.identity(console) if line == b"identity" else words.health(console))
    elif line == b"challenge":
        from . import login

        login.challenge(console)
    elif line[:6] == b"login ":
        from . import login

        login.attempt(console, line[6:])
    elif line == b"logout":
        console.logout()
        console.say({"to": "logout", "status": "Accepted", "info": ""})
    else:
        _order(console, line)


def reject(console, info: str) -> None:
    console.say({"to": "", "status": REJECTED, "info": info})


def _order(console, line: bytes) -> None:
    if not console.logged_in():
        reject(console, "identity, health, challenge, login; for orders log in first")
        return
    text = line[_DIGITS + 1 :]
    if not same(hexlify(hmac(console.session, text)[:16]), line[:_DIGITS]):
        reject(console, "not signed in this login")
        return
    from . import parsing

    number, verb, given = parsing.parsed(text, console.last_n)
    forget("wallbox.console", "parsing")
    for name in ("verbs", "envelope"):
        forget("wallbox.commands", name)
    gc.collect()  # an order needs all that there is
    if not number:
        reject(console, given)
        return
    console.last_n = number
    console.session_at = console.now()
    reply = Reply(console, number, verb)
    if not console.box and verb not in _RESCUE.split(" "):
        reply.end((NOT_SUPPORTED, "no agent runs: %s" % console.ear.why, {}))
        return
    from . import orders

    console.start(getattr(orders, verb.replace("-", "_"))(reply, given), reply)
