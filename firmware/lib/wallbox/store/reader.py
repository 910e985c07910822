"""Reading a ring by sequence number."""

from micropython import const

from .record import LENGTH_MAX, length_at, number, unpack
from .sectors import RECORDS_AT, Sectors

_READS = const(4)  # a bit may read differently twice


class Reader(Sectors):
    """Sectors with a cursor, which makes reading in order cheap."""

    def _forget(self) -> None:
        Sectors._forget(self)
        # records from this number on lie at or behind the cursor; 0: unknown
        self._cursor_sequence = 0
        self._cursor_sector = 0
        self._cursor_offset = 0
        self._newest_offset = 0  # of the newest record, in the head

    def read_into(self, sequence: int, buf) -> tuple:
        """Fills buf with whole records from `sequence` on, without a hole between them.

        Returns (bytes, first sequence, last sequence), (0, 0, 0) if there is nothing. The first
        is higher than asked for if what was asked for is freed or damaged. buf: >= 254 bytes.
        """
        assert len(buf) >= LENGTH_MAX
        if sequence < self.oldest_sequence:
            sequence = self.oldest_sequence
        view = memoryview(buf)
        while self._seek(sequence):
            for _ in range(_READS):
                found = self._take(view)
                if found[0]:
                    return found
            self.damage(self._cursor_sector, self._cursor_offset)
            sequence = self._cursor_sequence + 1
        return (0, 0, 0)

    def records(self, sequence: int = 1):
        """Yields (sequence, kind, quality, boot, uptime_ms, utc_s, payload) from `sequence` on."""
        buf = bytearray(2 * LENGTH_MAX)
        while True:
            end, _, last = self.read_into(sequence, buf)
            if not end:
                return
            offset = 0
            while offset < end:
                yield unpack(buf, offset)
                offset += buf[offset]
            sequence = last + 1

    def _seek(self, sequence: int) -> bool:
        """Moves the cursor to the record, or the next one that is readable; False if none is."""
        if sequence >= self.next_sequence or self.head < 0:
            return False
        sector = self.holding(sequence)
        while sector >= 0:
            if self._seek_in(sector, sequence):
                return True
            sector = self.behind(sector)
        return False

    def _seek_in(self, sector: int, sequence: int) -> bool:
        scan = self.scan
        last = self.last_in(sector)
        offset = RECORDS_AT
        low = expected = self.first[sector]
        scan.survey(sector, offset, low)
        if sector == self._cursor_sector and low <= self._cursor_sequence <= sequence:
            offset = self._cursor_offset
            low = expected = self._cursor_sequence
        while True:
            for _ in range(_READS):
                found = scan.find(sector, offset, low, last, self.size)
                missing = scan.sequence > expected if found else expected <= last
                if not missing:
                    break
                scan.forget()
            if scan.dirty or missing:
                self.damage(sector, offset)
            if not found:
                return False
            low = expected = scan.sequence + 1
            offset = scan.offset + scan.length
            if scan.sequence >= sequence:
                self._cursor_sector = sector
                self._cursor_offset = scan.offset
                self._cursor_sequence = scan.sequence
                return True

    def _take(self, view) -> tuple:
        """Reads at the cursor and moves it behind what was read."""
        sector = self._cursor_sector
        offset = self._cursor_offset
        first = self._cursor_sequence
        last = self.last_in(sector)
        count = min(len(view), self.scan.void_begin(offset) - offset)
        self.device.readblocks(sector, view[:count], offset)
        end = 0
        sequence = first
        while sequence <= last:
            length = length_at(view, end, count)
            if not length or number(view, end + 2, 4) != sequence:
                break
            end += length
            sequence += 1
        if not end:
            return (0, 0, 0)
        self._cursor_sequence = sequence  # what is written next lies behind it, if in this sector
        self._cursor_offset = offset + end
        return (end, first, sequence - 1)
