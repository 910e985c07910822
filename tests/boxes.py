"""A box's ledger as the operator sees it: records made by the rules of docs/SPEC.md."""

from __future__ import annotations

import hashlib
import hmac
import struct
import zlib

from wallbox.core import decisions

BOOT_UTC_S = 1_767_225_600  # 2026-01-01 00:00:00 UTC


def digest(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()[:8]


class Ledger:
    """Makes records one after the other: `ledger.fact(decisions.INTERVAL, ...)`."""

    def __init__(self, key: bytes, first_sequence: int = 1) -> None:
        self.key = key
        self.sequence = first_sequence
        self.mac = digest(key, b"wallbox ledger")
        self.records: list[bytes] = []
        self.boot = 1
        self.uptime_ms = 0
        self.clock_set = True
        self.boot_utc_s = BOOT_UTC_S

    def record(self, kind: int, payload: bytes, quality: int = 3) -> bytes:
        """The next record, with any payload."""
        self.uptime_ms += 60_000
        utc_s = self.boot_utc_s + self.uptime_ms // 1000 if self.clock_set else 0
        length = 27 + len(payload)
        low, high = self.uptime_ms & 0xFFFFFFFF, self.uptime_ms >> 32
        head = struct.pack(
            "<BBIHIBI", length, kind | quality << 6, self.sequence, self.boot, low, high, utc_s
        )
        body = head + payload
        check = zlib.crc32(body)
        body += struct.pack("<H", (check ^ check >> 16) & 0xFFFF)
        self.mac = digest(self.key, self.mac + body)
        self.sequence += 1
        self.records.append(body + self.mac)
        return self.records[-1]

    def restart(self, boot_utc_s: int) -> None:
        """The next boot, at that time, which the box does not know yet."""
        self.boot, self.boot_utc_s = self.boot + 1, boot_utc_s
        self.uptime_ms, self.clock_set = 0, False

    def fact(self, kind: int, *values: int | bytes, quality: int = 3) -> bytes:
        """The next record: a fact of the table in wallbox.core.decisions."""
        buffer = bytearray(256)
        end = decisions.pack_into(buffer, 0, (kind, *values))
        return self.record(kind, bytes(buffer[:end]), quality)

    def registers(self, count: int, start_wh: int = 1_000_000, step_wh: int = 250) -> list[bytes]:
        """`count` interval records, each `step_wh` above the one before."""
        made = []
        for index in range(count):
            register_wh = start_wh + (index + 1) * step_wh
            end_utc_s = BOOT_UTC_S + (index + 1) * 900
            made.append(
                self.fact(
                    decisions.INTERVAL, register_wh, 4711, step_wh, end_utc_s, 3, 900, 0
                )
            )
        return made


def messages(records: list[bytes], payload_bytes_max: int = 1024) -> list[bytes]:
    """Records packed into messages as the link packs them."""
    packed = [b""]
    for record in records:
        if len(packed[-1]) + len(record) > payload_bytes_max:
            packed.append(b"")
        packed[-1] += record
    return packed
