"""Mounting a ring: where it ends, and what the last power cut may have left weak."""

from micropython import const

from .reader import Reader
from .record import LENGTH_MAX, LENGTH_MIN, PAYLOAD_AT, STATE, WATERMARK, Chain, number, unpack
from .sectors import HEADER_SIZE, RECORDS_AT

_EIO = const(5)
_RECORDS_MAX = const(160)  # in a sector
_BACKS_MAX = const(24)


class Recovery(Reader):
    """A ring that can be mounted and read; `longest`: bytes of the longest record it is given."""

    def __init__(self, device, name: bytes, key: bytes, overwrite: bool, longest: int):
        assert LENGTH_MIN + 4 <= longest <= LENGTH_MAX
        self.chain = Chain(key)
        self.longest = longest
        self.overwrite = overwrite
        self._genesis = self.chain.tag(name)
        self._backs: dict = {}
        Reader.__init__(self, device, name)
        self._header_view = memoryview(self._header)[:HEADER_SIZE]

    def _forget(self) -> None:
        Reader._forget(self)
        self.acknowledged = 0
        self.last_boot = 0
        self.last_uptime_ms = 0
        self.last_utc_s = 0
        self.last_quality = 0
        self.state_sequence = 0  # of the latest snapshot in the head, 0 if it has none
        self._offset = self.size  # where the next record goes
        self._bookmark = 0  # the byte to be written before it, 0: none
        self._ahead = -1  # the sector that is ready, -1: none
        self._candidate = 0  # the sector to erase next
        self._recorded = 0  # the watermark as flash has it
        self._watermark_sequence = 0

    def mount(self) -> None:
        """Finds the end of the ring. Whatever lies in the flash, this succeeds.

        StoreError if the device fails.
        """
        self._forget()
        self.chain.previous[:] = self._genesis
        try:
            self.load()
            if self.head < 0:
                return
            self._load_head()
            while self._orphan == self.next_sequence:
                self._orphan = 0
                self.head = (self.head + 1) % self.count
                self.lap += 0 if self.head else 1
                self.first[self.head] = self.next_sequence
                self._load_head()
            self._find_ahead()
        except OSError as error:
            raise self.failure("read", max(self.head, 0), error) from None
        self.find_oldest()
        if not self.overwrite:
            self.acknowledged = max(self.acknowledged, self.oldest_sequence - 1)
        self._recorded = self.acknowledged

    def _load_head(self) -> None:
        newest = self._read_head(self.size)
        if newest < 0:
            # By chance or by hand a record that the chain refuses: it goes, if those before it
            # are better. If they are not, the ring was written under another key and stays.
            suspect = self._newest_offset
            self.damage(self.head, suspect)
            newest = self._read_head(suspect or self.size)
            if newest < 0:
                newest = abs(self._read_head(self.size))
        try:
            if self._newest_offset:
                self._program(self.head, self.chain.whole(newest), self._newest_offset)
            elif self.read_header(self.head):
                self._program(self.head, self._header_view, 0)
        except OSError:
            self.damage(self.head, self._newest_offset)
        # Nothing is written where an interrupted program may have been, visible or not.
        self._bookmark = self._tail + self.longest
        self._offset = self._bookmark + 1

    def _find_ahead(self) -> None:
        """Trusts a sector marked as erased, unless its header may have been interrupted."""
        sector = (self.head + 1) % self.count
        self._candidate = sector
        if self.size - self._tail >= self.longest and self.prepared(sector, self.lap_of(sector)):
            self._ahead = sector

    def _read_head(self, limit: int) -> int:
        """Reads the head up to `limit`. Returns the length of the newest record, which then lies
        in the chain; negative if the chain refuses it."""
        chain = self.chain
        head = self.head
        if self.read_header(head):
            chain.previous[:] = self._header[16:24]
            self.acknowledged = max(self.acknowledged, number(self._header, 12, 4))
        self.state_sequence = 0
        length = self._walk(head, limit, True)
        scan = self.scan
        scan.find(head, self._newest_offset + length if length else RECORDS_AT, 1, 0)
        self._tail = scan.written
        if length:
            self.next_sequence = number(chain.record, 2, 4) + 1
            good = not self._chained or chain.follows(length)
            chain.advance(length)
        else:
            self.next_sequence = self.first[head]
            previous = bytes(chain.previous)
            length, good = self._read_before(head)
            chain.previous[:] = previous
            self._newest_offset = 0
        if length:
            _, _, self.last_quality, self.last_boot, self.last_uptime_ms, self.last_utc_s, _ = (
                unpack(chain.record)
            )
        return length if good else -length

    def _read_before(self, head: int) -> tuple:
        sector = self.before(head)
        if sector < 0:
            return 0, True
        known = self.read_header(sector)
        self.chain.previous[:] = self._header[16:24]
        length = self._walk(sector, self.size, known)
        return length, not length or not self._chained or self.chain.follows(length)

    def _walk(self, sector: int, limit: int, chained: bool) -> int:
        """Puts the newest record of the sector into the chain, the mac before it into `previous`.

        Returns its length, 0 if there is none. chained: `previous` belongs to the first record.
        """
        chain = self.chain
        scan = self.scan
        first = self.first[sector]
        last = first - 1
        high = first + _RECORDS_MAX if sector == self.head else self.last_in(sector)
        offset = RECORDS_AT
        length = 0
        while scan.find(sector, offset, max(last, first), high) and scan.offset < limit:
            if scan.dirty or scan.sequence > last + 1:
                self.damage(sector, offset)
            if scan.sequence == last:
                self.damage(sector, self._newest_offset)  # written again further on
                if self.state_sequence == last:
                    self.state_sequence = 0
            else:
                if length:
                    chain.advance(length)
                    chained = True
                if scan.sequence > last + 1:
                    chained = False
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

    def _program(self, sector: int, view, offset: int) -> None:
        """Programs and reads back. OSError if the device fails, or holds something else."""
        back = self._backs.get(len(view))
        if back is None:
            back = self.scan.window[: len(view)]
            if len(self._backs) < _BACKS_MAX:
                self._backs[len(view)] = back
        self.scan.forget()
        self.device.writeblocks(sector, view, offset)
        self.device.readblocks(sector, back, offset)
        if back != view:
            raise OSError(_EIO)
