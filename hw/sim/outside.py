"""What the chip's pins and flash look like from outside."""

from __future__ import annotations

from dataclasses import dataclass, field

from hw.sim.flash import ERASE_US, PROGRAM_UNIT, PROGRAM_US, SECTOR_SIZE


@dataclass
class Output:
    """What one pin drives: a level, or a PWM signal when `frequency_hz` is not 0."""

    mode: int = 0  # as `machine.Pin`: 0 not configured, 3 output, 7 open drain
    level: int = 0
    duty: int = 0  # of 65,536
    frequency_hz: int = 0


@dataclass
class FlashCounters:
    """What was written to the flash since the box was made, over all power cuts."""

    program_calls: int = 0
    bytes_programmed: int = 0
    erases: dict[int, int] = field(default_factory=dict)  # by sector number
    modelled_us: int = 0  # what programs and erases take on a real chip

    def count(self, erase: int, length: int, where: int) -> None:
        """One operation: the erase of sector `where`, or a program of `length` bytes."""
        if erase:
            self.erases[where] = self.erases.get(where, 0) + 1
            self.modelled_us += ERASE_US
        else:
            self.program_calls += 1
            self.bytes_programmed += length
            self.modelled_us += -(-length // PROGRAM_UNIT) * PROGRAM_US

    def erases_between(self, offset: int, size: int) -> int:
        """Erases of all sectors in a region given in bytes."""
        sectors = range(offset // SECTOR_SIZE, (offset + size) // SECTOR_SIZE)
        return sum(self.erases.get(sector, 0) for sector in sectors)
