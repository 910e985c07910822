"""A field log as one page of HTML, and as figures for machines."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from host.replay.field_log import FieldLog
from host.replay.timeline_ledger import LedgerReader
from host.replay.timeline_marks import Chart
from host.replay.timeline_page import is_coarse, page
from host.replay.timeline_read import CHARTS_MAX, Progress, Reader, Story, Window
from host.replay.timeline_words import TimelineWords


@dataclass
class Timeline:
    """What was read of a log."""

    story: Story
    ledger: LedgerReader

    @property
    def empty(self) -> bool:
        """Nothing was recorded in the time that was asked for."""
        return not self.story.charts

    @property
    def sessions(self) -> int:
        """How many the ledger tells of; without one, those that the core saw."""
        if self.ledger.log.ledger:
            return len(self.ledger.sessions)
        lanes = (chart.lanes.get("session") for chart in self.story.charts)
        return len({band.more for lane in lanes if lane for band in lane.bands if band.more})

    @property
    def energy_wh(self) -> int | None:
        """Of all sessions; None without a ledger, which alone tells it."""
        if not self.ledger.log.ledger:
            return None
        return sum(one.energy_wh or 0 for one in self.ledger.sessions)

    def html(self, language: str = "en") -> str:
        return page(self.story, self.ledger, TimelineWords(language))

    def summary(self) -> dict[str, Any]:
        """Figures of what the page shows; times are UTC seconds, lengths whole seconds."""
        story, calendar = self.story, self.story.calendar
        return {
            "box": story.serial,
            "from_utc_s": _seconds(calendar.begin_ms),
            "to_utc_s": _seconds(calendar.end_ms),
            "boots_without_clock": sorted(story.boots),
            "boots_hidden": story.hidden,
            "trace_records": story.records,
            "trace_entries": story.entries,
            "ledger_records": len(self.ledger.log.ledger),
            "holes": story.holes,
            "missing_records": story.missing,
            "segments_of_other_cores": story.others,
            "segments_not_played": story.unknown,
            "segments_decided_otherwise": story.differs,
            "sessions": self.sessions,
            "energy_wh": self.energy_wh,
            "refused_s": _refused_s(story.charts),
            "coarse": is_coarse(story),
        }


def make_timeline(
    log: FieldLog, window: Window | None = None, progress: Progress = lambda *_: None
) -> Timeline:
    """Reads a log; `progress(what, done, total)` is called now and then."""
    window = window or Window()
    reader = Reader(log, window, progress)
    story = reader.read()
    ledger = LedgerReader(log, reader.places, window, story)
    ledger.read()
    for boot in sorted(story.boots)[:-CHARTS_MAX]:
        del story.boots[boot]
        story.hidden += 1
    for chart in story.charts:
        for lane in chart.lanes.values():
            lane.done(chart.end_ms or 0)
    return Timeline(story, ledger)


def _seconds(ms: float | None) -> int | None:
    return None if ms is None else int(ms // 1000)


def _refused_s(charts: list[Chart]) -> dict[str, int]:
    found: dict[str, float] = {}
    for chart in charts:
        for name, lane in chart.lanes.items():
            if name.startswith("refused:"):
                lasted_ms = sum(band.end_ms - band.begin_ms for band in lane.bands)
                found[name[8:]] = found.get(name[8:], 0) + lasted_ms
    return {name: round(ms / 1000) for name, ms in sorted(found.items()) if ms}
