"""Ledger records on the host: the box's own bytes, split and checked (format: docs/SPEC.md)."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

_HEADER = struct.Struct("<BBIHIBI")
LENGTH_MIN = 27
LENGTH_MAX = 254
MAC_BYTES = 8
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

    @property
    def payload(self) -> bytes:
        return self.data[17:-10]

    @property
    def mac(self) -> bytes:
        return self.data[-MAC_BYTES:]


@dataclass(frozen=True)
class Torn:
    """Bytes that are no record, from `offset` to the end of what was split."""

    offset: int
    data: bytes


def split(data: bytes) -> Iterator[Record | Torn]:
    """The records in `data`, one after the other; what is no record ends it as one `Torn`."""
    offset = 0
    while offset < len(data):
        length = data[offset]
        end = offset + length
        whole = data[offset:end]
        if not LENGTH_MIN <= length <= LENGTH_MAX or len(whole) != length or not _checks(whole):
            yield Torn(offset, data[offset:])
            return
        _length, kind, sequence, boot, low, high, utc_s = _HEADER.unpack_from(whole)
        yield Record(whole, kind & 0x3F, kind >> 6, sequence, boot, high << 32 | low, utc_s)
        offset = end


def _checks(whole: bytes) -> bool:
    value = zlib.crc32(whole[:-10])
    return struct.unpack_from("<H", whole, len(whole) - 10)[0] == (value ^ value >> 16) & 0xFFFF


def chain_genesis(key: bytes) -> bytes:
    """What the first record of a box chains to."""
    return hmac.digest(key, LEDGER_LABEL, hashlib.sha256)[:MAC_BYTES]


def follows(key: bytes, previous_mac: bytes, record: Record) -> bool:
    """True if the record's mac is the one its key and the record before it give."""
    due = hmac.digest(key, previous_mac + record.data[:-MAC_BYTES], hashlib.sha256)[:MAC_BYTES]
    return hmac.compare_digest(due, record.mac)


def acknowledgement(key: bytes, sequence: int, mac: bytes) -> bytes:
    """The operator's statement: everything up to `sequence`, whose mac is `mac`, is stored.

    0 and the chain's genesis: nothing is stored.
    """
    body = struct.pack("<I", sequence) + mac
    return body + hmac.digest(key, b"ack" + body, hashlib.sha256)[:MAC_BYTES]
