"""One sector of a ledger's image, read strictly: what lies in it, without a gap, byte by byte.

A sound sector is records and void parts from the beginning on, one behind the other, and erased
bytes behind them. Only there, at the end, a power cut may have left something: see docs/DESIGN.md.
"""

from __future__ import annotations

import re
import struct
from binascii import crc32
from dataclasses import dataclass, field

from wallbox.store.record import length_at
from wallbox.store.scan import MARK_SIZE, RECORDS_MAX
from wallbox.store.sectors import HEADER_SIZE, MAGIC, READY_SIZE, RECORDS_AT

from host.ledger.verify.bits import (
    MARK_MAGIC,
    flipped_header,
    flipped_mark,
    flipped_record,
    header_field,
)
from host.ledger.verify.findings import Damage, Finding, Stored

_WRITTEN = re.compile(rb"[^\xff]")


@dataclass(frozen=True)
class Header:
    lap: int
    first: int
    acknowledged: int
    previous_mac: bytes


@dataclass
class Sector:
    """`position`: in the image. `torn`: bytes at its end that a power cut may have left."""

    number: int
    raw: bytes
    position: int
    header: Header | None
    flipped: str = ""  # the field of the header that one flipped bit has damaged
    rising: bool = False  # that bit is 1 now, as one that was not yet programmed
    stored: list[Stored] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    marks: list[Finding] = field(default_factory=list)
    voids: list[tuple[int, int]] = field(default_factory=list)
    torn: tuple[int, int] | None = None
    end: int = RECORDS_AT  # behind the last record and the last void part

    @property
    def blank(self) -> bool:
        """Erased, whether or not it was made ready for its next lap."""
        return _WRITTEN.search(self.raw, READY_SIZE) is None and (
            self.raw[:READY_SIZE] == b"\xff" * READY_SIZE or self.raw[:4] == MAGIC
        )


def open_sector(number: int, raw: bytes, base: int) -> Sector:
    """A sector with its header, mended if one bit of it has flipped; its records come later."""
    header = _header(raw[:HEADER_SIZE])
    sector = Sector(number, raw, base + number * len(raw), header)
    if header is None and not sector.blank:
        flip = flipped_header(raw[:HEADER_SIZE])
        if flip:
            sector.header = _header(flip.data)
            sector.flipped = header_field(flip.byte)
            sector.rising = not flip.cleared
    return sector


def _header(raw: bytes) -> Header | None:
    magic, lap, first, acknowledged, previous_mac, check = struct.unpack("<4sIII8sI", raw)
    if magic != MAGIC or check != crc32(raw[:24]) or not lap or not first:
        return None
    return Header(lap, first, acknowledged, previous_mac)


def first_record(sector: Sector, alone: bool) -> int:
    """The number of the first record that can be read, whatever the header says; 0: none.

    In rubble one sector in 16 holds by chance what looks like a record; unless it may stand
    `alone`, it must be number 1 or followed by the next one.
    """
    view = memoryview(sector.raw)
    for match in _WRITTEN.finditer(sector.raw, RECORDS_AT):
        length = length_at(view, match.start(), len(view))
        if length:
            behind = match.start() + length
            sequence = _sequence(view, match.start())
            if alone or sequence == 1:
                return sequence
            if length_at(view, behind, len(view)) and _sequence(view, behind) == sequence + 1:
                return sequence
    return 0


def _sequence(view: memoryview, offset: int) -> int:
    return int.from_bytes(view[offset + 2 : offset + 6], "little")


