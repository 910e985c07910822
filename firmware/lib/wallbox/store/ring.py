"""A ring of records in raw flash: appended in place, found again after a power cut at any instant.

device: block-device verbs of `esp32.Partition`. Why it is done this way: docs/DESIGN.md; the
bytes: docs/SPEC.md.
"""

from . import LedgerFull, StoreError
from .record import LENGTH_MAX, PAYLOAD_AT, STATE, WATERMARK, number, unpack
from .scan import MARK_SIZE, RECORDS_MAX, pack_mark
from .sectors import RECORDS_AT
from .writer import BLANK, Writer

__all__ = ("LedgerFull", "Ring", "StoreError")

_ZEROS = b"\0" * MARK_SIZE


class Ring(Writer):
    """`overwrite`: the oldest records make room; otherwise only acknowledged ones do.

    `longest`: the longest record (bytes) that this ring is ever given; never lower it for a
    ring that is in use. `state_source`: called when the ring enters a fresh sector, returns
    (kind, payload) of a snapshot to be written first, or None; it must not touch the buffer of
    the append under way.
    """

    def __init__(self, device, name: bytes, key: bytes, overwrite: bool, longest: int = LENGTH_MAX):
        Writer.__init__(self, device, name, key, overwrite, longest)
        self._mark = bytearray(MARK_SIZE)

    def mount(self) -> None:
        """Finds the end of the ring and settles, for good, what the last power cut left open.

        Whatever lies in the flash, this succeeds; StoreError if the device fails.
        """
        self._forget()
        self.settled = True
        self.chain.previous[:] = self._genesis
        try:
            self.load()
            if self.head < 0:
                self._mounted = True
                return
            self._load_head()
            # Higher, if the last records of the head are unreadable, too.
            while 0 <= self._orphan - self.next_sequence <= RECORDS_MAX:
                self._orphan = 0
                self.head = (self.head + 1) % self.count
                self.lap += 0 if self.head else 1
                self.first[self.head] = self.next_sequence
                self._headed = False
                self._load_head()
            self._find_ahead()
        except OSError as error:
            raise self.failure("read", max(self.head, 0), error) from None
        self.find_oldest()
        if not self.overwrite:
            self.acknowledged = max(self.acknowledged, self.oldest_sequence - 1)
        self._recorded = self.acknowledged
        self._settle()
        self._mounted = True

    def _find_ahead(self) -> None:
        """Goes on with the sector that was being made ready, even if it is not the very next.

        Those between failed. If one of them works again, it must wait for the next lap: the
        sector behind it may hold a header that was interrupted, and would then be the head.
        """
        self._half_entered = False  # a header was begun there, and may not show
        after = (self.head + 1) % self.count
        sector = self._searched_from = self.farthest_begun(self._marked)
        self._marked = []
        if sector >= 0:
            self._half_entered = sector != after or not self.untouched(sector)
            if not self._half_entered:
                self._ahead = sector
            while after != sector:
                self.first[after] = 0
                after = (after + 1) % self.count
        self._candidate = after

    def _settle(self) -> None:
        """Makes firm what is believed and void what is not, before anyone hears of it.

        An interrupted program may have left bits that read differently each time, or that turn
        weak later, up to `longest` bytes behind the last firm one. Nothing is written there.
        A ledger that is full to the brim has no room for that: what lies there is decided once
        the operator's acknowledgement has made room, and until then `settled` is False.
        """
        void_from = self._void_from
        mark = void_from + self.longest
        try:
            if self._newest_offset:
                length = self.chain.record[0]
                self._program(self.head, self.chain.whole(length), self._newest_offset)
            elif self._headed:
                self._program(self.head, self._head_view, 0)
            for begin, end in self.scan.voids[-1:]:
                self._write_mark(end - MARK_SIZE, begin)
            self.scan.forget_survey()
            fits = mark + MARK_SIZE <= self.size
            if fits and not self._half_entered and (self._newest_offset or self._blank(mark)):
                self._write_mark(mark, void_from)
                self._offset = mark + MARK_SIZE
                return
            # An earlier mount may have begun to void the newest record, and nothing follows
            # in this sector that would void its mark.
            mark = self._newest_offset + self.longest
            if self._newest_offset and mark + MARK_SIZE <= self.size:
                self._program(self.head, _ZEROS, mark)
        except OSError:
            self.damage(self.head, min(void_from, self.size - 1))
            self._doubt_newest()
        self._ahead = -1  # it may hold an interrupted header
        try:
            self._enter_any()
        except LedgerFull:
            self.settled = False

    def _blank(self, offset: int) -> bool:
        """Whether the rest of the head is. A header can outlive an erasure that was interrupted."""
        window = self.scan.window
        size = len(window)
        self.scan.forget()
        for at in range(offset - offset % size, self.size, size):
            self.device.readblocks(self.head, window, at)
            if window[max(offset - at, 0) :] != BLANK[max(offset - at, 0) :]:
                return False
        return True

    def _enter_any(self) -> None:
        """The sector that was begun first; if it has failed for good, another one."""
        try:
            self._enter()
        except LedgerFull:
            raise
        except StoreError:
            self.search_again()
            self._enter()

    def _doubt_newest(self) -> None:
        """The newest record cannot be made firm. If it is not there now, the one before is it."""
        if not self._newest_offset:
            return
        view = self.chain.whole(self.chain.record[0])
        back = self.scan.window[: len(view)]
        self.scan.forget()
        try:
            self.device.readblocks(self.head, back, self._newest_offset)
            if back != view:
                self._read_head(self._newest_offset)
        except OSError as error:
            raise self.failure("read", self.head, error) from None

    def _write_mark(self, offset: int, void_from: int) -> None:
        pack_mark(self._mark, void_from)
        self._program(self.head, self._mark, offset)

    def _load_head(self) -> None:
        scan = self.scan
        scan.forget_survey()
        scan.survey(self.head, RECORDS_AT, self.first[self.head])
        void_end = scan.voids[-1][1] if scan.voids else RECORDS_AT
        good = self._read_head(self.size)
        end = self._newest_offset + self.chain.record[0] if self._newest_offset else RECORDS_AT
        if not good and self._newest_offset:
            # Interrupted behind its check? Then the record before is better; if not, the ring was
            # written under another key, and stays.
            suspect = self._newest_offset
            self.damage(self.head, suspect)
            if self._read_head(suspect):
                end = suspect
            else:
                self._read_head(self.size)
        self._void_from = max(end, void_end)

    def _read_head(self, limit: int) -> bool:
        """Reads the head up to `limit`; its newest record then lies in the chain. False if the
        chain refuses it."""
        chain = self.chain
        head = self.head
        if self._headed:
            chain.previous[:] = self._head_header[16:24]
            self.acknowledged = max(self.acknowledged, number(self._head_header, 12, 4))
        self.state_sequence = 0
        length = self._walk(head, limit, True)
        if length:
            self.next_sequence = number(chain.record, 2, 4) + 1
            good = not self._chained or chain.follows(length)
            chain.advance(length)
        else:
            self.next_sequence = self.first[head]
            previous = bytes(chain.previous)
            length, good = self._read_before(head, limit < self.size)
            chain.previous[:] = previous
            self._newest_offset = 0
        if length:
            _, _, self.last_quality, self.last_boot, self.last_uptime_ms, self.last_utc_s, _ = (
                unpack(chain.record)
            )
        return good

    def _read_before(self, head: int, thorough: bool) -> tuple:
        """The newest record of the sector before, and whether the chain takes it, if asked for."""
        sector = self.before(head)
        if sector < 0:
            return 0, True
        known = self.read_header(sector)
        self.chain.previous[:] = self._header[16:24]
        voids = tuple(self.scan.voids)
        if thorough:
            self.scan.survey(sector, RECORDS_AT, self.first[sector])
        length = self._walk(sector, self.size, known)
        self.scan.set_survey(head, voids)
        good = not (thorough and length and self._chained) or self.chain.follows(length)
        return length, good

    def _walk(self, sector: int, limit: int, chained: bool) -> int:
        """Puts the newest record of the sector into the chain, the mac before it into `previous`.

        Returns its length, 0 if there is none. chained: `previous` belongs to the first record.
        """
        chain = self.chain
        scan = self.scan
        first = self.first[sector]
        last = first - 1
        high = first + RECORDS_MAX if sector == self.head else self.last_in(sector)
        offset = RECORDS_AT
        length = 0
        while scan.find(sector, offset, last + 1, high, limit):
            if length:
                chain.advance(length)
                chained = True
            if scan.dirty or scan.sequence > last + 1:
                self.damage(sector, offset)
                chained = chained and scan.sequence == last + 1
            last = scan.sequence
            length = scan.length
            chain.record[:length] = scan.window[scan.at : scan.at + length]
            self._newest_offset = scan.offset
            offset = scan.offset + length
            self._notice(sector, last)
        if scan.dirty:
            self.damage(sector, offset)
        self._chained = chained
        return length

    def _notice(self, sector: int, sequence: int) -> None:
        kind = self.chain.record[1] & 0x3F
        if kind == WATERMARK:
            acknowledged = number(self.chain.record, PAYLOAD_AT, 4)
            self.acknowledged = max(self.acknowledged, min(acknowledged, sequence - 1))
        elif kind == STATE and sector == self.head:
            self.state_sequence = sequence
