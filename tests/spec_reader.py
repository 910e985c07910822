"""A reader of ring images written from docs/SPEC.md alone: nothing of the firmware is imported."""

from __future__ import annotations

import hmac
import struct
import zlib
from dataclasses import dataclass

SECTOR = 4096


@dataclass(frozen=True)
class Header:
    lap: int
    first_sequence: int
    acknowledged: int
    previous_mac: bytes


@dataclass(frozen=True)
class Record:
    sector: int
    offset: int
    data: bytes

    @property
    def kind(self) -> int:
        return self.data[1] & 0x3F

    @property
    def quality(self) -> str:
        return "UIRS"[self.data[1] >> 6]

    @property
    def sequence(self) -> int:
        return struct.unpack_from("<I", self.data, 2)[0]

    @property
    def boot(self) -> int:
        return struct.unpack_from("<H", self.data, 6)[0]

    @property
    def uptime_ms(self) -> int:
        return int.from_bytes(self.data[8:13], "little")

    @property
    def utc_s(self) -> int:
        return struct.unpack_from("<I", self.data, 13)[0]

    @property
    def payload(self) -> bytes:
        return self.data[17:-10]

    @property
    def mac(self) -> bytes:
        return self.data[-8:]

    def follows(self, key: bytes, previous_mac: bytes) -> bool:
        return self.mac == mac8(key, previous_mac + self.data[:-8])


def mac8(key: bytes, message: bytes) -> bytes:
    return hmac.digest(key, message, "sha256")[:8]


def header(sector: bytes) -> Header | None:
    magic, lap, first, acknowledged, previous, check = struct.unpack_from("<4sIII8sI", sector)
    if magic != b"WBR1" or check != zlib.crc32(sector[:24]) or not lap or not first:
        return None
    return Header(lap, first, acknowledged, previous)


def record_at(sector: bytes, offset: int) -> bytes | None:
    length = sector[offset]
    if not 27 <= length <= 254 or offset + length > len(sector):
        return None
    data = sector[offset : offset + length]
    crc = zlib.crc32(data[:-10])
    check = (crc ^ crc >> 16) & 0xFFFF
    return data if struct.unpack_from("<H", data, length - 10)[0] == check else None


def void_from(sector: bytes, offset: int) -> int | None:
    if offset + 8 > len(sector):
        return None
    magic, begin, check = struct.unpack_from("<HHI", sector, offset)
    good = magic == 0x5700 and check == zlib.crc32(sector[offset : offset + 4]) and begin < offset
    return begin if good else None


def void_parts(sector: bytes, first: int) -> list[tuple[int, int]]:
    """Step 1: (begin, behind the mark)."""
    parts: list[tuple[int, int]] = []
    offset = 32
    while offset < len(sector):
        data = record_at(sector, offset)
        begin = void_from(sector, offset)
        if data and first <= struct.unpack_from("<I", data, 2)[0] <= first + 160:
            offset += len(data)
        elif begin is not None:
            parts = [part for part in parts if part[1] - 8 < begin] + [(begin, offset + 8)]
            offset += 8
        else:
            offset += 1
    return parts


def sector_records(number: int, sector: bytes, first: int, following: int | None) -> list[Record]:
    """Step 2."""
    found: list[Record] = []
    parts = void_parts(sector, first)
    lowest = first
    highest = min(first + 160, (following or 1 << 32) - 1)
    offset = 32
    while offset < len(sector):
        void = next((end for begin, end in parts if begin <= offset < end), 0)
        if void:
            offset = void
            continue
        data = record_at(sector, offset)
        record = Record(number, offset, data) if data else None
        if record and lowest <= record.sequence <= highest:
            found.append(record)
            lowest = record.sequence + 1
            offset += len(record.data)
        else:
            offset += 1
    return found


