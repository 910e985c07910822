"""The form of commands and replies: a MAC in front of the exact bytes of a JSON text."""

import json
from binascii import hexlify, unhexlify

from micropython import const

from ..store.keyed import hmac

LONGEST = const(1152)  # bytes of a message
DEPTH_MOST = const(4)  # brackets within brackets
DIGITS = const(64)  # of the MAC

# why a message is no command, `detail` of a SECURITY fact
TOO_LONG = const(1)
RETAINED = const(2)
NO_COMMAND = const(3)
WRONG_KEY = const(4)
NO_JSON = const(5)
UNKNOWN_VERB = const(6)
WRONG_ARGUMENTS = const(7)


class Refused(Exception):
    """No command of the operator. args: why, as above; one line for people."""


def key_of(ledger_key: bytes) -> bytes:
    """The key of commands and replies, from that of the ledger."""
    return hmac(ledger_key, b"commands")


def opened(key: bytes, message):
    """The JSON text of an authentic command, a part of message. Raises Refused."""
    if len(message) > LONGEST:
        raise Refused(TOO_LONG, "at most %d bytes" % LONGEST)
    try:
        mac = unhexlify(bytes(message[:DIGITS]))
    except ValueError:
        mac = b""
    if len(mac) * 2 != DIGITS or message[DIGITS : DIGITS + 1] != b" ":
        raise Refused(NO_COMMAND, "64 hex digits, a blank and JSON")
    text = message[DIGITS + 1 :]
    right = hmac(key, b"command\x00", text)
    difference = 0
    for index in range(len(right)):
        difference |= right[index] ^ mac[index]
    if difference:
        raise Refused(WRONG_KEY, "not signed with this box's key")
    return text


def closed(key: bytes, tree: dict) -> bytes:
    """A reply of this box, ready to be sent."""
    text = json.dumps(tree).encode()
    return hexlify(hmac(key, b"reply\x00", text)) + b" " + text


def parsed(text) -> dict:
    """The object in a JSON text. Raises Refused."""
    if _depth(text) > DEPTH_MOST:
        raise Refused(NO_JSON, "more than %d brackets within each other" % DEPTH_MOST)
    try:
        tree = json.loads(bytes(text))
    except (ValueError, TypeError):  # UnicodeError is a ValueError
        tree = None
    if not isinstance(tree, dict):
        raise Refused(NO_JSON, "one JSON object { ... }")
    return tree


def _depth(text) -> int:
    """The most brackets that are open at once."""
    depth = most = 0
    quoted = escaped = False
    for byte in text:
        if quoted:
            if escaped:
                escaped = False
            elif byte == 0x5C:
                escaped = True
            elif byte == 0x22:
                quoted = False
        elif byte == 0x22:
            quoted = True
        elif byte == 0x7B or byte == 0x5B:
            depth += 1
            most = max(most, depth)
        elif byte == 0x7D or byte == 0x5D:
            depth -= 1
    return most
