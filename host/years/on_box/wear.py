# The box's flash, ledger and trace, and what befalls it besides power cuts: wear and rot.

from binascii import crc32

from hw.sim.flash import SECTOR_SIZE as SECTOR
from hw.sim.flash import NorFlash
from hw.sim.flash_faults import FaultyFlash


class WornFlash(FaultyFlash):
    """The ledger lies in front, the trace behind it."""

    def __init__(self, ledger_size, trace_size, seed):
        FaultyFlash.__init__(self, ledger_size + trace_size, seed)
        self.ledger_size = ledger_size
        self.dead = False  # the ledger's sectors take nothing
        self._worn = {}

    def bad_sector(self, number, way):
        """From now on it fails in this way; three at the most, in either ring one of eight."""
        if len(self.bad_sectors) < 3 and not self.dead:
            self.fail(number % (self.size // SECTOR), way)

    def ledger_dies(self, way):
        """No sector of the ledger can be programmed (1) or erased (3) until it lives again."""
        self.dead = True
        self._worn = self.bad_sectors
        size = self.ledger_size
        self.bad_sectors = {sector: way for sector in range(size // SECTOR)}

    def ledger_lives(self):
        if self.dead:
            self.dead = False
            self.bad_sectors = self._worn

    def rot(self, place, bit, ledger, stand):
        """A bit flips in what the operator has, or in the trace; not where the ring writes.

        ledger: the mounted one, or None. stand: up to where the operator has it. How many flipped.
        """
        size = self.ledger_size
        if place & 1 or ledger is None:
            return self._flip(size + place % (self.size - size), bit)
        sector = place % (size // SECTOR)
        near = (ledger.head, ledger.before(ledger.head), (ledger.head + 1) % ledger.count)
        if sector in near or not ledger.first[sector]:
            return 0
        if ledger.last_in(sector) > min(stand, ledger.acknowledged):
            return 0
        return self._flip(sector * SECTOR + (place >> 8) % SECTOR, bit)

    def _flip(self, address, bit):
        byte = bytearray(1)
        NorFlash.read_into(self, address, byte)  # also without power
        byte[0] ^= 1 << bit
        self.load(address, byte)
        return 1

    def digest(self):
        """Of the whole flash, a sector at a time."""
        crc = 0
        sector = bytearray(SECTOR)
        for address in range(0, self.size, SECTOR):
            NorFlash.read_into(self, address, sector)
            crc = crc32(sector, crc)
        return crc
