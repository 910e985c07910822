"""Whether the records of a log follow from each other under the key of the box."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from dataclasses import dataclass

from wallbox.store.record import MAC_SIZE

TRACE, LEDGER = b"wallbox trace", b"wallbox ledger"


@dataclass(frozen=True)
class Chained:
    """`proved` follow, `wrong` do not, `open` have no record before them to follow from."""

    proved: int = 0
    wrong: int = 0
    open: int = 0


def chained(key: bytes, records: Sequence[bytes], name: bytes) -> Chained:
    """name: of the ring, which its first record chains to."""
    proved = wrong = unknown = 0
    last, base = 0, mac(key, name)
    for record in records:
        sequence = int.from_bytes(record[2:6], "little")
        if sequence != last + 1:
            unknown += 1
        elif hmac.compare_digest(mac(key, base + record[:-MAC_SIZE]), record[-MAC_SIZE:]):
            proved += 1
        else:
            wrong += 1
        last, base = sequence, record[-MAC_SIZE:]
    return Chained(proved, wrong, unknown)


def mac(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, hashlib.sha256)[:MAC_SIZE]
