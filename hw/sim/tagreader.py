"""An MFRC522 tag reader on the box's SPI bus: its pins, its bus, its faults.

What the chip does is in tagchip.py, what a tag does in tagcards.py. Faults: `unplug`, `hang`,
`spoil`. One source for MicroPython and CPython; a poll of an empty field allocates nothing.
"""

import time

from hw.sim.tagchip import NEVER, TagChip

SPI_MHZ = 10


class TagReader(TagChip):
    """`transfer` is one SPI transfer, `select` and `reset_line` are the chip's pins."""

    def __init__(self, clock_us=None) -> None:  # type: ignore[no-untyped-def]
        TagChip.__init__(self, clock_us or (lambda: time.monotonic_ns() // 1000))
        self.accesses = 0  # registers read or written
        self.transactions = 0
        self.spi_bytes = 0
        self._address = -1
        self._reading = False
        self._silent = NEVER  # the level of an SPI line without a chip
        self._in_reset = False

    # the world's side

    def put(self, card) -> None:  # type: ignore[no-untyped-def]
        """One more tag in front of the antenna."""
        self.cards.append(card)
        card.power(self.field)

    def clear(self) -> None:
        """No tag any more."""
        for card in self.cards:
            card.power(False)
        self.cards.clear()

    def unplug(self, level: int = 1) -> None:
        """Nobody drives the SPI line, which stays at `level`."""
        self.reset()
        self._silent = 0xFF if level else 0x00

    def plug(self) -> None:
        """The chip is there again, as after a power-up."""
        self._silent = NEVER
        self.hung = False
        self.reset()

    def hang(self) -> None:
        """The chip's logic stands still until a reset: registers answer, nothing happens."""
        self.hung = True

    def spoil(self, count: int, byte: int = 0, mask: int = 0x03) -> None:
        """Noise turns the bits of `mask` in one byte of the next `count` answers."""
        self.spoiled = (count, byte, mask)

    @property
    def spi_us(self) -> int:
        """What the SPI transfers took at 10 MHz, without the time between them."""
        return self.spi_bytes * 8 // SPI_MHZ

    # pins and bus

    def reset_line(self, level: int) -> None:
        self._in_reset = not level
        if not level:
            self.hung = False
            self.reset()

    def select(self, level: int) -> None:
        """A transaction begins (0) or ends (1)."""
        self._address = -1
        if not level:
            self.transactions += 1

    def transfer(self, data: bytes) -> bytes:
        """Bytes out and in at once, as the data sheet's section 8.1.2 has it."""
        answer = bytearray(len(data))
        self.exchange(data, answer)
        return bytes(answer)

    def exchange(self, out, into) -> None:  # type: ignore[no-untyped-def]
        """`transfer` into a buffer of the same length, or None."""
        self.spi_bytes += len(out)
        for index in range(len(out)):
            byte = out[index]
            value = 0
            if self._address < 0:
                self._reading = byte & 0x80 != 0
                self._address = byte >> 1 & 0x3F
            else:
                self.accesses += 1
                if self._reading:
                    value = self._seen(self._address)
                    self._address = byte >> 1 & 0x3F
                elif self._silent < 0 and not self._in_reset:
                    self.advance()
                    self.write(self._address, byte)
            if into is not None:
                into[index] = value

    def _seen(self, register: int) -> int:
        if self._silent >= 0:
            return self._silent
        if self._in_reset:
            return 0
        self.advance()
        return self.read(register)


class Bus:
    """The chip's SPI with the verbs of `machine.SPI`, for a driver on this side of the wire."""

    def __init__(self, reader: TagReader) -> None:
        self._reader = reader

    def write(self, buf) -> None:  # type: ignore[no-untyped-def]
        self._reader.exchange(buf, None)

    def write_readinto(self, out, into) -> None:  # type: ignore[no-untyped-def]
        assert len(out) == len(into)
        self._reader.exchange(out, into)
