"""A field log as charts: what the box sensed, what its core made of it, what the ledger tells."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from wallbox.core import events, refusals
from wallbox.core.codes import LIFECYCLES, LIMIT_SOURCES, SEAL_LOOPS
from wallbox.core.leases import NONE_MA
from wallbox.core.rules import ENDING, OPEN
from wallbox.core.state import State
from wallbox.store.record import unpack

from host.replay.cores import of_tree
from host.replay.field_log import FieldLog
from host.replay.lane import DECIDED, SNAPSHOT, Lane
from host.replay.play import FAULTS, Lanes
from host.replay.segments import Entry, Segment, read_entries, read_segments
from host.replay.timeline_marks import Chart
from host.replay.timeline_places import Places

CHARTS_MAX = 12  # of boots without a clock; of more, the newest
Progress = Callable[[str, int, int], None]
_REFUSALS = refusals.all_names()
_EVERY = 256  # entries between two words of progress
_READING = {
    1: "register_wh", 2: "power_w", 6: "current_l1_ma", 7: "current_l2_ma", 8: "current_l3_ma",
}


@dataclass
class Story:
    """What a timeline shows. `others`: pieces of the trace that another core decided; `unknown`:
    those that this tool's rules cannot play; `differs`: those that they decide otherwise; `hidden`:
    boots that are not drawn."""

    serial: str
    calendar: Chart = field(default_factory=lambda: Chart(None))
    boots: dict[int, Chart] = field(default_factory=dict)
    holes: int = 0
    missing: int = 0  # records
    others: int = 0
    unknown: int = 0
    differs: int = 0
    hidden: int = 0
    records: int = 0
    entries: int = 0

    def chart(self, boot: int | None) -> Chart:
        return self.calendar if boot is None else self.boots.setdefault(boot, Chart(boot))

    @property
    def charts(self) -> list[Chart]:
        """Those that show something, the calendar first."""
        boots = [self.boots[boot] for boot in sorted(self.boots)]
        return [chart for chart in (self.calendar, *boots) if chart.begin_ms is not None]


class Window:
    """What of a log is looked at, ms since 1970, None = no bound. A bound hides other charts."""

    def __init__(self, from_ms: int | None = None, to_ms: int | None = None) -> None:
        self.from_ms, self.to_ms = from_ms, to_ms

    @property
    def whole(self) -> bool:
        return self.from_ms is None and self.to_ms is None

    def has(self, x_ms: float) -> bool:
        low, high = self.from_ms, self.to_ms
        return (low is None or x_ms >= low) and (high is None or x_ms < high)

    def clip(self, x_ms: float) -> float:
        low = x_ms if self.from_ms is None else max(x_ms, self.from_ms)
        return low if self.to_ms is None else min(low, self.to_ms)


class Reader:
    """Puts the trace of a log into charts; the ledger is timeline_ledger's."""

    def __init__(self, log: FieldLog, window: Window, progress: Progress) -> None:
        self.log, self.window, self.progress = log, window, progress
        self.places = Places([*log.trace, *log.ledger])
        self.story = Story(log.origin.serial, records=len(log.trace))
        self._chart = self.story.calendar
        self._x_ms = 0.0

    def read(self) -> Story:
        for what in (self._sensed, self._decided):
            what()
        return self.story

    def _at(self, boot: int, now: int) -> bool:
        """Chooses chart and place; False if it is not looked at."""
        key, x_ms = self.places.place(boot, now)
        if key is not None and not self.window.whole:
            return False
        self._chart, self._x_ms = self.story.chart(key), x_ms
        return key is not None or self.window.has(x_ms)

    # --- what was sensed ---

    def _sensed(self) -> None:
        before: Entry | None = None
        total = len(self.log.trace)
        first = unpack(self.log.trace[0])[0] if total else 0
        for count, entry in enumerate(read_entries(self.log.trace)):
            if count % _EVERY == 0:
                self.progress("reading", entry.sequence - first, total)
            self.story.entries += 1
            if before and (before.boot != entry.boot or entry.sequence - before.sequence > 1):
                self._torn(before, entry)
            before = entry
            if entry.kind in (SNAPSHOT, DECIDED) or not self._at(entry.boot, entry.now):
                continue
            self._chart.reach(self._x_ms)
            self._chart.lane("recorded").set(self._x_ms, "boot", str(entry.boot))
            self._chart.lane("clock").set(self._x_ms, "quality_" + events.QUALITY[entry.quality])
            self._sense(entry)
        if before:
            self._tear(before)

    def _torn(self, before: Entry, entry: Entry) -> None:
        self._tear(before)
        gone = entry.sequence - before.sequence - 1
        if gone <= 0:
            return
        self.story.holes += 1
        self.story.missing += gone
        if before.boot == entry.boot and self._at(before.boot, before.now):
            lane = self._chart.lane("recorded")
            lane.set(self._x_ms, "hole", str(gone))
            self._at(entry.boot, entry.now)
            lane.set(self._x_ms, None)

    def _tear(self, last: Entry) -> None:
        self._at(last.boot, last.now)
        x_ms = self.window.clip(self._x_ms) if self._chart.boot is None else self._x_ms
        for name in ("recorded", "clock", "pilot", "contactor", "meter"):
            if name in self._chart.lanes:
                self._chart.lanes[name].set(x_ms, None)
        for name in _READING.values():
            if name in self._chart.numbers:
                self._chart.numbers[name].add(x_ms, None)

    def _sense(self, entry: Entry) -> None:
        event, chart, x_ms = [0] * events.MAX_FIELDS, self._chart, self._x_ms
        try:
            events.unpack_into(event, entry.data, 0, len(entry.data))
        except ValueError:  # of another firmware
            return
        kind = event[0]
        if kind == events.METER_READING:
            for at, name in _READING.items():
                chart.line(name).add(x_ms, event[at])
            if "meter" in chart.lanes:
                chart.lanes["meter"].set(x_ms, None)
        elif kind == events.METER_SILENT:
            chart.lane("meter").set(x_ms, "meter_silent")
        elif kind == events.METER_REFUSED:
            chart.lane("meter").set(x_ms, "meter_refused")
        elif kind == events.PILOT:
            chart.lane("pilot").set(x_ms, "pilot_" + events.LETTERS[min(event[1], 6)])
        elif kind == events.CONTACTOR:
            chart.lane("contactor").set(x_ms, "closed" if event[1] else None)

    # --- what the core made of it ---

    def _decided(self) -> None:
        core = of_tree()
        lanes = Lanes(core.load(), self.log.layouts)
        total = len(self.log.trace)
        first = unpack(self.log.trace[0])[0] if total else 0
        last: Entry | None = None
        for segment in read_segments(self.log.trace):
            self.progress("deciding", segment.first.sequence - first, total)
            if last and not segment.follows:
                self._end(last)
            self.story.others += segment.core != core.hash
            last = self._play(segment, lanes.of(segment))
        if last:
            self._end(last)

    def _play(self, segment: Segment, lane: Lane) -> Entry:
        entry = segment.first
        try:
            lane.restore(segment.snapshot)
        except FAULTS:
            self.story.unknown += 1
            return entry
        same = True
        gathered = False  # a snapshot does not hold the limits of each source
        self._show(entry, lane, gathered)
        for entry in segment.entries:
            if entry.kind == DECIDED:
                told = int.from_bytes(entry.data[1:5], "little")
                if same and not lane.frozen and told != lane.decided:
                    same = False
                    self.story.differs += 1
                continue
            try:
                lane.take(entry.now, entry.data)
            except FAULTS:  # an event of another firmware
                self.story.unknown += 1
                return entry
            gathered = gathered or entry.kind != events.TICK
            self._show(entry, lane, gathered)
        return entry

    def _show(self, entry: Entry, lane: Lane, gathered: bool) -> None:
        if not self._at(entry.boot, entry.now):
            return
        state, chart, x_ms = lane.state, self._chart, self._x_ms
        chart.reach(x_ms)
        bits = state.refusals
        for bit, name in enumerate(_REFUSALS):
            key = "refused:" + name
            if bits >> bit & 1 or key in chart.lanes:
                chart.lane(key).set(x_ms, name if bits >> bit & 1 else None)
        if gathered:
            _show_limits(state, chart, x_ms)
        chart.lane("link").set(x_ms, f"link_{state.link}")
        for bit, loop in enumerate(SEAL_LOOPS):
            opened, broken = state.seal_open >> bit & 1, state.seal_broken >> bit & 1
            chart.lane("seal:" + loop).set(
                x_ms, "seal_open" if opened else "seal_broken" if broken else "seal_good"
            )
        if not self.log.ledger:
            runs = state.session_phase in (OPEN, ENDING)
            chart.lane("session").set(
                x_ms, "session" if runs else None, str(state.session) if runs else ""
            )
        chart.lane("lifecycle").set(x_ms, LIFECYCLES[min(state.lifecycle, 5)])

    def _end(self, last: Entry) -> None:
        """Nobody knows how it went on."""
        self._at(last.boot, last.now)
        x_ms = self.window.clip(self._x_ms) if self._chart.boot is None else self._x_ms
        for name, lane in self._chart.lanes.items():
            if name.split(":")[0] in ("refused", "link", "seal", "session", "lifecycle"):
                lane.set(x_ms, None)
        for name, line in self._chart.numbers.items():
            if name.startswith("limit"):
                line.tear(x_ms)


def _show_limits(state: State, chart: Chart, x_ms: float) -> None:
    chart.line("limit_ma").step(x_ms, state.limit_ma)
    for source, limit_ma in enumerate(state.limits):
        key = "limit:" + LIMIT_SOURCES[source]
        if limit_ma < NONE_MA:
            chart.line(key).step(x_ms, limit_ma)
        elif key in chart.numbers:
            chart.numbers[key].tear(x_ms)
