"""NOR flash that fails: power cuts inside a program or an erase, weak bits, bad sectors.

Deterministic: the same seed and the same calls give the same faults, on CPython and MicroPython.
"""

from hashlib import sha256

from hw.sim.flash import FLASH_SIZE, SECTOR_SIZE, NorFlash

# What a bad sector does.
PROGRAM_FAILS = 1  # half of it is done, then an error
PROGRAM_IGNORED = 2  # nothing is done, no error
ERASE_FAILS = 3  # a part of it is done, then an error
ERASE_IGNORED = 4

# What a power cut leaves of a program or an erase; ANY draws one of the others.
ANY = -1
NOTHING = 0
PREFIX = 1  # some bytes, and a part of the next one
SCATTERED = 2  # each bit by chance
WEAK = 3  # nothing to be seen for certain: some bits read differently each time
ASLEEP = 4  # nothing of a program, all of an erase; on some later day bits turn weak
NEARLY = 5  # all but a few bits, which are weak: it may look whole or not, each time
WHOLE = 6  # all of it, and the caller never learns
TEARS = 7

_EIO = 5
_BITS = (1, 2, 4, 8, 16, 32, 64, 128)


class PowerCut(BaseException):
    """The power went off inside an operation; nothing works until `power_on`."""


class FaultyFlash(NorFlash):
    """A flash whose faults are ordered by `cut_in` and `fail`, or in `bad_sectors`.

    A weak bit was interrupted on its way from 1 to 0, or back: each read draws its value, until it
    is programmed to 0 or its sector is erased. Bits that are asleep read 1 until they turn weak,
    at some later `power_on`. `torn_programs` and `torn_erases` count the cuts by tear, `failures`
    what bad sectors did.
    """

    def __init__(
        self, size: int = FLASH_SIZE, seed: int = 1, sector_size: int = SECTOR_SIZE
    ) -> None:
        NorFlash.__init__(self, None, size, sector_size)
        self.bad_sectors: dict = {}  # sector number: what it does
        self.cuts = 0
        self.torn_programs = [0] * TEARS
        self.torn_erases = [0] * TEARS
        self.failures = [0] * (ERASE_IGNORED + 1)
        self._random = (seed * 2654435761 + 1) & 0xFFFFFFFF or 1
        self._weak: dict = {}  # sector number: {address: bits}
        self._asleep: dict = {}
        self._eighth = int.from_bytes(b"\xff\0\0\0\0\0\0\0" * (sector_size // 8), "little")
        self._cut_at = 0
        self._tear = ANY
        self._tear_at = -1
        self._off = False

    def cut_in(self, operations: int, tear: int = ANY, at: int = -1) -> None:
        """Cut the power inside the n-th program or erase from now; 0: not at all.

        `tear` and `at` (bytes done) say what is left of it; -1: by chance.
        """
        self._cut_at = self.operations + operations if operations else 0
        self._tear = tear
        self._tear_at = at

    def fail(self, sector: int, way: int) -> None:
        """From now on the sector fails; its weak bits stay 1. A way of 0: it works again."""
        self.bad_sectors[sector] = way
        self._weak.pop(sector, None)
        self._asleep.pop(sector, None)

    def power_on(self) -> None:
        """The power is back; no cut is ordered. Bits that are asleep may awake."""
        self._off = False
        self._cut_at = 0
        if self._asleep and not self.random(4):
            for bits in self._asleep.values():
                for at in bits:
                    self._set(self._weak, at, self._at(self._weak, at) | bits[at])
            self._asleep.clear()

    def is_weak(self) -> bool:
        """True if some bits may read differently each time, now or later."""
        return bool(self._weak or self._asleep)

    def random(self, limit: int) -> int:
        """A number from 0 to limit - 1 (xorshift32)."""
        value = self._random
        value ^= (value << 13) & 0xFFFFFFFF
        value ^= value >> 17
        value ^= (value << 5) & 0xFFFFFFFF
        self._random = value
        return (value >> 3) % limit

    def noise(self, length: int) -> bytes:
        """`length` random bytes."""
        blocks = []
        for _ in range(0, length, 32):
            blocks.append(sha256(self.random(1 << 29).to_bytes(4, "little")).digest())
        return b"".join(blocks)[:length]

    def read_into(self, address: int, buf: bytearray | memoryview) -> None:
        """As NorFlash; weak bits are drawn anew."""
        self._powered()
        NorFlash.read_into(self, address, buf)
        if self._weak:
            draw = self.random(1 << 28)
            end = address + len(buf)
            for weak in self._within(self._weak, address, end):
                for at in weak:  # the order must not matter
                    if address <= at < end:
                        drawn = ((draw ^ at * 40503) * 2654435761 & 0xFFFFFFFF) >> 20
                        buf[at - address] &= 0xFF ^ weak[at] & drawn

    def program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        """As NorFlash; PowerCut if one is due, OSError if the sector is bad."""
        self._powered()
        NorFlash.program(self, address, buf)

    def erase(self, address: int) -> None:
        """As NorFlash; PowerCut if one is due, OSError if the sector is bad."""
        self._powered()
        NorFlash.erase(self, address)

    def _powered(self) -> None:
        if self._off:
            raise PowerCut("the power is off")

    def _is_cut(self) -> bool:
        if self.operations != self._cut_at:
            return False
        self._off = True
        self.cuts += 1
        return True

    def _fails(self, address: int, way: int) -> bool:
        if self.bad_sectors.get(address // self.sector_size) != way:
            return False
        self.failures[way] += 1
        return True

    def _program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        cut = self._is_cut()
        ignored = self._fails(address, PROGRAM_IGNORED)
        if cut:
            tear = NOTHING if ignored else self._drawn_tear()
            self.torn_programs[tear] += 1
            self._tear_program(address, buf, tear)
            raise PowerCut(f"programming {len(buf)} bytes at {address:#x}")
        if ignored:
            return
        if self._fails(address, PROGRAM_FAILS):
            NorFlash._program(self, address, buf[: len(buf) // 2])
            raise OSError(_EIO, f"flash: program at {address:#x} failed")
        NorFlash._program(self, address, buf)
        if self._weak or self._asleep:
            self._make_firm(address, buf)

    def _erase(self, address: int) -> None:
        cut = self._is_cut()
        ignored = self._fails(address, ERASE_IGNORED)
        if cut:
            tear = NOTHING if ignored else self._drawn_tear()
            self.torn_erases[tear] += 1
            self._tear_erase(address, tear)
            raise PowerCut(f"erasing at {address:#x}")
        if ignored:
            return
        if self._fails(address, ERASE_FAILS):
            self._tear_erase(address, PREFIX if self.random(2) else SCATTERED)
            raise OSError(_EIO, f"flash: erase at {address:#x} failed")
        NorFlash._erase(self, address)
        self._weak.pop(address // self.sector_size, None)
        self._asleep.pop(address // self.sector_size, None)

    def _make_firm(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        end = address + len(buf)
        for bits in (self._weak, self._asleep):
            for found in self._within(bits, address, end):
                for at in list(found):
                    if address <= at < end:
                        self._set(bits, at, found[at] & buf[at - address])

    def _drawn_tear(self) -> int:
        return self._tear if self._tear != ANY else self.random(TEARS)

    def _tear_program(self, address: int, buf: bytes | bytearray | memoryview, tear: int) -> None:
        length = len(buf)
        old = self._firm(address, length)
        due = old & ~int.from_bytes(buf, "little")  # bits on their way from 1 to 0
        cleared, wavering = self._torn(due, length, tear)
        torn = old ^ cleared
        NorFlash._program(self, address, torn.to_bytes(length, "little"))
        for bits in (self._weak, self._asleep):
            for found in self._within(bits, address, address + length):
                for at in list(found):
                    if address <= at < address + length:
                        firm = torn >> 8 * (at - address) & 0xFF
                        self._set(bits, at, found[at] & firm)
        self._waver(address, wavering, length, tear)

    def _tear_erase(self, address: int, tear: int) -> None:
        length = self.sector_size
        old = self._firm(address, length)
        if tear in (SCATTERED, WEAK, NEARLY) and self.random(2):
            old &= self._bits(length, self.random(256))  # programmed to 0 before the erase
        due = (1 << 8 * length) - 1 ^ old  # bits on their way from 0 to 1
        risen, wavering = self._torn(due, length, tear)
        if tear in (ASLEEP, NEARLY):
            risen = due
            wavering &= self._bits(length, 1 << self.random(4))
        else:
            wavering &= self._eighth
            risen |= wavering
        self._file.seek(address)
        self._file.write((old | risen).to_bytes(length, "little"))
        self._waver(address, wavering, length, tear)

    def _torn(self, due: int, length: int, tear: int) -> tuple:
        """(bits that arrive, bits that waver) of those that are due, in `length` bytes."""
        if tear == NOTHING:
            return 0, 0
        if tear == WHOLE:
            return due, 0
        share = 252 if tear == NEARLY else self.random(256)
        if tear == PREFIX:
            done = self._tear_at if self._tear_at >= 0 else self.random(length + 1)
            arrived = due & ((1 << 8 * done) - 1 | self._bits(1, share) << 8 * done)
            reach = (1 << 8 * done + 8) - 1
            return arrived, due & ~arrived & reach & self._sometimes(length, share)
        if tear == SCATTERED:
            arrived = due & self._bits(length, share)
            return arrived, due & ~arrived & self._sometimes(length, 128)
        if tear == NEARLY:
            arrived = due & self._bits(length, share)
            return arrived, due & ~arrived
        return 0, due & self._bits(length, share) & self._bits(length, 128)

    def _sometimes(self, length: int, share: int) -> int:
        return self._bits(length, share) if self.random(2) else 0

    def _waver(self, address: int, wavering: int, length: int, tear: int) -> None:
        """The bits are weak from now on, or asleep."""
        bits = self._asleep if tear == ASLEEP else self._weak
        if wavering:
            for index, byte in enumerate(wavering.to_bytes(length, "little")):
                if byte:
                    self._set(bits, address + index, self._at(bits, address + index) | byte)

    def _firm(self, address: int, length: int) -> int:
        """What lies there, weak bits as 1."""
        buf = bytearray(length)
        NorFlash.read_into(self, address, buf)
        return int.from_bytes(buf, "little")

    def _bits(self, length: int, share: int) -> int:
        """`length` random bytes, each bit of them set with a chance of share / 256."""
        bits = 0
        for bit in _BITS:  # each halves the chance so far, and adds a half where share has a 1
            if share & 2 * bit - 1:
                drawn = int.from_bytes(self.noise(length), "little")
                bits = bits | drawn if share & bit else bits & drawn
        return bits

    def _within(self, bits: dict, address: int, end: int) -> list:
        """The dictionaries of all sectors that the range touches."""
        sector = address // self.sector_size
        found = []
        while bits and sector * self.sector_size < end:
            if sector in bits:
                found.append(bits[sector])
            sector += 1
        return found

    def _at(self, bits: dict, address: int) -> int:
        return bits.get(address // self.sector_size, {}).get(address, 0)

    def _set(self, bits: dict, address: int, value: int) -> None:
        sector = address // self.sector_size
        if value:
            if sector not in bits:
                bits[sector] = {}
            bits[sector][address] = value
        elif self._at(bits, address):
            del bits[sector][address]
            if not bits[sector]:
                del bits[sector]
