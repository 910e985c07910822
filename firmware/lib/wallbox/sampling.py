"""Which readings of the meter the core sees: at a cadence, when asked, and when one is news.

What the core sees is written to the trace, so the cadence is also how well the
register before a power cut is known.
"""

from micropython import const

from . import forget
from .core import events
from .drivers import meter as driver

CHARGING_MS = const(10_000)  # never longer than that, if the meter answers
IDLE_MS = const(60_000)
_EARLY_MS = const(1500)  # a poll, which comes too late for a cadence by a hair, and its jitter
_CHANGE_MA = const(1000)
_SUSPECT_MS = const(10_000)  # between two events about values that were not believed


class Sampling:
    """Feeds the inbox from the meter's driver. charging() -> True while the contactor is closed."""

    def __init__(self, meter, inbox, charging):
        self.meter = meter
        self.readings = 0
        self._inbox = inbox
        self._charging = charging
        self._sent_at = -IDLE_MS
        self._sent_ma = 0
        self._wanted = True
        self._wanted_at = 0
        self._suspect_at = -_SUSPECT_MS
        self._told = 0  # the last trouble that was printed
        self._trouble = 0  # kind of an event for which the inbox had no room yet, 0 = none
        self._identified = False  # the same for the meter's identity

    def want(self, now: int) -> None:
        """A reading taken from now on goes to the core, and it is taken at once."""
        self._wanted = True
        self._wanted_at = now
        self.meter.want()

    def tell_again(self) -> None:
        """Identity and trouble that last, for a core that has forgotten them."""
        self._wanted = True
        self._identified = self.meter.identity.meter_id != 0
        if self.meter.blocked:
            self._trouble = events.METER_REFUSED
        elif self.meter.silent:
            self._trouble = events.METER_SILENT

    def service(self, now: int) -> None:
        """Lets the driver work; call when meter.due."""
        code = self.meter.service(now)
        if code == driver.READING:
            self.readings += 1
            self._told = 0
            self._trouble = 0
            self._reading(now)
        elif code == driver.IDENTITY:
            self._identified = True
        elif code == driver.SILENT:
            self._trouble = events.METER_SILENT
        elif code == driver.REFUSED:
            self._trouble = events.METER_REFUSED
        elif code == driver.SUSPECT and now - self._suspect_at >= _SUSPECT_MS:
            self._tell_suspect(now)
        if self._identified:
            self._identity()
        if self._trouble:
            self._tell_trouble()

    def _tell_suspect(self, now: int) -> None:
        """For the trace: a value was not believed. The driver reads it again."""
        event = self._inbox.claim(events.METER_SUSPECT)
        if event:
            self._suspect_at = now
            event[1] = self.meter.reason
            event[2] = min(max(self.meter.refused_wh, 0), (1 << 40) - 1)
            self._inbox.commit()

    def _tell_trouble(self) -> None:
        if self.meter.reason != self._told:
            self._told = self.meter.reason
            print(self.meter.explain())
            forget("wallbox.drivers", "meter_texts")
        event = self._inbox.claim(self._trouble)
        if event:
            event[1] = self.meter.reason
            self._inbox.commit()
            self._trouble = 0
        self._wanted = True  # the first reading after trouble is news

    def _reading(self, now: int) -> None:
        reading = self.meter.reading
        current_ma = reading.current_l1_ma + reading.current_l2_ma + reading.current_l3_ma
        change_ma = current_ma - self._sent_ma
        cadence_ms = CHARGING_MS if self._charging() else IDLE_MS
        if not (
            (self._wanted and reading.read_at_ms >= self._wanted_at)
            or now - self._sent_at >= cadence_ms - _EARLY_MS
            or change_ma >= _CHANGE_MA
            or change_ma <= -_CHANGE_MA
        ):
            return
        event = self._inbox.claim(events.METER_READING)
        if not event:
            return
        event[1] = reading.register_wh
        event[2] = reading.power_w
        event[3] = reading.power_l1_w
        event[4] = reading.power_l2_w
        event[5] = reading.power_l3_w
        event[6] = reading.current_l1_ma
        event[7] = reading.current_l2_ma
        event[8] = reading.current_l3_ma
        event[9] = reading.voltage_l1_mv
        event[10] = reading.voltage_l2_mv
        event[11] = reading.voltage_l3_mv
        event[12] = reading.frequency_mhz
        self._inbox.commit()
        self._sent_at = now
        self._sent_ma = current_ma
        self._wanted = False

    def _identity(self) -> None:
        event = self._inbox.claim(events.METER_IDENTITY)
        if event:
            event[1] = self.meter.identity.meter_id
            event[2] = self.meter.identity.pack()
            self._inbox.commit()
            self._identified = False
