"""Finds the records in a sector, whatever else may lie there."""

from micropython import const

from .record import LENGTH_MAX, LENGTH_MIN, length_at, number

_WINDOW = const(512)
_RUN = const(32)
_ERASED = const(0xFF)
_SKIPPED = const(0)  # closes a stretch that was left out on purpose


class Scan:
    """A window over one sector of the device, moved along as the search goes on.

    After `find`: `offset`, `length` and `sequence` of the record, whose bytes are
    `window[at : at + length]`; `dirty` if what lies before it is neither erased nor a stretch
    left out on purpose; `written`: behind the last byte seen that is not erased.
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
        self.at = 0
        self.offset = 0
        self.length = 0
        self.sequence = 0
        self.written = 0
        self.dirty = False

    def forget(self) -> None:
        """The window's bytes are no longer those of the device."""
        self._sector = -1

    def find(self, sector: int, offset: int, low: int, high: int) -> bool:
        """The first record at or behind `offset` whose sequence lies in low..high."""
        if sector != self._sector or not self._base <= offset < self._end:
            self._load(sector, offset)
        self.written = offset
        marks = 0
        window = self.window
        size = self._size
        while offset < size:
            if offset >= self._end:
                self._load(sector, offset)
            at = offset - self._base
            length = window[at]
            if length == _ERASED:
                if window[at : at + _RUN] == self._blank:
                    offset += _RUN
                else:
                    offset += 1
                continue
            if LENGTH_MIN <= length <= LENGTH_MAX and offset + length <= size:
                if offset + length > self._end:
                    self._load(sector, offset)
                    at = 0
                sequence = number(window, at + 2, 4)
                if low <= sequence <= high and length_at(window, at, at + length):
                    self.at = at
                    self.offset = offset
                    self.length = length
                    self.sequence = sequence
                    self.dirty = marks > 0
                    return True
            # 0 just before a record, or before nothing, is a mark; all else is damage
            marks += 1 if length != _SKIPPED else 0
            offset += 1
            self.written = offset
        self.dirty = marks > 0
        return False

    def _load(self, sector: int, offset: int) -> None:
        count = min(_WINDOW, self._size - offset)
        self._sector = -1
        self._device.readblocks(sector, self.window[:count], offset)
        self._sector = sector
        self._base = offset
        self._end = offset + count
