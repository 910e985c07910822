"""Ledger records on the host: the box's own bytes, split and checked (format: docs/SPEC.md)."""

from __future__ import annotations

import hashlib
import hmac
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from wallbox.store.record import MAC_SIZE, length_at, unpack

LEDGER_LABEL = b"wallbox ledger"


@dataclass(frozen=True)
class Record:
    """One record; `data` is the whole of it as it lies in flash, and all else is read from it."""

    data: bytes
    kind: int
    quality: int
    sequence: int
    boot: int
    uptime_ms: int
    utc_s: int
    payload: bytes

    @property
    def mac(self) -> bytes:
        return self.data[-MAC_SIZE:]


@dataclass(frozen=True)
class Torn:
    """Bytes that are no record, from `offset` to the end of what was split."""

    offset: int
    data: bytes


def split(data: bytes) -> Iterator[Record | Torn]:
    """The records in `data`, one after the other; what is no record ends it as one `Torn`."""
    view = memoryview(data)
    offset = 0
    while offset < len(data):
        length = length_at(view, offset, len(data))
        if not length:
            yield Torn(offset, data[offset:])
            return
        sequence, kind, quality, boot, uptime_ms, utc_s, payload = unpack(data, offset)
        whole = data[offset : offset + length]
        yield Record(whole, kind, quality, sequence, boot, uptime_ms, utc_s, payload)
        offset += length


def chain_genesis(key: bytes) -> bytes:
    """What the first record of a box chains to."""
    return hmac.digest(key, LEDGER_LABEL, hashlib.sha256)[:MAC_SIZE]


def follows(key: bytes, previous_mac: bytes, record: Record) -> bool:
    """True if the record's mac is the one its key and the record before it give."""
    due = hmac.digest(key, previous_mac + record.data[:-MAC_SIZE], hashlib.sha256)[:MAC_SIZE]
    return hmac.compare_digest(due, record.mac)


def acknowledgement(key: bytes, sequence: int, mac: bytes) -> bytes:
    """The operator's statement: everything up to `sequence`, whose mac is `mac`, is stored.

    0 and the chain's genesis: nothing is stored.
    """
    body = struct.pack("<I", sequence) + mac
    return body + hmac.digest(key, b"ack" + body, hashlib.sha256)[:MAC_SIZE]
