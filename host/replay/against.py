"""Two revisions of the rules on the same log: what the other one would have decided otherwise.

Both take over each snapshot, so what they make of an hour is compared, and an error in our guess
of what the world would have done does not last. The world is as it was recorded, but for three
things: the contactor obeys the other rules too; a meter shows them no current while they keep it
open; and they get a TICK when they want one. Registers stay the recorded ones.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from host.replay import said
from host.replay.cores import Core
from host.replay.lane import DECIDED, Lane
from host.replay.play import FAULTS, Lanes
from host.replay.segments import Entry, Segment
from host.replay.spread import Progress, segments_of, spread

OTHERWISE_MAX = 10_000  # decisions that are kept; more are counted
_TICKS_MAX = 20  # between two events
_STEADY = 1000
_VOLTAGE_V = 230
_LEAP_WH = 0xFFFFFFF


@dataclass
class Otherwise:
    """One event of which the rules make different things."""

    entry: Entry
    event: dict[str, Any]
    base: list[dict[str, Any]]
    other: list[dict[str, Any]]
    base_refusals: list[str]
    other_refusals: list[str]
    limits_ma: tuple[int, int]

    @property
    def lamp_only(self) -> bool:
        """Whether nothing but what the lamp shows differs."""
        names = {one["decision"] for one in [*self.base, *self.other]}
        same = self.base_refusals == self.other_refusals and len(set(self.limits_ma)) == 1
        return same and names == {"LAMP"}

    def as_dict(self) -> dict[str, Any]:
        return {
            **said.moment(self.entry), **self.event, "base": self.base, "other": self.other,
            "base_refusals": self.base_refusals, "other_refusals": self.other_refusals,
            "limits_ma": list(self.limits_ma),
        }  # fmt: skip


@dataclass
class Compared:
    """What came of it. Lost is recorded; gained is an estimate: nobody knows what a car wants."""

    events: int = 0
    segments: int = 0
    otherwise: list[Otherwise] = field(default_factory=list)
    count: int = 0
    lost_ms: int = 0
    lost_wh: int = 0
    gained_ms: int = 0
    gained_w_ms: int = 0
    unknown: int = 0  # events that the other rules do not know
    broken: int = 0  # segments in which rules failed, from there on not compared
    fault: str = ""  # the first one

    @property
    def gained_wh(self) -> int:
        return self.gained_w_ms // 3_600_000

    def add(self, more: Compared) -> None:
        for name in ("events", "segments", "count", "lost_ms", "lost_wh", "gained_ms",
                     "gained_w_ms", "unknown"):
            setattr(self, name, getattr(self, name) + getattr(more, name))
        self.broken += more.broken
        self.fault = self.fault or more.fault
        self.otherwise += more.otherwise[: OTHERWISE_MAX - len(self.otherwise)]


def compare(
    records: Sequence[bytes], base: Core, other: Core, layouts: Mapping[bytes, str],
    wanted: frozenset[bytes] | None, workers: int, progress: Progress = lambda part: None,
) -> Compared:
    """All of a log. `layouts`: fields of the state in snapshots, by the hash of their core."""
    whole = Compared()
    work = partial(_work, base, other, layouts, wanted)
    for part in spread(records, workers, work, progress):
        whole.add(part)
    return whole


def _work(
    base: Core, other: Core, layouts: Mapping[bytes, str], wanted: frozenset[bytes] | None,
    records: Sequence[bytes],
) -> Compared:
    known = {base.hash: base.layout, **layouts}
    first, second = Lanes(base.load(), known), Lanes(other.load(), known)
    compared = Compared()
    for segment in segments_of(records, wanted):
        if segment.entries:
            _Pair(first.of(segment), second.of(segment), compared).play(segment)
    return compared


class _Pair:
    def __init__(self, base: Lane, other: Lane, compared: Compared) -> None:
        self.base = base
        self.other = other
        self.compared = compared
        self._seen_w = 0  # what the car drew last
        self._now = 0
        self._apart = False

    def play(self, segment: Segment) -> None:
        self.compared.segments += 1
        unknown = self.other.unknown
        try:
            self.base.restore(segment.snapshot)
            self.other.restore(segment.snapshot)
            self._now = segment.first.now
            self._seen_w = max(0, self.base.state.power_w) if self.base.state.contactor else 0
            for entry in segment.entries:
                if entry.data[0] != DECIDED:
                    self._event(entry)
        except FAULTS as error:
            self.compared.broken += 1
            self.compared.fault = self.compared.fault or f"{type(error).__name__}: {error}"
        self.compared.unknown += self.other.unknown - unknown

    def _event(self, entry: Entry) -> None:
        base, other = self.base, self.other
        self.compared.events += 1
        self._account(entry)
        others = self._ticks(entry.now)
        ours = list(base.take(entry.now, entry.data))
        others += self._take_other(entry)
        apart = base.state.refusals != other.state.refusals
        if _facts(ours, base) != _facts(others, other) or apart != self._apart:
            self._note(entry, ours, others)
        self._apart = apart

    def _note(self, entry: Entry, ours: list[Any], others: list[Any]) -> None:
        compared, base, other = self.compared, self.base, self.other
        compared.count += 1
        if len(compared.otherwise) >= OTHERWISE_MAX:
            return
        compared.otherwise.append(
            Otherwise(
                entry,
                said.event(base.core, entry.data),
                [said.decision(base.core, one) for one in ours if one not in others],
                [said.decision(other.core, one) for one in others if one not in ours],
                base.core.refusals.names(base.state.refusals),
                other.core.refusals.names(other.state.refusals),
                (base.state.limit_ma, other.state.limit_ma),
            )
        )

    def _take_other(self, entry: Entry) -> list[Any]:
        """The event as it would have come to the other rules."""
        base, other = self.base, self.other
        core, event = other.core, other.event
        try:
            core.events.unpack_into(event, entry.data, 0, len(entry.data))
        except ValueError:
            other.unknown += 1
            return []
        if event[0] == core.events.CONTACTOR and event[1] == base.state.contactor:
            event[1] = other.state.contactor
        if event[0] == core.events.METER_READING and _kept_open(base, other):
            event[2:9] = [0] * 7
        return self._stepped(entry.now)

    def _ticks(self, now: int) -> list[Any]:
        """What is due to the other rules at another time than to the base."""
        taken: list[Any] = []
        other, state = self.other, self.other.state
        for _ in range(_TICKS_MAX):
            if state.due >= now or state.due == self.base.state.due:
                break
            other.event[0] = other.core.events.TICK
            taken += self._stepped(max(state.due, self._now))
        return taken

    def _stepped(self, now: int) -> list[Any]:
        """A step of the other rules. Their contactor obeys; if both move, as was recorded."""
        other, base = self.other, self.base.state
        taken = list(other.step(now))
        wanted = other.state.contactor
        both = base.contactor == wanted != base.contactor_closed
        if wanted != other.state.contactor_closed and not both:
            other.event[0] = other.core.events.CONTACTOR
            other.event[1] = other.state.contactor
            taken += other.step(now)
        return taken

    def _account(self, entry: Entry) -> None:
        """Time and energy since the event before, with both rules as they were after it."""
        base, other = self.base.state, self.other.state
        passed_ms = max(0, entry.now - self._now)
        self._now = max(self._now, entry.now)
        reading = entry.data[0] == self.base.core.events.METER_READING
        if base.contactor and reading:
            self._seen_w = max(0, int.from_bytes(entry.data[6:10], "little", signed=True))
        if base.contactor and not other.contactor:
            self.compared.lost_ms += passed_ms
            if reading and base.reading:
                energy_wh = int.from_bytes(entry.data[1:6], "little") - base.register_wh
                self.compared.lost_wh += energy_wh if 0 <= energy_wh <= _LEAP_WH else 0
        elif not base.contactor and _offers(self.other) and not _offers(self.base):
            self.compared.gained_ms += passed_ms
            offered_w = other.limit_ma * 3 * _VOLTAGE_V // 1000
            power_w = min(offered_w, self._seen_w or offered_w)
            self.compared.gained_w_ms += power_w * passed_ms


def _offers(lane: Lane) -> bool:
    """Whether a car is plugged in and may draw."""
    events, state = lane.core.events, lane.state
    return state.duty_permille != _STEADY and events.B <= state.letter <= events.C


def _kept_open(base: Lane, other: Lane) -> bool:
    return bool(base.state.contactor) and not other.state.contactor


def _facts(taken: list[Any], lane: Lane) -> list[Any]:
    """What counts as decided: all but the wish for a reading."""
    return [one for one in taken if one[0] != lane.core.decisions.METER_WANTED]
