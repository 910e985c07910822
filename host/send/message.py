"""Commands and replies as bytes, signed and believed by the box's key (docs/commands.md). Pure."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass

MESSAGE_BYTES_MAX = 1152
COUNTER_MAX = 0xFFFFFFFF
WINDOW_S_MAX = 31 * 86_400
DONE = ("Accepted", "Scheduled", "RebootRequired")
REFUSED = ("Rejected", "Failed", "VersionMismatch", "NotSupported")
_MAC_DIGITS = 64

Arguments = Mapping[str, object]


class MessageWrong(ValueError):
    """A command that no box would take; one line says why."""


class NotBelieved(ValueError):
    """A reply that is not the box's; one line says why."""


@dataclass(frozen=True)
class Reply:
    """What the box answers; `counter` 0 and `verb` "": it did not believe what it got."""

    counter: int
    verb: str
    status: str
    info: str

    @property
    def done(self) -> bool:
        return self.status in DONE


def command_key(ledger_key: bytes) -> bytes:
    """The key of commands and replies, 32 bytes, from the ledger key."""
    return hmac.digest(ledger_key, b"commands", hashlib.sha256)


def sign_command(
    ledger_key: bytes,
    counter: int,
    from_utc_s: int,
    until_utc_s: int,
    verb: str,
    arguments: Arguments,
) -> bytes:
    """The payload of a command. Raises MessageWrong if the protocol has no room for it."""
    if not 1 <= counter <= COUNTER_MAX:
        raise MessageWrong(f"counter {counter}: 1 to {COUNTER_MAX} are possible")
    if not 0 <= from_utc_s < until_utc_s <= min(from_utc_s + WINDOW_S_MAX, COUNTER_MAX):
        raise MessageWrong("a command can be meant for at most 31 days, and for at least 1 s")
    tree: dict[str, object] = {
        "counter": counter,
        "from_utc_s": from_utc_s,
        "until_utc_s": until_utc_s,
        "verb": verb,
    }
    if arguments:
        tree["with"] = dict(arguments)
    payload = _sign(ledger_key, b"command", tree)
    if len(payload) > MESSAGE_BYTES_MAX:
        raise MessageWrong(f"{verb}: {len(payload)} bytes; a command has {MESSAGE_BYTES_MAX}")
    return payload


def read_reply(ledger_key: bytes, payload: bytes) -> Reply:
    """The reply in a payload. Raises NotBelieved for anything that is not the box's."""
    if len(payload) > MESSAGE_BYTES_MAX:
        raise NotBelieved(f"it has {len(payload)} bytes, a reply at most {MESSAGE_BYTES_MAX}")
    digits, blank, body = payload[:_MAC_DIGITS], payload[_MAC_DIGITS:][:1], payload[65:]
    if blank != b" ":
        raise NotBelieved("it has not the form of a reply")
    if not hmac.compare_digest(digits, _mac(ledger_key, b"reply", body)):
        raise NotBelieved("its MAC is wrong")
    try:
        tree = json.loads(body.decode("utf-8"))
        reply = Reply(tree["counter"], tree["verb"], tree["status"], tree["info"])
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NotBelieved("it is signed, but no reply that is known") from None
    texts = (reply.verb, reply.status, reply.info)
    if type(reply.counter) is not int or not all(isinstance(text, str) for text in texts):
        raise NotBelieved("it is signed, but no reply that is known")
    if reply.status not in DONE + REFUSED:
        raise NotBelieved(f"its status is {reply.status[:40]!r}, which is not known")
    return reply


def _sign(ledger_key: bytes, direction: bytes, tree: object) -> bytes:
    body = json.dumps(tree, separators=(",", ":")).encode("ascii")
    return _mac(ledger_key, direction, body) + b" " + body


def _mac(ledger_key: bytes, direction: bytes, body: bytes) -> bytes:
    key = command_key(ledger_key)
    return hmac.digest(key, direction + b"\0" + body, hashlib.sha256).hex().encode("ascii")
