"""Composes a box's records, each under the mac of the one before (docs/SPEC.md)."""

from __future__ import annotations

import hashlib
import hmac
import struct
from binascii import crc32

from wallbox.core import decisions
from wallbox.store.record import LENGTH_MIN, MAC_SIZE, fold

from host.records import chain_genesis

_HEAD = struct.Struct("<BBIHIBI")


class RecordChain:
    """`sequence`: of the next record."""

    def __init__(self, key: bytes) -> None:
        self.key = key
        self.sequence = 1
        self._mac = chain_genesis(key)
        self._payload = bytearray(256)

    def fact(
        self, fact: tuple[int | bytes, ...], quality: int, boot: int, uptime_ms: int, utc_s: int
    ) -> bytes:
        """A fact `(kind, value, …)` as a whole record."""
        end = decisions.pack_into(self._payload, 0, fact)
        kind = fact[0]
        assert isinstance(kind, int)
        body = _HEAD.pack(
            LENGTH_MIN + end, kind | quality << 6, self.sequence, boot,
            uptime_ms & 0xFFFFFFFF, uptime_ms >> 32, utc_s,
        ) + bytes(self._payload[:end])
        body += fold(crc32(body)).to_bytes(2, "little")
        self._mac = hmac.digest(self.key, self._mac + body, hashlib.sha256)[:MAC_SIZE]
        self.sequence += 1
        return body + self._mac
