"""NOR flash that fails: power cuts inside a program or an erase, weak bits, bad sectors.

Deterministic: the same seed and the same calls give the same faults, on CPython and MicroPython.
"""

from hw.sim.flash import FLASH_SIZE, SECTOR_SIZE, NorFlash

# What a bad sector does.
PROGRAM_FAILS = 1  # half of it is done, then an error
PROGRAM_IGNORED = 2  # nothing is done, no error
ERASE_FAILS = 3
ERASE_IGNORED = 4

# What a power cut leaves of a program; ANY draws one of the others.
ANY = -1
NOTHING = 0
PREFIX = 1  # some bytes, and a part of the next one
SCATTERED = 2  # each bit by chance
WEAK = 3  # nothing to be seen for certain: some bits read differently each time
ASLEEP = 4  # nothing to be seen at all, until some later day the bits turn weak
NEARLY = 5  # all but a few bits, which are weak: it may look whole or not, each time
WHOLE = 6  # all of it, and the caller never learns
_TEARS = 7

_EIO = 5
_BITS = (1, 2, 4, 8, 16, 32, 64, 128)


class PowerCut(BaseException):
    """The power went off inside an operation; nothing works until `power_on`."""


class FaultyFlash(NorFlash):
    """A flash whose faults are ordered by `cut_in` and `bad_sectors`.

    A weak bit was interrupted on its way from 1 to 0, or back: each read draws its value, until it
    is programmed to 0 or its sector is erased. Bits that are asleep read 1 until they turn weak,
    at some later `power_on`.
    """

    def __init__(
        self, size: int = FLASH_SIZE, seed: int = 1, sector_size: int = SECTOR_SIZE
    ) -> None:
        NorFlash.__init__(self, None, size, sector_size)
        self.bad_sectors: dict = {}  # sector number: what it does
        self.cuts = 0
        self._random = (seed * 2654435761 + 1) & 0xFFFFFFFF or 1
        self._weak: dict = {}  # sector number: {address: bits}
        self._asleep: dict = {}
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

    def power_on(self) -> None:
        """The power is back; no cut is ordered. Bits that are asleep may awake."""
        self._off = False
        self._cut_at = 0
        if self._asleep and not self.random(4):
            for bits in self._asleep.values():
                for at in bits:
                    self._put(self._weak, at, self._get(self._weak, at) | bits[at])
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

    def read_into(self, address: int, buf: bytearray | memoryview) -> None:
        """As NorFlash; weak bits are drawn anew."""
        self._powered()
        NorFlash.read_into(self, address, buf)
        if self._weak:
            end = address + len(buf)
            draw = self.random(1 << 28)
            for sector in range(address // self.sector_size, (end - 1) // self.sector_size + 1):
                weak = self._weak.get(sector)
                if weak:
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

    def _program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        if self._is_cut():
            self._tear_program(address, buf)
            raise PowerCut(f"programming {len(buf)} bytes at {address:#x}")
        bad = self.bad_sectors.get(address // self.sector_size)
        if bad == PROGRAM_IGNORED:
            return
        if bad == PROGRAM_FAILS:
            NorFlash._program(self, address, buf[: len(buf) // 2])
            raise OSError(_EIO, f"flash: program at {address:#x} failed")
        NorFlash._program(self, address, buf)
        self._make_firm(address, buf)

    def _erase(self, address: int) -> None:
        if self._is_cut():
            self._tear_erase(address)
            raise PowerCut(f"erasing at {address:#x}")
        bad = self.bad_sectors.get(address // self.sector_size)
        if bad == ERASE_IGNORED:
            return
        if bad == ERASE_FAILS:
            self._tear_erase(address)
            raise OSError(_EIO, f"flash: erase at {address:#x} failed")
        NorFlash._erase(self, address)
        self._weak.pop(address // self.sector_size, None)
        self._asleep.pop(address // self.sector_size, None)

    def _make_firm(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        end = address + len(buf)
        for weak in (self._weak, self._asleep):
            for sector in range(address // self.sector_size, (end - 1) // self.sector_size + 1):
                bits = weak.get(sector)
                if bits:
                    for at in list(bits):
                        if address <= at < end:
                            self._put(weak, at, bits[at] & buf[at - address])

    def _tear_program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        old = bytearray(len(buf))
        NorFlash.read_into(self, address, old)
        tear = self._tear if self._tear != ANY else self.random(_TEARS)
        done = self._tear_at if self._tear_at >= 0 else self.random(len(buf) + 1)
        share = 252 if tear == NEARLY else self.random(256)
        weak = tear in (WEAK, ASLEEP, NEARLY) or self.random(2)
        torn = bytearray(old)
        for index in range(len(buf)):
            due = old[index] & ~buf[index] & 0xFF  # bits on their way from 1 to 0
            if tear == WHOLE or (tear == PREFIX and index < done):
                cleared = due
            elif tear in (SCATTERED, NEARLY) or (tear == PREFIX and index == done):
                cleared = due & self._bits(share)
            else:
                cleared = 0
            torn[index] = old[index] & ~cleared & 0xFF
            wavering = due & ~cleared
            if tear in (NOTHING, WHOLE) or not weak or (tear == PREFIX and index > done):
                wavering = 0
            elif wavering and tear != NEARLY:
                wavering &= self.random(256) & (0xFF if tear == SCATTERED else self._bits(share))
            bits = self._asleep if tear == ASLEEP else self._weak
            known = self._get(bits, address + index)
            if known or wavering:
                self._put(bits, address + index, known & torn[index] | wavering)
        NorFlash._program(self, address, torn)

    def _tear_erase(self, address: int) -> None:
        contents = bytearray(self.sector_size)
        NorFlash.read_into(self, address, contents)
        done = self._tear_at if self._tear_at >= 0 else self.random(self.sector_size + 1)
        scattered = self.random(2)
        share = self.random(256)
        for index in range(self.sector_size):
            if scattered or index == done:
                rising = ~contents[index] & self._bits(share) & 0xFF
            else:
                rising = ~contents[index] & 0xFF if index < done else 0
            if rising:
                contents[index] |= rising
                if scattered and index % 8 == 0:
                    known = self._get(self._weak, address + index)
                    self._put(self._weak, address + index, known | rising & self.random(256))
        self._file.seek(address)
        self._file.write(contents)

    def _bits(self, share: int) -> int:
        """Eight bits, each set with a chance of share / 256: eight draws of `random(256)`."""
        value = self._random
        bits = 0
        for bit in _BITS:
            value ^= value << 13 & 0xFFFFFFFF
            value ^= value >> 17
            value ^= value << 5 & 0xFFFFFFFF
            if (value >> 3) & 0xFF < share:
                bits |= bit
        self._random = value
        return bits

    def _get(self, weak: dict, address: int) -> int:
        bits = weak.get(address // self.sector_size)
        return bits.get(address, 0) if bits else 0

    def _put(self, weak: dict, address: int, bits: int) -> None:
        sector = address // self.sector_size
        found = weak.get(sector)
        if bits:
            if found is None:
                found = weak[sector] = {}
            found[address] = bits
        elif found and address in found:
            del found[address]
            if not found:
                del weak[sector]
