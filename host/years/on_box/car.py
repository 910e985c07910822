# The car at the cable, and the contactor between it and the grid: levels and times, integers.

from host.years.on_box.meter import VOLTAGE_MV, WH

A, B, C, E = 0, 1, 2, 4
CLOSE_MS, OPEN_MS, CAR_MS = 20, 15, 50


class Contactor:
    """The main contacts, which follow the coil; `welded` and `stuck` (open) are faults."""

    def __init__(self, site):
        self.site = site
        self.coil = 0
        self.closed = 0
        self.welded = self.stuck = False
        self.moves = 0

    def command(self, coil):
        self.coil = coil
        self.site.later(self.site.at + (CLOSE_MS if coil else OPEN_MS), self._move, None)

    def _move(self, _nothing):
        closed = self.coil
        if self.closed and self.welded:
            closed = 1
        elif not self.closed and self.stuck:
            closed = 0
        if closed != self.closed:
            self.site.count()
            self.closed = closed
            self.moves += 1
            self.site.contacts_moved()

    def repair(self):
        self.welded = self.stuck = False
        self._move(None)


class Car:
    """wanted: W x ms that it still takes, -1 = without end. waits: closes S2 only if offered
    current. shy: unplugged that many ms after the contacts close, -1 = not."""

    def __init__(self, site):
        self.site = site
        self.plugged = False
        self.number = 0  # counts plugs, so that what was meant for a car that left does nothing
        self.asks = False
        self.s2 = False
        self.broken_diode = False
        self.max_ma = 16_000
        self.phases = 3
        self.wanted = -1
        self.waits = True
        self.shy_ms = -1
        self.spells = 0

    def plug(self, max_ma, phases, wanted_wh, waits, shy_ms, broken_diode):
        self.number += 1
        self.plugged = True
        self.asks = True
        self.s2 = False
        self.max_ma, self.phases, self.waits = max_ma, phases, waits
        self.wanted = wanted_wh * WH if wanted_wh >= 0 else -1
        self.shy_ms = shy_ms
        self.broken_diode = broken_diode
        self.react()

    def unplug(self):
        self.number += 1
        self.plugged = self.asks = self.s2 = False

    def letter(self):
        if not self.plugged:
            return A
        if self.broken_diode and self.site.offer_ma():
            return E
        return C if self.s2 else B

    def react(self):
        self.site.later(self.site.at + CAR_MS, self._settle, self.number)

    def _settle(self, number):
        if number != self.number or not self.plugged:
            return
        s2 = self.asks and (self.site.offer_ma() > 0 or not self.waits)
        if s2 != self.s2:
            self.site.count()
            self.s2 = s2
        self.site.car_changed()

    def power_w(self, offer_ma, phase):
        """What it draws now from one phase, if the contacts are closed."""
        if not self.s2 or phase >= self.phases or not offer_ma:
            return 0
        return min(offer_ma, self.max_ma) * (VOLTAGE_MV // 1000) // 1000

    def took(self, energy):
        """W x ms; it stops asking when it has what it wants."""
        if self.wanted >= 0:
            self.wanted = max(0, self.wanted - energy)
            if not self.wanted and self.asks:
                self.asks = False
                self.react()
