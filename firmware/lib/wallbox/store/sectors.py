"""The sectors of a ring: their headers, their order, and what was found damaged."""

import struct
from array import array
from binascii import crc32

from micropython import const

from . import StoreError
from .record import number
from .scan import RECORDS_MAX, Scan

MAGIC = b"WBR1"
HEADER_SIZE = const(28)
RECORDS_AT = const(32)
READY_SIZE = const(8)  # magic and lap, written once the erase is complete
SECTORS_MIN = const(4)
DAMAGE_MAX = const(16)

_SEARCHED = const(4)  # sectors with an unreadable header that are searched through
_SEQUENCE_MAX = const(0xFFFFFFFE)
_BLOCK_COUNT = const(4)
_BLOCK_SIZE = const(5)


class Sectors:
    """Which sectors of the device hold which records.

    `first[sector]` is the sequence number of its first record, 0 if it holds none that count.
    `head` is the sector in use (-1: none), `lap` its lap. `damaged` counts what was found
    unreadable, `damaged_at` holds the positions (bytes) of the first of them.
    """

    def __init__(self, device, name: bytes):
        self.device = device
        self.name = name.decode()
        self.count = device.ioctl(_BLOCK_COUNT, 0)
        self.size = device.ioctl(_BLOCK_SIZE, 0)
        if self.count < SECTORS_MIN:
            raise StoreError(self.name + ": %d sectors, at least 4 are needed" % self.count)
        self.first = array("I", [0] * self.count)
        self.scan = Scan(device, self.size)
        self.damaged_at: list = []
        self._header = bytearray(RECORDS_AT)
        self._head_header = bytearray(RECORDS_AT)
        self._forget()

    def _forget(self) -> None:
        for sector in range(self.count):
            self.first[sector] = 0
        self.head = -1
        self.lap = 0
        self.next_sequence = 1
        self.oldest_sequence = 1
        self._mounted = False
        self.damaged = 0
        self.damaged_at.clear()
        self._strange = 0  # sectors with an unreadable header
        self._marked: list = []  # while it mounts: sectors with a mark and no header
        self._orphan = 0  # first sequence behind the head, in a sector whose header is unreadable
        self.scan.forget()

    def damage(self, sector: int, offset: int) -> None:
        """Counts a position, once; after mount only as long as there is room to remember it."""
        position = sector * self.size + offset
        if position in self.damaged_at:
            return
        if len(self.damaged_at) < DAMAGE_MAX:
            self.damaged_at.append(position)
        elif self._mounted:
            return
        self.damaged += 1

    def failure(self, verb: str, sector: int, error) -> StoreError:
        """The error to raise for a device that failed."""
        return StoreError(
            "%s: %s failed in sector %d (at 0x%x): %s: replace the flash"
            % (self.name, verb, sector, sector * self.size, error)
        )

    def before(self, sector: int) -> int:
        """The sector written before this one, -1 if there is none."""
        for _ in range(self.count - 1):
            sector = (sector or self.count) - 1
            if sector == self.head:
                return -1
            if self.first[sector]:
                return sector
        return -1

    def behind(self, sector: int) -> int:
        """The sector written after this one, -1 if there is none."""
        while sector != self.head:
            sector = (sector + 1) % self.count
            if self.first[sector]:
                return sector
        return -1

    def last_in(self, sector: int) -> int:
        """The sequence number of the last record in the sector."""
        sector = self.behind(sector)
        return (self.next_sequence if sector < 0 else self.first[sector]) - 1

    def holding(self, sequence: int) -> int:
        """The sector that holds the record, or the one in which the records above it begin."""
        sector = self.head
        while self.first[sector] > sequence:
            found = self.before(sector)
            if found < 0:
                break
            sector = found
        return sector

    def find_oldest(self) -> None:
        """Renews `oldest_sequence`."""
        sector = self.head
        for _ in range(self.count):
            sector = (sector + 1) % self.count
            if self.first[sector]:
                self.oldest_sequence = self.first[sector]
                return
        self.oldest_sequence = self.next_sequence

    def load(self) -> None:
        """Reads one header a sector and puts the sectors in order. OSError from the device."""
        laps = array("I", [0] * self.count)
        newest = 0
        for sector in range(self.count):
            lap = self._examine(sector)
            laps[sector] = lap
            if lap and lap >= newest:
                newest = lap
                self._head_header[:] = self._header  # the next read may differ
        self._order(laps)
        self._headed = newest > 0

    def read_header(self, sector: int) -> bool:
        """Reads the header; True if it is one."""
        header = self._header
        self.device.readblocks(sector, header, 0)
        return (
            header[:4] == MAGIC
            and number(header, 24, 4) == crc32(header[:24])
            and number(header, 4, 4) > 0
            and number(header, 8, 4) > 0
        )

    def farthest_begun(self, among) -> int:
        """Of these sectors the last that was erased to follow the head, -1: none.

        What was written behind its mark may be interrupted, and be read as a header later.
        """
        header = self._header
        found = -1
        farthest = 0
        for sector in among:
            step = (sector - self.head) % self.count
            if step > farthest:
                self.device.readblocks(sector, header, 0)
                if header[:4] == MAGIC and number(header, 4, 4) == self.lap_of(sector):
                    found = sector
                    farthest = step
        return found

    def untouched(self, sector: int) -> bool:
        """True if nothing was written behind the mark of a sector that was erased ahead."""
        self.device.readblocks(sector, self._header, 0)
        return self._header[READY_SIZE:] == b"\xff" * (RECORDS_AT - READY_SIZE)

    def lap_of(self, sector: int) -> int:
        """The lap in which the sector is written next."""
        return self.lap + (1 if sector <= self.head or self.head < 0 else 0)

    def pack_header(self, lap: int, acknowledged: int, previous) -> None:
        """Makes the header of a sector whose first record is the next one."""
        header = self._header
        header[:4] = MAGIC
        struct.pack_into("<III", header, 4, lap, self.next_sequence, acknowledged)
        header[16:24] = previous
        struct.pack_into("<I", header, 24, crc32(header[:24]))

    def _examine(self, sector: int) -> int:
        """Sets first[sector]; returns the lap, 0 if the header is not readable."""
        header = self._header
        if self.read_header(sector):
            self.first[sector] = number(header, 8, 4)
            return number(header, 4, 4)
        if header[:4] == MAGIC:
            self._marked.append(sector)
        blank = b"\xff" * RECORDS_AT
        if header == blank or (header[:4] == MAGIC and header[READY_SIZE:] == blank[READY_SIZE:]):
            return 0
        self.damage(sector, 0)
        # Each record stands for itself: one unreadable header must not cost the sector.
        self._strange += 1
        end = self.size if self._strange <= _SEARCHED else RECORDS_AT + 1
        if self.scan.find(sector, RECORDS_AT, 1, _SEQUENCE_MAX, end):
            self.first[sector] = self.scan.sequence
        return 0

    def _order(self, laps) -> None:
        """Finds the head and drops what does not belong to its lap or the one before."""
        first = self.first
        head = -1
        for sector in range(self.count):
            if laps[sector] and (head < 0 or laps[sector] >= laps[head]):
                head = sector
        if head < 0:
            head = self._order_by_sequence(laps)
            if head < 0:
                return
        self.head = head
        self.lap = laps[head]
        limit = first[head]
        sector = head
        for _ in range(self.count - 1):
            sector = (sector or self.count) - 1
            value = first[sector]
            if not value:
                continue
            if laps[sector]:
                good = laps[sector] == self._lap_before(sector) and value <= limit
            else:
                good = self._floor(sector, laps) < value < limit
            if good:
                limit = value
            else:
                first[sector] = 0
                if sector == (head + 1) % self.count and not laps[sector]:
                    self._orphan = value

    def _order_by_sequence(self, laps) -> int:
        """No header at all is readable: go by the first records."""
        head = -1
        for sector in range(self.count):
            if self.first[sector] and self._is_followed(sector):
                laps[sector] = 1
                if head < 0 or self.first[sector] > self.first[head]:
                    head = sector
        for sector in range(self.count):
            if head < 0:
                self.first[sector] = 0
            elif sector <= head:
                laps[sector] *= 2
        return head

    def _is_followed(self, sector: int) -> bool:
        """True if the sector's first record is no noise: a ring's very first, or one of several.

        An interrupted erase leaves any bits; one sector in 16 then holds a check that is right.
        """
        first = self.first[sector]
        scan = self.scan
        return first == 1 or (
            scan.find(sector, RECORDS_AT, first, first, self.size)
            and scan.find(
                sector, scan.offset + scan.length, first + 1, first + RECORDS_MAX, self.size
            )
        )

    def _lap_before(self, sector: int) -> int:
        return self.lap if sector < self.head else self.lap - 1

    def _floor(self, sector: int, laps) -> int:
        """The first sequence of the nearest readable sector before this one, 0 if none."""
        while sector != (self.head + 1) % self.count:
            sector = (sector or self.count) - 1
            if laps[sector] and laps[sector] == self._lap_before(sector):
                return self.first[sector]
        return 0
