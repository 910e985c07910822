"""The life of one simulated box: what its ledger tells, drawn from a seed, without a network.

Drawn so that a load has the right shape, without figures of a field: 0.7 sessions a day that begin
mostly in the evening, 2 to 60 kWh each at 3.7, 7.4 or 11 kW; intervals that end at the quarter and
are written up to some 2 s later, by each box's own clock; a power cut in 60 days; an outage of the
network in 10 days, ten minutes in the middle, seldom hours. Same seed, same bytes.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from random import Random

from wallbox.core import decisions, events
from wallbox.core.rules import session as session_rule
from wallbox.core.state import LASTING_SIZE

INTERVAL_S = 900
DAY_S = 86_400
SESSIONS_A_DAY = 0.7
CUTS_EVERY_S = 60 * DAY_S
OUTAGES_EVERY_S = 10 * DAY_S
RECORDS_A_DAY = 125  # about: intervals, watermarks, sessions, states
_STATE_EVERY = 85  # records: what a sector holds
_HOURS = (1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 3, 4, 4, 4, 5, 7, 9, 10, 10, 9, 8, 6, 4, 2)  # weights
_POWERS_W = (3_700, 7_400, 7_400, 11_000, 11_000, 11_000)
_GOOD = session_rule.STATUS.index("G")
_POWER_CAUSE, _BROKER_CAUSE = 1, 8  # of an absence

Facts = list[tuple[int | bytes, ...]]


@dataclass(frozen=True)
class Shown:
    """What the box's status shows of it."""

    register_wh: int = 0
    power_w: int = 0
    session: int = 0
    session_wh: int = 0
    session_s: int = 0


@dataclass
class Happening:
    """At `at_s` (UTC): facts to write; `online`: the network comes or goes; `known`: the clock."""

    at_s: float
    facts: Facts = field(default_factory=list)
    online: bool | None = None
    known: bool = True
    rebooted: bool = False
    shown: Shown = Shown()


