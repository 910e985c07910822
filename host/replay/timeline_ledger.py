"""What the ledger adds to a timeline: sessions, gaps, absences, mean power, and its facts."""

from __future__ import annotations

from dataclasses import dataclass

from host.ledger.entries import Entry, entry
from host.ledger.words import Words
from host.records import Record, split
from host.replay.field_log import FieldLog
from host.replay.timeline_marks import Band, Chart
from host.replay.timeline_places import Places
from host.replay.timeline_read import Story, Window

FACTS_MAX = 1500
_SILENT = {"INTERVAL", "STATE", "WATERMARK", "OFFLINE"}  # no mark: drawn, or nobody's business


@dataclass
class Session:
    """One session. `boot`: None, its times are of the calendar. end_ms None: not ended here."""

    boot: int | None
    number: int
    begin_ms: float | None
    end_ms: float | None = None
    energy_wh: int | None = None
    authority: str = ""
    reason: str = ""


@dataclass(frozen=True)
class Fact:
    boot: int | None
    x_ms: float
    kind: str
    text: str


class LedgerReader:
    """Puts the ledger's facts into a story's charts."""

    def __init__(self, log: FieldLog, places: Places, window: Window, story: Story) -> None:
        self.log, self.places, self.window, self.story = log, places, window, story
        self.sessions: list[Session] = []
        self.facts: list[Fact] = []
        self.facts_hidden = 0
        self._words = Words(local=True)
        self._open: dict[str, tuple[int | None, float, str]] = {}
        self._drawn_ms = 0.0  # mean power, up to here
        self._since_ms: float | None = None  # the end of the interval or gap before

    def read(self) -> None:
        last: tuple[int | None, float] | None = None
        for data in self.log.ledger:
            (record,) = split(data)
            assert isinstance(record, Record), "a field log holds whole records"
            one = entry(self.log.origin.serial, record)
            key, x_ms = self.places.place(one.boot, one.uptime_ms)
            if last and last[0] != key:
                self._leave(*last)
            last = key, x_ms
            if key is None or self.window.whole:
                self._take(one, key, x_ms)
        if last:
            self._leave(last[0], max(last[1], self.story.chart(last[0]).end_ms or 0))

    def _take(self, one: Entry, key: int | None, x_ms: float) -> None:
        handle = getattr(self, "_" + one.kind.lower(), None)
        if handle:
            handle(one, key, x_ms)
        if key is None and not self.window.has(x_ms):
            return
        chart = self.story.chart(key)
        chart.reach(x_ms)
        register_wh = one.fields.get("register_wh")
        if isinstance(register_wh, int) and one.fields.get("meter_id") and one.kind != "GAP_BEGIN":
            chart.line("register_ledger_wh").add(x_ms, register_wh)
        if one.kind not in _SILENT:
            self.facts.append(Fact(key, x_ms, one.kind, self._say(one)))
            if len(self.facts) > FACTS_MAX:
                self.facts.pop(0)
                self.facts_hidden += 1

    def _say(self, one: Entry) -> str:
        try:
            return self._words.fields(one)
        except (ValueError, OverflowError, OSError):  # a time that no calendar has
            return ""

    # --- what lasts ---

    def _begin(self, lane: str, key: int | None, x_ms: float, more: str) -> None:
        self._open.setdefault(lane, (key, x_ms, more))

    def _end(self, lane: str, what: str, key: int | None, x_ms: float, begin_ms: float = 0) -> None:
        begun = self._open.pop(lane, None)
        if key is None and begin_ms:
            begun = (key, begin_ms, begun[2] if begun else "")
        if begun and begun[0] == key:
            self._band(self.story.chart(key), lane, Band(begun[1], x_ms, what, begun[2]))

    def _band(self, chart: Chart, lane: str, band: Band) -> None:
        if chart.boot is None:
            clip = self.window.clip
            begin_ms, end_ms = clip(band.begin_ms), clip(band.end_ms)
            if begin_ms >= end_ms and not self.window.has(band.begin_ms):
                return
            band = Band(begin_ms, end_ms, band.what, band.more)
        chart.reach(band.begin_ms)
        chart.reach(band.end_ms)
        chart.lane(lane).add(band)

    def _leave(self, key: int | None, x_ms: float) -> None:
        """The ledger goes on in another chart, or ends: what lasts is drawn up to here."""
        if key is not None:
            x_ms = max(x_ms, self.story.chart(key).end_ms or 0)
        for lane in list(self._open):
            if self._open[lane][0] == key:
                self._end(lane, lane, key, x_ms)

    def _session_begin(self, one: Entry, key: int | None, x_ms: float) -> None:
        number = _number(one, "session")
        self._begin("session", key, x_ms, str(number))
        if key is not None or self.window.has(x_ms):
            authority = str(one.fields["authority"])
            self.sessions.append(Session(key, number, x_ms, authority=authority))

    def _session_end(self, one: Entry, key: int | None, x_ms: float) -> None:
        number = _number(one, "session")
        begin_ms = _number(one, "begin_utc_s") * 1000
        if not begin_ms and self._open.get("session", (None,))[0] != key:
            self._open.pop("session", None)
        if "session" not in self._open:
            self._begin("session", key, x_ms, str(number))
        self._end("session", "session", key, x_ms, begin_ms)
        if key is None and not self.window.has(x_ms):
            return
        if not self.sessions or self.sessions[-1].number != number:
            self.sessions.append(Session(key, number, begin_ms or None))
        session = self.sessions[-1]
        session.energy_wh = _number(one, "energy_wh")
        session.reason = str(one.fields["reason"])
        if session.boot == key:
            session.end_ms = x_ms
        elif begin_ms and key is None:
            session.boot, session.begin_ms, session.end_ms = None, begin_ms, x_ms

    def _gap_begin(self, one: Entry, key: int | None, x_ms: float) -> None:
        from_ms = _number(one, "from_utc_s") * 1000
        causes = one.fields["cause"]
        more = " ".join(causes) if isinstance(causes, list) else ""
        if from_ms and key is not None:
            from_ms = 0
        self._begin("gap", key, from_ms or x_ms, more)

    def _gap_end(self, one: Entry, key: int | None, x_ms: float) -> None:
        from_ms = _number(one, "from_utc_s") * 1000
        self._end("gap", "gap", key, x_ms, from_ms)
        self._since_ms = x_ms if key is None else None

    def _absence_begin(self, one: Entry, key: int | None, x_ms: float) -> None:
        from_ms = _number(one, "from_utc_s") * 1000 if key is None else 0
        causes = one.fields["cause"]
        self._begin("absence", key, from_ms or x_ms, " ".join(causes) if causes else "")  # type: ignore[arg-type]

    def _absence_end(self, one: Entry, key: int | None, x_ms: float) -> None:
        self._end("absence", "absence", key, x_ms, _number(one, "from_utc_s") * 1000)

    def _interval(self, one: Entry, key: int | None, _x_ms: float) -> None:
        """The mean power of an interval, drawn as long as it lasted."""
        end_ms, begin_ms = _number(one, "end_utc_s") * 1000, self._since_ms
        self._since_ms = end_ms or None
        length_ms = _number(one, "interval_s") * 1000
        if key is not None or not end_ms or not self.window.has(end_ms):
            return
        if begin_ms is None or not 0 < end_ms - begin_ms <= length_ms:
            begin_ms = end_ms - length_ms
        mean_w = _number(one, "energy_wh") * 3_600_000 / (end_ms - begin_ms)
        line = self.story.calendar.line("mean_w")
        self.story.calendar.reach(end_ms)
        if line.count and begin_ms != self._drawn_ms:
            line.add(begin_ms, None)
        line.add(begin_ms, mean_w)
        line.add(end_ms, mean_w)
        self._drawn_ms = end_ms


def _number(one: Entry, name: str) -> int:
    value = one.fields[name]
    assert isinstance(value, int)
    return value
