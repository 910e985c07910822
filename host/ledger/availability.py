"""The monthly statement of availability (P1, P2): what the ledger alone tells of absences."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from host.ledger.entries import Entry


@dataclass
class Absence:
    """A time in which the operator was not answered; `to_utc_s` None while it lasts.

    Its end lies between `to_earliest_utc_s` and `to_utc_s` where the box did not know the time.
    """

    box: str
    from_utc_s: int
    from_quality: str
    cause: list[str]
    planned: bool
    to_utc_s: int | None = None
    to_earliest_utc_s: int | None = None


@dataclass
class Statement:
    """One box and month. Seconds; `absent_s` counts unplanned absence alone, at most so long."""

    box: str
    month: str
    begin_utc_s: int
    end_utc_s: int
    absent_s: int = 0
    planned_s: int = 0
    by_cause_s: dict[str, int] = field(default_factory=dict)
    absences: list[Absence] = field(default_factory=list)

    @property
    def availability_permille(self) -> int:
        """Of the month, as far as it is over; rounded down."""
        total_s = self.end_utc_s - self.begin_utc_s
        return (total_s - self.absent_s) * 1000 // total_s if total_s > 0 else 1000


def absences(entries: Iterable[Entry]) -> list[Absence]:
    """All absences of one box's entries, which are in their order and `placed` (bounds.py)."""
    found: list[Absence] = []
    for entry in entries:
        if entry.kind not in ("ABSENCE_BEGIN", "ABSENCE_END"):
            continue
        fields = entry.fields
        causes, from_utc_s = fields["cause"], fields["from_utc_s"]
        assert isinstance(causes, list) and isinstance(from_utc_s, int)
        begun = bool(found) and found[-1].to_utc_s is None
        if not begun:
            quality = str(fields["from_quality"])
            found.append(Absence(entry.box, from_utc_s or _at(entry), quality, [], False))
        absence = found[-1]
        absence.cause = sorted({*absence.cause, *causes})
        absence.planned = bool(fields["planned"])
        if entry.kind == "ABSENCE_END":
            absence.to_utc_s = _at(entry)
            absence.to_earliest_utc_s = entry.utc_s or entry.earliest_utc_s or absence.from_utc_s
    return found


def _at(entry: Entry) -> int:
    return entry.utc_s or entry.latest_utc_s or entry.earliest_utc_s


def month_bounds(month: str, zone: tzinfo) -> tuple[int, int]:
    """`2026-11` as (begin, end) in seconds since 1970. ValueError if it is no month."""
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    following = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return int(begin.timestamp()), int(following.timestamp())


def statement(
    box: str, found: Iterable[Absence], month: str, zone: tzinfo, now_utc_s: int
) -> Statement:
    """The statement of one month; of one that is not over, up to `now_utc_s`."""
    begin_utc_s, end_utc_s = month_bounds(month, zone)
    told = Statement(box, month, begin_utc_s, min(end_utc_s, max(begin_utc_s, now_utc_s)))
    for absence in found:
        from_s = max(absence.from_utc_s, begin_utc_s)
        to_s = min(absence.to_utc_s or now_utc_s, told.end_utc_s)
        if to_s <= from_s:
            continue
        told.absences.append(absence)
        if absence.planned:
            told.planned_s += to_s - from_s
            continue
        told.absent_s += to_s - from_s
        for cause in absence.cause:
            told.by_cause_s[cause] = told.by_cause_s.get(cause, 0) + to_s - from_s
    return told
