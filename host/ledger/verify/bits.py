"""Which single bit of a record, a header or a mark has flipped: found by trying them all."""

from __future__ import annotations

import struct
from binascii import crc32

from wallbox.core import fields
from wallbox.store.record import LENGTH_MAX, LENGTH_MIN, MAC_SIZE, PAYLOAD_AT, TAIL, fold, length_at

from host.ledger.entries import FACTS
from host.ledger.verify.findings import Flip

HEADER_BYTES = 28
MARK_BYTES = 8
MARK_MAGIC = 0x5700
_MAGIC = b"WBR1"
_RECORD = (
    (0, "length"), (1, "kind"), (2, "sequence"), (6, "boot"), (8, "uptime_ms"), (13, "utc_s"),
)  # fmt: skip
_HEADER = (
    (0, "magic"), (4, "lap"), (8, "first_sequence"), (12, "acknowledged"), (16, "previous_mac"),
    (24, "check"),
)  # fmt: skip


def flipped_record(raw: bytes, offset: int, end: int, sequence: int) -> tuple[Flip, ...]:
    """Every record of this number from which the bytes at `offset` differ by one bit.

    The mac is not looked at: that takes the key.
    """
    found = []
    length = raw[offset] if offset < end else 0
    if LENGTH_MIN <= length <= LENGTH_MAX and offset + length <= end:
        found += _flips(raw[offset : offset + length], sequence)
    for bit in range(8):
        other = length ^ 1 << bit
        if LENGTH_MIN <= other <= LENGTH_MAX and offset + other <= end:
            data = bytes([other]) + raw[offset + 1 : offset + other]
            if _difference(data, sequence) == 0 and length_at(memoryview(data), 0, other):
                found.append(Flip(data, 0, bit, bool(other >> bit & 1)))
    return tuple(found)


def _difference(data: bytes, sequence: int) -> int:
    return int.from_bytes(data[2:6], "little") ^ sequence


def _flips(data: bytes, sequence: int) -> list[Flip]:
    end = len(data) - TAIL
    check = data[end] | data[end + 1] << 8
    difference = _difference(data, sequence)
    wrong = fold(crc32(data[:end])) ^ check
    if difference == 0 and wrong.bit_count() == 1:
        return [_flip(data, 8 * end + wrong.bit_length() - 1)]
    if difference.bit_count() > 1:
        return []
    bits = range(8, 8 * end)
    if difference:
        at = 16 + difference.bit_length() - 1
        bits = range(at, at + 1)
    body = bytearray(data[:end])
    found = []
    for at in bits:
        if not difference and 16 <= at < 48:
            continue
        body[at >> 3] ^= 1 << (at & 7)
        if fold(crc32(body)) == check:
            found.append(_flip(data, at))
        body[at >> 3] ^= 1 << (at & 7)
    return found


def _flip(data: bytes, at: int) -> Flip:
    """Undoes the flip of bit number `at`."""
    mended = bytearray(data)
    mended[at >> 3] ^= 1 << (at & 7)
    return Flip(bytes(mended), at >> 3, at & 7, not data[at >> 3] >> (at & 7) & 1)


def flipped_header(raw: bytes) -> Flip | None:
    """The header from which these 28 bytes differ by one bit."""
    for at in range(8 * HEADER_BYTES):
        flip = _flip(raw, at)
        data = flip.data
        if data[:4] == _MAGIC and struct.unpack_from("<I", data, 24)[0] == crc32(data[:24]):
            return flip
    return None


def flipped_mark(raw: bytes, void_from: int) -> bool:
    """True if these 8 bytes differ by one bit from the mark that begins a void part there."""
    if len(raw) < MARK_BYTES:
        return False
    mark = struct.pack("<HH", MARK_MAGIC, void_from)
    due = mark + struct.pack("<I", crc32(mark))
    return (int.from_bytes(due, "little") ^ int.from_bytes(raw, "little")).bit_count() == 1


def record_field(flip: Flip) -> str:
    """The name of the record's field in which the bit lies, as docs/SPEC.md has it."""
    data, byte = flip.data, flip.byte
    if byte >= len(data) - MAC_SIZE:
        return "mac"
    if byte >= len(data) - TAIL:
        return "check"
    if byte < PAYLOAD_AT:
        return "quality" if byte == 1 and flip.bit >= 6 else _named(_RECORD, byte)
    specification = FACTS.get(data[1] & 0x3F, ("", ""))[1]
    offset = PAYLOAD_AT
    for name, width in zip(
        fields.names(specification), fields.layout(specification), strict=True
    ):
        offset += width & 0x7F
        if byte < offset or not width:
            return str(name)
    return "payload"


def header_field(byte: int) -> str:
    return _named(_HEADER, byte)


def _named(table: tuple[tuple[int, str], ...], byte: int) -> str:
    return [name for offset, name in table if offset <= byte][-1]
