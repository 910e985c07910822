"""What a request says: words that anybody may say, and orders that are signed in a login."""

from binascii import hexlify

from micropython import const

from ..commands import NOT_SUPPORTED, REJECTED, envelope, verbs
from ..store.keyed import hmac

_DIGITS = const(32)
_RESCUE = "status ledger trace network configure crash clear-fault restart"

TABLE = (
    "status\n"
    "why\n"
    "self-test only:t:0:200: tap_s:i:0:60:0 open_s:i:0:60:0 contactor:b:0:1:0\n"
    "ledger first:i:0:65535:0 count:i:1:256:256\n"
    "trace first:i:0:65535:0 count:i:1:256:256\n"
    "seal numbers:t:1:48\n"
    "network values:o:1:16\n"
    "configure values:o:1:16\n"
    "lifecycle after:t:7:14\n"
    "decommission reason:t:4:12:dismounted\n"
    "wipe sequence:i:0:4294967295:0 mac:h:0:16: keys:b:0:1:1\n"
    "crash\n"
    "clear-fault\n"
    "restart force:b:0:1:0"
)


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


def same(one: bytes, other: bytes) -> bool:
    """Compares in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for index in range(min(len(one), len(other))):
        difference |= one[index] ^ other[index]
    return difference == 0


def _order(console, line: bytes) -> None:
    if not console.logged_in():
        reject(console, "identity, health, challenge, login; for orders log in first")
        return
    text = line[_DIGITS + 1 :]
    if not same(hexlify(hmac(console.session, text)[:16]), line[:_DIGITS]):
        reject(console, "not signed in this login")
        return
    try:
        tree = envelope.parsed(text)
        number = tree.get("n", 0)
        if not isinstance(number, int) or number <= console.last_n:
            reject(console, "n: above %d" % console.last_n)
            return
        verb = tree.get("verb")
        row = verbs.row_of(TABLE, verb)
        given = verbs.arguments(row, tree.get("with", {}))
    except envelope.Refused as refused:
        reject(console, refused.args[1])
        return
    console.last_n = number
    console.session_at = console.now()
    reply = Reply(console, number, verb)
    if not console.box and verb not in _RESCUE.split(" "):
        reply.end((NOT_SUPPORTED, "no agent runs: %s" % console.why, {}))
        return
    from . import orders

    console.start(getattr(orders, verb.replace("-", "_"))(reply, given), reply)
