"""A list of tags in a file, as the entries that a box takes (docs/tags.md)."""

from __future__ import annotations

import hashlib
import hmac
import struct
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from host.send import moment
from host.send.rows import FileWrong, Row, read_rows

TAGS_MAX = 4000
PART_ENTRIES = 24  # so that a part fits into a message
COLUMNS = ("uid", "hash", "status", "kind", "subscription", "limit_a", "expires")
STATUSES = {"Accepted": 0, "Blocked": 1, "Expired": 2, "Invalid": 3}
REMOVE = 255
KINDS = {"subscription": 0, "pay-per-use": 1, "guest": 2}
UID_BYTES = (4, 7, 10)
HASH_BYTES = 8
LIMIT_A_MAX = 80
_UID_RIGHT = "right are 4, 7 or 10 bytes in hex"
_HASH_RIGHT = "right are 16 hex digits"


@dataclass(frozen=True, order=True)
class Entry:
    """What a list says of one tag, which its hash names."""

    tag: bytes
    status: int = 0
    kind: int = 0
    subscription: int = 0
    limit_ma: int = 0
    expires_utc_s: int = 0

    def pack(self) -> bytes:
        """The 21 bytes as they are sent."""
        head = struct.pack("<8sBBI", self.tag, self.status, self.kind, self.subscription)
        return head + self.limit_ma.to_bytes(3, "little") + struct.pack("<I", self.expires_utc_s)


def tag_hash(ledger_key: bytes, uid: bytes) -> bytes:
    """The name of a tag on one box, 8 bytes. Raises ValueError if it is no UID."""
    if len(uid) not in UID_BYTES:
        raise ValueError(f"{len(uid)} bytes; {_UID_RIGHT}")
    key = hmac.digest(ledger_key, b"tags", hashlib.sha256)
    return hmac.digest(key, uid, hashlib.sha256)[:HASH_BYTES]


def parse_uid(text: str) -> bytes:
    """A UID from hex digits; colons, dashes and blanks between bytes do no harm.

    Raises ValueError, whose text does not hold the UID: it is personal.
    """
    try:
        uid = bytes.fromhex(text.strip().replace(":", " ").replace("-", " "))
    except ValueError:
        raise ValueError(f"no UID; {_UID_RIGHT}") from None
    if len(uid) not in UID_BYTES:
        raise ValueError(f"{len(uid)} bytes; {_UID_RIGHT}")
    return uid


def parse_hash(text: str) -> bytes:
    """A tag's hash from 16 hex digits. Raises ValueError."""
    try:
        tag = bytes.fromhex(text)
    except ValueError:
        tag = b""
    if len(tag) != HASH_BYTES or len(text) != 2 * HASH_BYTES:
        raise ValueError(f"{text[:40]!r} is no hash of a tag; {_HASH_RIGHT}")
    return tag


def read_tag_list(path: Path, ledger_key: bytes, changes: bool = False) -> list[Entry]:
    """The entries of a file in the order in which they are sent. Raises FileWrong.

    Columns: `uid` or `hash`, and, if they are wanted, `status`, `kind`, `subscription`,
    `limit_a`, `expires`. In `changes` the status Remove takes a tag off the list.
    """
    statuses = {**STATUSES, "Remove": REMOVE} if changes else STATUSES
    lines: dict[bytes, int] = {}
    entries = []
    for row in read_rows(path, set(), COLUMNS, TAGS_MAX):
        tag = _tag(row, ledger_key)
        if tag in lines:
            raise FileWrong(
                f"{path}: line {row.line}: the same tag as in line {lines[tag]}; "
                "each tag has one line"
            )
        lines[tag] = row.line
        entries.append(
            Entry(
                tag,
                row.choice("status", statuses),
                row.choice("kind", KINDS),
                row.integer("subscription", 0xFFFFFFFF),
                row.milliamperes("limit_a", LIMIT_A_MAX),
                _expires(row),
            )
        )
    return sorted(entries)


def parts(entries: list[Entry]) -> list[bytes]:
    """Entries, in ascending order, as the parts that are sent."""
    packed = [entry.pack() for entry in entries]
    return [
        b"".join(packed[at : at + PART_ENTRIES]) for at in range(0, len(packed), PART_ENTRIES)
    ]


def _tag(row: Row, ledger_key: bytes) -> bytes:
    if bool(row["uid"]) == bool(row["hash"]):
        raise row.wrong("uid or hash", "", "right is one of the two")
    try:
        if row["hash"]:
            return parse_hash(row["hash"])
    except ValueError:
        raise row.wrong("hash", row["hash"], _HASH_RIGHT) from None
    try:
        return tag_hash(ledger_key, parse_uid(row["uid"]))
    except ValueError as error:  # without the value: a UID is personal
        raise FileWrong(f"{row.path}: line {row.line}, column uid: {error}") from None


def _expires(row: Row) -> int:
    """A date is the last day on which the tag is good, in Danish time."""
    text = row["expires"]
    if not text:
        return 0
    try:
        if len(text) == 10:
            text = (moment.iso(text) + timedelta(days=1)).date().isoformat()
        elif moment.iso(text).tzinfo is None:
            raise ValueError
        return moment.utc_s(text)
    except (ValueError, OverflowError):
        right = "right is the last good day, as 2027-06-30, or a time with its zone"
        raise row.wrong("expires", row["expires"], right) from None
