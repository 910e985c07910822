"""The packed form of a ledger message (format: docs/mqtt.md): what the box left out is put back."""

from __future__ import annotations

import hashlib
import hmac
from binascii import crc32

from wallbox.store.record import LENGTH_MIN, MAC_SIZE, PAYLOAD_AT, TAIL, fold, length_at

FORM = 1
FORMS_END = LENGTH_MIN  # a payload that begins with less is no plain record
_STEPS = 3


def unpacked(key: bytes, payload: bytes) -> bytes:
    """The records of a message, byte for byte as they lie in the box's flash.

    What is not of the packed form is given back as it is. ValueError if it breaks the form, or
    the mac at its end does not prove it.
    """
    if payload[:1] != bytes((FORM,)):
        return payload
    end = len(payload) - MAC_SIZE
    record, at = _whole(payload, 1, end)
    found = [record]
    while at < end:
        if payload[at] >= FORMS_END:
            after, at = _whole(payload, at, end)
            if _sequence(after) != _sequence(record) + 1:
                raise ValueError("a hole in the sequence")
        else:
            after, at = _restored(key, record, payload[:end], at)
        found.append(after)
        record = after
    if not hmac.compare_digest(record[-MAC_SIZE:], payload[end:]):
        raise ValueError("the mac at the end does not fit")
    return b"".join(found)


def _whole(payload: bytes, at: int, end: int) -> tuple[bytes, int]:
    length = length_at(memoryview(payload), at, end)
    if not length:
        raise ValueError(f"no record at byte {at}")
    return payload[at : at + length], at + length


def _sequence(record: bytes) -> int:
    return int.from_bytes(record[2:6], "little")


def _restored(key: bytes, before: bytes, payload: bytes, at: int) -> tuple[bytes, int]:
    """The record behind `before`, from the entry at `at`."""
    runs, step = divmod(payload[at], _STEPS)
    uptime_ms, at = _number(payload, at + 1)
    made = bytearray(before[:-TAIL])
    _add(made, 2, 4, 1)
    _add(made, 8, 5, uptime_ms)
    _add(made, 13, 4, uptime_ms // 1000 + step - 1 if step else 0)
    place = PAYLOAD_AT
    for _ in range(runs):
        if at >= len(payload):
            raise ValueError("a run is missing")
        place += payload[at] >> 4
        count = (payload[at] & 15) + 1
        changed = payload[at + 1 : at + 1 + count]
        if len(changed) < count or place + count > len(made):
            raise ValueError("a run is too long")
        made[place : place + count] = changed
        place += count
        at += 1 + count
    made += fold(crc32(made)).to_bytes(2, "little")
    mac = hmac.digest(key, before[-MAC_SIZE:] + made, hashlib.sha256)[:MAC_SIZE]
    return bytes(made) + mac, at


def _number(payload: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while at < len(payload) and shift <= 21:
        value |= (payload[at] & 127) << shift
        shift += 7
        at += 1
        if payload[at - 1] < 128:
            return value, at
    raise ValueError("no number")


def _add(made: bytearray, at: int, width: int, rise: int) -> None:
    value = int.from_bytes(made[at : at + width], "little") + rise
    if not 0 <= value < 1 << 8 * width:
        raise ValueError("a number out of range")
    made[at : at + width] = value.to_bytes(width, "little")

