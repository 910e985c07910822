"""Who answers a request: words that anybody may say, and orders that are signed in a login."""

import gc
from binascii import hexlify

from micropython import const

from .. import forget
from ..commands import NOT_SUPPORTED, REJECTED
from ..store.keyed import hmac, same

_DIGITS = const(32)
_RESCUE = "status ledger trace network configure crash clear-fault restart"

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
    reply = console.reply(number, verb)
    if not console.box and verb not in _RESCUE.split(" "):
        reply.end((NOT_SUPPORTED, "no agent runs: %s" % console.ear.why, {}))
        return
    if verb == "self-test":
        from .. import selftest

        work = selftest.run(reply, *given)
    elif verb == "network" or verb == "configure":
        from . import changes

        work = getattr(changes, verb)(reply, given)
    else:
        from . import orders

        work = getattr(orders, verb.replace("-", "_"))(reply, given)
    console.start(work, reply)