class Life:
    """An endless story. What it holds is as of the happening that it told last."""

    def __init__(self, random: Random, begin_s: float) -> None:
        self.random = random
        self.now_s = begin_s
        self.meter_id = random.randrange(10_000_000, 99_999_999)
        self.energy_wh = float(random.randrange(0, 9_000_000))
        self.charging_w = 0
        self.session = 0
        self.boot = 1
        self._skew_s = random.gauss(0, 0.3)
        self._accounted_wh = self.register_wh
        self._session_wh = self._session_s = 0
        self._partial = True
        self._car_s = self._next_car()
        self._cut_s = begin_s + random.expovariate(1 / CUTS_EVERY_S)
        self._outage_s = begin_s + random.expovariate(1 / OUTAGES_EVERY_S)
        self._hour_s = (begin_s // 3600 + 1) * 3600
        self._written = 0
        self._hour_sequence = 0

    @property
    def register_wh(self) -> int:
        return int(self.energy_wh)

    def story(self) -> Iterator[Happening]:
        """Happenings in the order of their times, without an end."""
        yield from self._told(self._begin())
        while True:
            quarter_s = (self.now_s // INTERVAL_S + 1) * INTERVAL_S
            due_s, what = min(
                (quarter_s, self._quarter), (self._car_s, self._car), (self._cut_s, self._cut),
                (self._outage_s, self._outage), (self._hour_s, self._hour),
                key=lambda one: one[0],
            )
            self._advance(due_s)
            yield from self._told(what())

    def _told(self, happenings: Iterator[Happening]) -> Iterator[Happening]:
        """With what the store writes of its own between the facts."""
        for one in happenings:
            self._written += len(one.facts)
            if self._written >= _STATE_EVERY:
                one.facts.insert(0, (decisions.STATE, bytes(LASTING_SIZE)))
                self._written = 1
            one.shown = Shown(
                self.register_wh, self.charging_w, self.session, self._session_wh, self._session_s
            )
            yield one

    def _advance(self, until_s: float) -> None:
        self.energy_wh += self.charging_w * max(0.0, until_s - self.now_s) / 3600
        self.now_s = max(self.now_s, until_s)

    def _late_s(self) -> float:
        """So much after its time the box writes: its poll of the meter, and its clock."""
        return max(0.0, self.random.uniform(0, 1.2) + self._skew_s)

    def _account(self) -> int:
        used_wh = self.register_wh - self._accounted_wh
        self._accounted_wh = self.register_wh
        return used_wh

    # --- what happens ---

    def _begin(self) -> Iterator[Happening]:
        facts: Facts = [
            (decisions.CONFIGURATION, self.random.randbytes(8)),
            (decisions.BOOT, events.POWER_UP, b"1.0"),
            (decisions.METER, self.register_wh, self.meter_id, b"maker|model|%d" % self.meter_id),
            (decisions.GAP_BEGIN, self.register_wh, self.meter_id, 0, 0, decisions.GAP_CLOCK),
        ]
        yield Happening(self.now_s, facts, known=False, rebooted=True)
        self._advance(self.now_s + self.random.uniform(5, 40))
        yield Happening(self.now_s, self._clock_known(0, 0, decisions.GAP_CLOCK))

    def _clock_known(self, from_s: int, quality: int, cause: int) -> Facts:
        known: Facts = [(decisions.CLOCK, int(self.now_s * 1000), 0, 0)]
        used_wh = self._account()
        end = (decisions.GAP_END, self.register_wh, self.meter_id, used_wh, from_s, quality, cause)
        self._partial = True
        return [*known, end]

    def _quarter(self) -> Iterator[Happening]:
        end_s = int(self.now_s)
        self._advance(self.now_s + self._late_s())
        yield Happening(self.now_s, [self._interval(end_s)])

    def _interval(self, end_s: int, partial: bool = False) -> tuple[int | bytes, ...]:
        flags = decisions.PARTIAL if partial or self._partial else 0
        self._partial = partial
        used_wh = self._account()
        return (
            decisions.INTERVAL, self.register_wh, self.meter_id, used_wh, end_s,
            events.SYNCHRONISED, INTERVAL_S, flags,
        )

    def _hour(self) -> Iterator[Happening]:
        self._hour_s += 3600
        self._hour_sequence += 4  # what the operator had an hour ago, about
        yield Happening(self.now_s, [(decisions.WATERMARK, self._hour_sequence)])

    def _next_car(self) -> float:
        at_s = self.now_s
        while True:
            at_s += self.random.expovariate(SESSIONS_A_DAY * max(_HOURS) * 24 / sum(_HOURS) / DAY_S)
            if self.random.random() < _HOURS[int(at_s // 3600) % 24] / max(_HOURS):
                return at_s

    def _car(self) -> Iterator[Happening]:
        if self.charging_w:
            yield Happening(self.now_s, [self._session_end(decisions.REASON_EV_DISCONNECTED)])
            self._car_s = self._next_car()
            return
        self.session += 1
        self.charging_w = self.random.choice(_POWERS_W)
        self._session_wh, self._session_s = self.register_wh, int(self.now_s)
        wanted_wh = min(60_000.0, max(2_000.0, self.random.lognormvariate(math.log(16_000), 0.6)))
        self._car_s = self.now_s + wanted_wh * 3600 / self.charging_w
        tag = self.random.randbytes(8)
        yield Happening(self.now_s, [(
            decisions.SESSION_BEGIN, self.register_wh, self.meter_id, self.session, 2,
            self.meter_id % 10_000, 0, tag,
        )])

    def _session_end(self, reason: int) -> tuple[int | bytes, ...]:
        self.charging_w = 0
        return (
            decisions.SESSION_END, self.register_wh, self.meter_id, self.session,
            self.register_wh - self._session_wh, self._session_s, events.SYNCHRONISED, reason,
            _GOOD, 0,
        )

    def _cut(self) -> Iterator[Happening]:
        """The power goes and comes back; then the box writes what it knows of the time before."""
        from_s = int(self.now_s)
        yield Happening(self.now_s, online=False)
        self._cut_s = self.now_s + self.random.expovariate(1 / CUTS_EVERY_S)
        was_charging, self.charging_w = self.charging_w, 0
        self._advance(self.now_s + self.random.lognormvariate(math.log(300), 1))
        self.boot += 1
        known = events.SYNCHRONISED
        where = (self.register_wh, self.meter_id)
        yield Happening(self.now_s, [
            (decisions.CONFIGURATION, self.random.randbytes(8)),
            (decisions.BOOT, events.POWER_UP, b"1.0"),
            self._interval(from_s, partial=True),
            (decisions.GAP_BEGIN, *where, from_s, known, decisions.GAP_POWER),
            (decisions.ABSENCE_BEGIN, _POWER_CAUSE, 0, from_s, known),
        ], online=True, known=False, rebooted=True)
        self._advance(self.now_s + self.random.uniform(5, 40))
        facts = self._clock_known(from_s, known, decisions.GAP_POWER | decisions.GAP_CLOCK)
        facts.append((decisions.ABSENCE_END, _POWER_CAUSE, 0, from_s, known))
        if was_charging:
            facts.append(self._session_end(decisions.REASON_POWER_LOSS))
            self._car_s = self._next_car()
        yield Happening(self.now_s, facts)
        self._hour_s = max(self._hour_s, (self.now_s // 3600 + 1) * 3600)

    def _outage(self) -> Iterator[Happening]:
        """Begin and end of an outage; the box goes on metering meanwhile."""
        if self._out_until_s:
            known, from_s = events.SYNCHRONISED, self._out_from_s
            end: Facts = [(decisions.ABSENCE_END, _BROKER_CAUSE, 0, from_s, known)]
            told = end if self.now_s - from_s > 60 else []
            if told:
                told = [(decisions.ABSENCE_BEGIN, _BROKER_CAUSE, 0, from_s, known), *told]
            yield Happening(self.now_s, told, online=True)
            self._out_until_s = 0.0
            self._outage_s = self.now_s + self.random.expovariate(1 / OUTAGES_EVERY_S)
            return
        yield Happening(self.now_s, online=False)
        self._out_from_s = int(self.now_s)
        lasts_s = min(5 * DAY_S, self.random.lognormvariate(math.log(600), 1.2))
        self._outage_s = self._out_until_s = self.now_s + lasts_s

    _out_from_s = 0
    _out_until_s = 0.0
