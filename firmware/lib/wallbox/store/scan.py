"""Finds the records in a sector, whatever else may lie there."""

from binascii import crc32

from micropython import const

from .record import LENGTH_MAX, LENGTH_MIN, length_at, number, put

MARK_SIZE = const(8)
RECORDS_MAX = const(160)  # in a sector

_MARK = const(0x5700)  # its first byte is no record's length
_WINDOW = const(512)
_RUN = const(32)
_ERASED = const(0xFF)


def pack_mark(buf, void_from: int) -> None:
    """Makes the mark that declares void what lies between `void_from` and the mark."""
    put(buf, 0, 2, _MARK)
    put(buf, 2, 2, void_from)
    put(buf, 4, 4, crc32(buf[:4]))


class Scan:
    """A window over one sector of the device, moved along as the search goes on.

    `survey` first: it finds what the marks of the sector declare void. After `find`: `offset`,
    `length` and `sequence` of the record, whose bytes are `window[at : at + length]`; `dirty` if
    something unreadable was passed that is not void.
    """

    def __init__(self, device, sector_size: int):
        self._device = device
        self._size = sector_size
        self._buf = bytearray(_WINDOW)
        self._blank = b"\xff" * _RUN
        self.window = memoryview(self._buf)
        self._sector = -1
        self._base = 0
        self._end = 0
        self._surveyed = -1
        self._surveying = False
        self.voids: list = []  # (begin, end) in ascending order, each with the mark that ends it
        self.at = 0
        self.offset = 0
        self.length = 0
        self.sequence = 0
        self.dirty = False

    def forget(self) -> None:
        """The window's bytes are no longer those of the device."""
        self._sector = -1

    def forget_survey(self) -> None:
        """The marks of the sector have changed."""
        self._surveyed = -1
        self.voids.clear()

    def survey(self, sector: int, begin: int, first: int) -> None:
        """Finds the void parts of a sector whose records begin at `begin`, with number `first`."""
        if sector == self._surveyed:
            return
        self.voids.clear()
        self._surveyed = sector
        self._surveying = True
        while self.find(sector, begin, first, first + RECORDS_MAX, self._size):
            begin = self.offset + self.length
        self._surveying = False

    def set_survey(self, sector: int, voids) -> None:
        """What an earlier survey found; a second one might differ."""
        self._surveyed = sector
        self.voids[:] = voids

    def void_begin(self, offset: int) -> int:
        """Where the void part begins that follows `offset`, or the end of the sector."""
        for begin, end in self.voids:
            if end > offset:
                return begin
        return self._size

    def find(self, sector: int, offset: int, low: int, high: int, end: int) -> bool:
        """The first record that begins in offset..end and whose sequence lies in low..high."""
        if sector != self._sector or not self._base <= offset < self._end:
            self._load(sector, offset)
        self.dirty = False
        window = self.window
        size = self._size
        void = 0
        while offset < end:
            if not self._surveying:
                while void < len(self.voids) and self.voids[void][0] <= offset:
                    offset = max(offset, self.voids[void][1])
                    void += 1
                if offset >= end:
                    break
            if offset >= self._end:
                self._load(sector, offset)
            at = offset - self._base
            length = window[at]
            if length == _ERASED:
                offset += _RUN if window[at : at + _RUN] == self._blank else 1
                continue
            reach = offset + (length if length > MARK_SIZE else MARK_SIZE)
            if reach <= size:
                if reach > self._end:
                    self._load(sector, offset)
                    continue  # read again, the length may be another one
                if LENGTH_MIN <= length <= LENGTH_MAX:
                    # number(window, at + 2, 4), of which a mount needs hundreds
                    sequence = (
                        window[at + 2]
                        | window[at + 3] << 8
                        | window[at + 4] << 16
                        | window[at + 5] << 24
                    )
                    if low <= sequence <= high and length_at(window, at, at + length):
                        self.at = at
                        self.offset = offset
                        self.length = length
                        self.sequence = sequence
                        return True
                elif self._surveying and self._is_mark(at, offset):
                    self._add_void(number(window, at + 2, 2), offset + MARK_SIZE)
                    offset += MARK_SIZE
                    continue
            if length:
                self.dirty = True
            offset += 1
        return False

    def _add_void(self, begin: int, end: int) -> None:
        """What lies in it is void, earlier marks too."""
        while self.voids and self.voids[-1][1] > begin:
            self.voids.pop()
        self.voids.append((begin, end))

    def _is_mark(self, at: int, offset: int) -> bool:
        window = self.window
        return (
            number(window, at, 2) == _MARK
            and number(window, at + 2, 2) < offset
            and number(window, at + 4, 4) == crc32(window[at : at + 4])
        )

    def _load(self, sector: int, offset: int) -> None:
        if sector != self._surveyed:
            self.voids.clear()
            self._surveyed = -1
        count = min(_WINDOW, self._size - offset)
        self._sector = -1
        self._device.readblocks(sector, self.window[:count], offset)
        self._sector = sector
        self._base = offset
        self._end = offset + count