class Reading:
    """Fills a sector whose records begin with number `first` and end before `limit` (0: open)."""

    def __init__(self, sector: Sector, first: int, limit: int, longest: int) -> None:
        self._sector = sector
        self._raw = sector.raw
        self._view = memoryview(sector.raw)
        self._size = len(sector.raw)
        self._first = first
        self._limit = limit
        self._longest = longest
        self._last = first - 1
        sector.stored, sector.damages, sector.marks = [], [], []
        sector.voids = self._void_parts()
        self._read()
        self._drop_interrupted()

    def _record_at(self, offset: int) -> int:
        """The length of the record that begins there, 0 if none does."""
        return length_at(self._view, offset, self._size)

    def _is_due(self, offset: int) -> bool:
        return self._first <= _sequence(self._view, offset) <= self._first + RECORDS_MAX

    def _void_parts(self) -> list[tuple[int, int]]:
        parts: list[tuple[int, int]] = []
        offset = RECORDS_AT
        while match := _WRITTEN.search(self._raw, offset):
            offset = match.start()
            length = self._record_at(offset)
            if length and self._is_due(offset):
                offset += length
                continue
            begin = self._mark_at(offset)
            if begin is None:
                offset += 1
                continue
            offset += MARK_SIZE
            parts = [part for part in parts if part[1] <= begin] + [(begin, offset)]
        return parts

    def _mark_at(self, offset: int) -> int | None:
        if offset + MARK_SIZE > self._size:
            return None
        magic, begin, check = struct.unpack_from("<HHI", self._raw, offset)
        if magic != MARK_MAGIC or begin >= offset:
            return None
        return begin if check == crc32(self._view[offset : offset + 4]) else None

    def _read(self) -> None:
        sector = self._sector
        offset = RECORDS_AT
        voids = list(sector.voids)
        while True:
            sector.end = offset
            if voids and voids[0][0] <= offset:
                self._judge_mark(*voids[0])
                offset = max(offset, voids.pop(0)[1])
                continue
            match = _WRITTEN.search(self._raw, offset)
            if match is None:
                return
            length = self._record_at(offset)
            if length:
                self._take(Stored(self._raw[offset : offset + length], sector.position + offset))
                offset += length
                continue
            void_begin = voids[0][0] if voids else 0
            following = self._following(offset + 1, void_begin)
            step = self._mended(offset, following)
            if not step and not following:
                self._judge_tail(offset)
                return
            if not step:
                self._damage(offset, following, certain=following == void_begin)
            offset = offset + step if step else following

    def _take(self, stored: Stored) -> None:
        for damage in self._sector.damages:
            if damage.before is None:
                damage.before = stored.sequence
        self._sector.stored.append(stored)
        self._last = max(self._last, stored.sequence)

    def _following(self, offset: int, void_begin: int) -> int:
        """Where the next record or void part begins, 0 if there is none."""
        while match := _WRITTEN.search(self._raw, offset):
            offset = match.start()
            if void_begin and offset >= void_begin:
                break
            if self._record_at(offset) and self._is_due(offset):
                if _sequence(self._view, offset) > self._last:
                    return offset
            offset += 1
        return void_begin

    def _mended(self, offset: int, following: int) -> int:
        """Takes the record, or passes the void part, that one flipped bit has hidden; its size."""
        due = self._last + 1
        if not self._limit or due < self._limit:
            flips = flipped_record(self._raw, offset, following or self._size, due)
            if flips:
                position = self._sector.position + offset
                self._take(Stored(flips[0].data, position, flips))
                return len(flips[0].data)
        mark = offset + self._longest
        if following and flipped_mark(self._raw[mark : mark + MARK_SIZE], offset):
            self._sector.marks.append(self._mark_finding(mark, "one bit of it is flipped"))
            return self._longest + MARK_SIZE
        return 0

    def _damage(self, begin: int, end: int, certain: bool = False) -> None:
        at = self._sector.position
        damage = Damage(at + begin, at + end, self._last, certain=certain)
        self._sector.damages.append(damage)

    def _judge_mark(self, begin: int, end: int) -> None:
        if end - MARK_SIZE - begin > self._longest:
            text = f"it declares {end - begin} bytes void, more than a power cut can have spoilt"
            self._sector.marks.append(self._mark_finding(end - MARK_SIZE, text))

    def _mark_finding(self, offset: int, text: str) -> Finding:
        position = self._sector.position + offset
        place = f"the mark at {position:#x} (sector {self._sector.number})"
        return Finding("mark", f"{place}: {text}", position=position)

    def _judge_tail(self, offset: int) -> None:
        """Bytes at the end of the sector, behind which nothing follows in it."""
        end = len(self._raw.rstrip(b"\xff"))
        complete = self._limit and self._last + 1 >= self._limit
        if end <= offset + self._longest + MARK_SIZE and (complete or not self._limit):
            self._sector.torn = (offset, end)
        else:
            self._damage(offset, end)

    def _drop_interrupted(self) -> None:
        """A record that looks whole, and that the header of the next sector has made void."""
        sector = self._sector
        newest = sector.stored[-1] if sector.stored else None
        if newest is None or not self._limit or newest.sequence != self._limit:
            return
        offset = newest.position - sector.position
        if sector.end == offset + len(newest.data):
            sector.stored.pop()
            sector.torn = (offset, len(self._raw.rstrip(b"\xff")))
