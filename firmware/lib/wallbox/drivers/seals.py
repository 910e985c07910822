"""The seal loops of lid and terminal cover, by interrupt and by level, and their latches.

An opening counts once it has lasted for CONFIRMATIONS readings, 0.2 ms: a shorter spike opens
nothing. A closing counts after CLOSED_MS. The latches remember an opening without power.
"""

import time

from micropython import const

LOOPS = const(2)
CONFIRMATIONS = const(3)
CLOSED_MS = const(100)
_CONFIRM_US = const(100)  # between two readings
_PULSE_US = const(100)


class Seals:
    """loops, latches: input Pins, a pair each, bit 0 is the lid. reset: output Pin of the latches.

    A loop is closed at closed_level, a latch is set at 1. `news` tells that `open` has changed;
    who has passed it on clears it first.
    """

    def __init__(self, loops, latches, reset, closed_level: int):
        self._loops = loops
        self._latches = latches
        self._reset = reset
        self._closed_level = closed_level
        self._opened = None
        self._open = bytearray(LOOPS)  # a byte each: an interrupt may come between any two steps
        self._closed_since = [0] * LOOPS
        self.spikes = 0  # openings that were too short
        self.news = True
        self.latched = latches[0].value() | latches[1].value() << 1
        self._look()

    @property
    def open(self) -> int:
        """Bits of the loops that are open."""
        return self._open[0] | self._open[1] << 1

    def watch(self, opened) -> None:
        """From now on each opening calls opened(), also from an interrupt."""
        self._opened = opened
        for pin in self._loops:
            pin.irq(self._edge, pin.IRQ_FALLING if self._closed_level else pin.IRQ_RISING)

    def service(self, now: int) -> None:
        """Call every 20 ms: finds closings, and openings whose interrupt was lost."""
        level = self._level()
        if level & ~self.open:
            self._look()
        for loop in range(LOOPS):
            if level >> loop & 1 or not self._open[loop]:
                self._closed_since[loop] = now
            elif now - self._closed_since[loop] >= CLOSED_MS:
                self._open[loop] = 0
                self.news = True

    def reset(self) -> None:
        """The latches begin anew."""
        self.latched = 0
        self._reset.value(1)
        time.sleep_us(_PULSE_US)
        self._reset.value(0)

    def _edge(self, _pin) -> None:
        self._look()

    def _level(self) -> int:
        """Bits of the loops that are open at this instant."""
        loops = self._loops
        bits = 0 if loops[0].value() == self._closed_level else 1
        return bits if loops[1].value() == self._closed_level else bits | 2

    def _look(self) -> None:
        """Takes an opening for true that lasts."""
        opened = self._level() & ~self.open
        if not opened:
            return
        for _ in range(CONFIRMATIONS - 1):
            time.sleep_us(_CONFIRM_US)
            opened &= self._level()
        if not opened:
            self.spikes += 1
            return
        for loop in range(LOOPS):
            if opened >> loop & 1:
                self._open[loop] = 1
        self.news = True
        if self._opened:
            self._opened()
