"""The image of a ledger's partition: its sectors in their order, and what contradicts it.

It is only ever read. What a power cut may have left is told apart from damage by the rules that the
box writes by (docs/SPEC.md, docs/DESIGN.md): an interrupted program lies behind the last record, an
interrupted erase in the sector that is due to be erased, whose records the operator has.
"""

from __future__ import annotations

from wallbox.store.ledger import LONGEST
from wallbox.store.record import PAYLOAD_AT, WATERMARK
from wallbox.store.scan import MARK_SIZE, RECORDS_MAX

from host.ledger.verify.findings import IMAGE, OPEN_END, Contents, Finding, Progress, counted
from host.ledger.verify.sector import Header, Reading, Sector, first_record, open_sector

SECTOR_SIZE = 4096


class NoLedger(Exception):
    """There is no ledger in the image; says what is there instead."""


def read_image(
    image: bytes,
    progress: Progress,
    *,
    base: int = 0,
    sector_size: int = SECTOR_SIZE,
    longest: int = LONGEST,
) -> Contents:
    """All that the ring in `image` holds; positions count from `base` on. Raises NoLedger."""
    contents = Contents("", IMAGE)
    _Ring(contents, image, base, sector_size, longest, progress).read()
    return contents


class _Ring:
    def __init__(
        self,
        contents: Contents,
        image: bytes,
        base: int,
        size: int,
        longest: int,
        progress: Progress,
    ) -> None:
        self._contents = contents
        self._size = size
        self._longest = longest
        self._progress = progress
        self._sectors = [
            open_sector(number, image[number * size : (number + 1) * size], base)
            for number in range(len(image) // size)
        ]
        self._first: dict[int, int] = {}  # of the sectors whose records count
        self._order: list[Sector] = []
        self._noted: set[int] = set()
        self._acknowledged = 0

    def read(self) -> None:
        self._put_in_order()
        for index, sector in enumerate(self._order):
            self._progress("reading sectors", index, len(self._order))
            limit = self._first_behind(index)
            Reading(sector, self._first[sector.number], limit, self._longest)
        self._find_acknowledged()
        self._drop_half_erased()
        self._drop_left_behind()
        for index, sector in enumerate(self._order):
            self._judge_header(sector, self._order[index - 1].header if index else None)
            self._keep(sector, self._first_behind(index))
        self._judge_freed()
        self._judge_rest()
        self._find_newest()

    def _first_behind(self, index: int) -> int:
        return self._first[self._order[index + 1].number] if index + 1 < len(self._order) else 0

    # the order of the sectors

    def _put_in_order(self) -> None:
        known = [sector for sector in self._sectors if sector.header]
        unreadable = [one for one in self._sectors if not one.header and not one.blank]
        orphans = {one.number: first_record(one, bool(known)) for one in unreadable}
        orphans = {number: first for number, first in orphans.items() if first}
        if not known and not orphans:
            raise NoLedger("neither a sector's header nor a record is in it")
        head, lap = self._find_head(known, orphans)
        for step in range(1, len(self._sectors) + 1):
            sector = self._sectors[(head + step) % len(self._sectors)]
            due_lap = lap if sector.number <= head else lap - 1
            if sector.header and sector.header.lap == due_lap:
                self._first[sector.number] = sector.header.first
                self._order.append(sector)
            elif sector.number in orphans:
                self._first[sector.number] = orphans[sector.number]
                self._order.append(sector)
        self._order = [one for index, one in enumerate(self._order) if self._fits(index)]

    def _find_head(self, known: list[Sector], orphans: dict[int, int]) -> tuple[int, int]:
        """The sector in use and its lap; its header may be the one that cannot be read."""
        if not known:
            return max(orphans, key=lambda number: orphans[number]), 0
        newest = max(known, key=lambda one: (_header(one).lap, one.number))
        header = _header(newest)
        behind = (newest.number + 1) % len(self._sectors)
        if header.first < orphans.get(behind, 0) <= header.first + RECORDS_MAX:
            return behind, header.lap + (0 if behind else 1)
        return newest.number, header.lap

    def _fits(self, index: int) -> bool:
        """Records without a header count if their numbers lie between those of the neighbours."""
        sector = self._order[index]
        if sector.header:
            return True
        first = self._first[sector.number]
        before = [self._first[one.number] for one in self._order[:index] if one.header]
        behind = [self._first[one.number] for one in self._order[index + 1 :] if one.header]
        return (not before or before[-1] < first) and (not behind or first < behind[0])

    def _find_acknowledged(self) -> None:
        for sector in self._order:
            if sector.header:
                self._acknowledged = max(self._acknowledged, sector.header.acknowledged)
            for stored in sector.stored:
                if stored.data[1] & 0x3F == WATERMARK and not stored.flips:
                    value = int.from_bytes(stored.data[PAYLOAD_AT : PAYLOAD_AT + 4], "little")
                    if value < stored.sequence:
                        self._acknowledged = max(self._acknowledged, value)

    def _drop_half_erased(self) -> None:
        """The oldest sector may be half erased if the operator has all that was in it."""
        if len(self._order) < 2:
            return
        sector, limit = self._order[0], self._first_behind(0)
        flipped = [one.flips for one in sector.stored if one.flips]
        rising = all(any(not flip.cleared for flip in flips) for flips in flipped)
        spoilt = len(flipped) + len(sector.damages) + len(sector.marks) + bool(sector.flipped)
        wide = spoilt > 1 or sector.header is None
        wide |= any(one.end - one.position > self._longest for one in sector.damages)
        if wide and rising and self._may_be_freed(limit - 1):
            del self._order[0]
            self._noted.add(sector.number)
            self._note(
                "erased",
                f"sector {sector.number} at {sector.position:#x} was being erased when the power "
                f"was cut, after the operator had acknowledged its records, up to {limit - 1}",
                sector,
            )

    def _drop_left_behind(self) -> None:
        """An old sector that could not be erased, while the ones behind it were."""
        while len(self._order) > 1:
            sector, limit = self._order[0], self._first_behind(0)
            skipped = (self._order[1].number - sector.number) % len(self._sectors) > 1
            if not skipped or self._last(sector) + 1 == limit or not self._may_be_freed(limit - 1):
                return
            del self._order[0]

    def _may_be_freed(self, sequence: int) -> bool:
        """True if the operator has acknowledged the record, as far as flash can tell.

        A head without room for a mark may have none for the watermark, which then comes with the
        next header; only one sector is erased until then. And the watermark's own record is not
        worth another one.
        """
        head = self._order[-1]
        room = self._size - head.end
        free = (self._order[0].number - head.number - 1) % len(self._sectors)
        unwritten = room < self._longest + MARK_SIZE or head.torn is not None
        return sequence <= self._acknowledged + 1 or unwritten and free <= 1

    # what the headers say

    def _judge_header(self, sector: Sector, before: Header | None) -> None:
        header = sector.header
        place = f"the header of sector {sector.number} at {sector.position:#x}"
        if sector.flipped:
            text = f"{place}: one bit of {sector.flipped} is flipped"
            begun = sector is self._order[-1] and sector.rising and not sector.stored
            self._find("newest" if begun else "header", text + OPEN_END * begun, sector)
        if header is None:
            records = counted(len(sector.stored), "record")
            self._find("header", f"{place} is damaged; {records} found all the same", sector)
            return
        contents = self._contents
        contents.anchors.setdefault(header.first, header.previous_mac)
        contents.anchor_at.setdefault(header.first, sector.position)
        if header.acknowledged >= header.first:
            self._find("header", f"{place} acknowledges a record that was not yet written", sector)
        if before and header.acknowledged < before.acknowledged:
            self._find("header", f"{place} takes back what was acknowledged before", sector)

    def _judge_freed(self) -> None:
        """What the operator has not acknowledged is never erased."""
        oldest = self._first[self._order[0].number]
        self._contents.first_due = oldest
        if not self._may_be_freed(oldest - 1):
            self._find(
                "freed",
                f"records {self._acknowledged + 1} to {oldest - 1} are gone, and the operator has "
                "not acknowledged them",
                self._order[0],
            )
        elif oldest > 1:
            text = f"records 1 to {oldest - 1} were freed after the operator acknowledged them"
            self._contents.notes.append(Finding("freed", text))

    def _keep(self, sector: Sector, limit: int) -> None:
        contents = self._contents
        contents.stored += sector.stored
        for damage in sector.damages:
            damage.before = damage.before or limit or None
            if damage.certain and damage.before is None:
                contents.last_due = damage.after + 1
        contents.damages += sector.damages
        contents.findings += sector.marks
        if sector.torn:
            begin, end = sector.torn
            self._note(
                "torn",
                f"{end - begin} bytes at {sector.position + begin:#x} are what a power cut has "
                f"left of a record that was never promised, behind record {self._last(sector)}",
                sector,
            )

    def _last(self, sector: Sector) -> int:
        return sector.stored[-1].sequence if sector.stored else self._first[sector.number] - 1

    def _judge_rest(self) -> None:
        """Sectors that do not count: free, being erased, or passed over since they failed."""
        voids = sum(len(sector.voids) for sector in self._order)
        if voids:
            text = f"{counted(voids, 'void part')}: each start of the box leaves one"
            self._contents.notes.append(Finding("void", text))
        counting = {sector.number for sector in self._order}
        for sector in self._sectors:
            if sector.blank or sector.number in counting | self._noted:
                continue
            if sector.header:
                Reading(sector, sector.header.first, 0, self._longest)
                if not sector.stored:
                    continue
                first, last = sector.stored[0].sequence, sector.stored[-1].sequence
                numbers = f"records {first} to {last}"
                if last >= self._contents.first_due:
                    text = f"the sector at {sector.position:#x} holds {numbers} again"
                    self._find("repeated", text, sector)
                    continue
                text = f"still holds {numbers} of an earlier lap; they do not count"
            else:
                text = "is neither erased nor in use: the power was cut while it was made ready"
            self._note("unused", f"sector {sector.number} at {sector.position:#x} {text}", sector)

    def _find_newest(self) -> None:
        head = self._order[-1]
        if not head.stored:
            return
        newest = head.stored[-1]
        offset = newest.position - head.position
        if head.end == offset + len(newest.data):
            self._contents.newest = newest

    def _find(self, code: str, text: str, sector: Sector) -> None:
        self._contents.findings.append(Finding(code, text, position=sector.position))

    def _note(self, code: str, text: str, sector: Sector) -> None:
        self._contents.notes.append(Finding(code, text, position=sector.position))


def _header(sector: Sector) -> Header:
    assert sector.header is not None
    return sector.header