def ring_records(image: bytes) -> tuple[dict[int, Header], list[Record]]:
    """The headers that count, by sector from the oldest on, and all records in order."""
    count = len(image) // SECTOR
    sectors = [image[number * SECTOR : (number + 1) * SECTOR] for number in range(count)]
    known = {number: header(sector) for number, sector in enumerate(sectors)}
    laps = [(found.lap, number) for number, found in known.items() if found]
    if not laps:
        return {}, []
    lap, head = max(laps)
    headers: dict[int, Header] = {}
    for step in range(1, count + 1):
        number = (head + step) % count
        found = known[number]
        if found and found.lap == (lap if number <= head else lap - 1):
            headers[number] = found
    order = list(headers)
    records: list[Record] = []
    for place, number in enumerate(order):
        following = headers[order[place + 1]].first_sequence if place + 1 < len(order) else None
        first = headers[number].first_sequence
        records += sector_records(number, sectors[number], first, following)
    return headers, records


def believed(key: bytes, genesis: bytes, image: bytes) -> list[Record]:
    """Step 3: all records but a newest one that was interrupted."""
    headers, records = ring_records(image)
    if not records:
        return []
    newest = records[-1]
    if len(records) > 1 and records[-2].sequence == newest.sequence - 1:
        before = records[-2].mac
    elif newest.sequence == 1:
        before = mac8(key, genesis)
    elif headers[newest.sector].first_sequence == newest.sequence:
        before = headers[newest.sector].previous_mac
    else:
        return records
    return records if newest.follows(key, before) else records[:-1]


def watermark(image: bytes) -> int:
    headers, records = ring_records(image)
    if not headers:
        return 0
    head = list(headers)[-1]
    marks = [one.payload for one in records if one.sector == head and one.kind == 62]
    told = [struct.unpack("<I", payload)[0] for payload in marks]
    oldest = records[0].sequence if records else headers[head].first_sequence
    return max([headers[head].acknowledged, oldest - 1, *told])


def batch(record: Record) -> list[tuple[int, bytes]]:
    """(uptime_ms, event) of a record of kind 60."""
    events = []
    offset = 0
    uptime_ms = record.uptime_ms
    while offset < len(record.payload):
        delta_ms, length = struct.unpack_from("<HB", record.payload, offset)
        uptime_ms += delta_ms
        events.append((uptime_ms, record.payload[offset + 3 : offset + 3 + length]))
        offset += 3 + length
    return events


@dataclass(frozen=True)
class Snapshot:
    lost: int
    core: bytes
    configuration: bytes
    identity: bytes | None
    digest: bytes | None
    leases: dict[int, tuple[int, ...]]
    state: bytes


def snapshots(records: list[Record]) -> list[Snapshot]:
    """All whole ones."""
    found: list[Snapshot] = []
    data, due = b"", 0
    for record in records:
        for _, entry in batch(record):
            if entry[0] != 0xF0:
                continue
            number = entry[1] & 0x7F
            if number == 0:
                data, due = b"", 0
            if number != due:
                due = -1
                continue
            data += entry[2:]
            due += 1
            if entry[1] & 0x80:
                found.append(snapshot(data))
                due = -1
    return found


def snapshot(data: bytes) -> Snapshot:
    assert data[0] == 1
    offset = 18 + 12 * 5
    optional: list[bytes | None] = []
    for _ in range(2):
        length = data[offset]
        offset += 1
        optional.append(None if length == 255 else data[offset : offset + length])
        offset += 0 if length == 255 else length
    leases = {}
    while data[offset] != 255:
        widths, values, at = (1, 4, 3, 4, 4, 3), [], offset + 1
        for width in widths:
            values.append(int.from_bytes(data[at : at + width], "little"))
            at += width
        leases[data[offset]] = tuple(values)
        offset = at
    return Snapshot(data[1], data[2:10], data[10:18], *optional, leases, data[offset + 1 :])


def note(total: int, kind: int, value: int, refusals: int, limit_ma: int, due: int) -> int:
    """The sum of decisions with one more note."""
    packed = struct.pack("<BII", kind, value, refusals)
    packed += struct.pack("<BHHB", limit_ma >> 16, limit_ma & 0xFFFF, due & 0xFFFF, due >> 16 & 255)
    return zlib.crc32(packed, total)
