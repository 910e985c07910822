"""The monthly statement of availability (P1, P2): what the ledger alone tells of a month."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, tzinfo

from host.ledger.absences import Absence, Absences, absences

__all__ = ["Absence", "Absences", "Statement", "absences", "month_bounds", "statement"]


@dataclass
class Statement:
    """One box and month, in seconds. Absence counts at most so long, presence at least so long.

    `absent_s` is unplanned absence alone. `unknown_s` is the time of which the ledger tells
    nothing: before its first record (`known_from_utc_s`), after its last one
    (`known_until_utc_s`; 0 if none is dated), and in the `holes` of this month.
    """

    box: str
    month: str
    begin_utc_s: int
    end_utc_s: int
    known_from_utc_s: int = 0
    known_until_utc_s: int = 0
    absent_s: int = 0
    planned_s: int = 0
    unknown_s: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)
    by_cause_s: dict[str, int] = field(default_factory=dict)
    absences: list[Absence] = field(default_factory=list)

    @property
    def total_s(self) -> int:
        """Of the month, as far as it is over."""
        return self.end_utc_s - self.begin_utc_s

    @property
    def present_s(self) -> int:
        """For certain: neither absent, for whatever reason, nor unknown."""
        return self.total_s - self.absent_s - self.planned_s - self.unknown_s

    @property
    def availability_permille(self) -> int:
        """Present, or absent as planned; rounded down. 0 of a month that has not begun."""
        return (self.present_s + self.planned_s) * 1000 // self.total_s if self.total_s else 0

    def permille(self, part_s: int) -> int:
        """A part of `total_s`, rounded up."""
        return -(-part_s * 1000 // self.total_s) if self.total_s else 0


def month_bounds(month: str, zone: tzinfo) -> tuple[int, int]:
    """`2026-11` as (begin, end) in seconds since 1970. ValueError if it is no month."""
    begin = datetime.strptime(month, "%Y-%m").replace(tzinfo=zone)
    following = begin.replace(year=begin.year + begin.month // 12, month=begin.month % 12 + 1)
    return int(begin.timestamp()), int(following.timestamp())


def statement(box: str, told: Absences, month: str, zone: tzinfo, now_utc_s: int) -> Statement:
    """The statement of one month; of one that is not over, up to `now_utc_s`."""
    begin_utc_s, end_utc_s = month_bounds(month, zone)
    end_utc_s = min(end_utc_s, max(begin_utc_s, now_utc_s))
    made = Statement(
        box, month, begin_utc_s, end_utc_s, told.known_from_utc_s, told.known_until_utc_s
    )
    covered: list[tuple[int, int]] = []
    counted_to_s = begin_utc_s  # bounds of two absences may overlap; no second counts twice
    for absence in told.found:
        from_s = max(absence.from_utc_s or told.known_from_utc_s, counted_to_s)
        to_s = min(absence.to_utc_s or told.known_until_utc_s, end_utc_s)
        if to_s <= from_s:
            continue
        _count(made, absence, from_s, to_s)
        covered.append((from_s, to_s))
        counted_to_s = to_s
    made.holes = [
        (low_s, high_s)
        for low_s, high_s in told.holes
        if low_s < end_utc_s and (high_s or end_utc_s) > begin_utc_s
    ]
    for low_s, high_s in _silent(told, begin_utc_s, end_utc_s):
        made.unknown_s += high_s - low_s
        for from_s, to_s in covered:  # an absence is known, though no record falls into it
            made.unknown_s -= max(0, min(high_s, to_s) - max(low_s, from_s))
    return made


def _count(made: Statement, absence: Absence, from_s: int, to_s: int) -> None:
    made.absences.append(absence)
    overrun_from_s = min(max(absence.planned_until_utc_s, from_s), to_s)
    made.planned_s += overrun_from_s - from_s
    unplanned_s = to_s - overrun_from_s
    made.absent_s += unplanned_s
    for cause in absence.cause if unplanned_s else ():
        made.by_cause_s[cause] = made.by_cause_s.get(cause, 0) + unplanned_s


def _silent(told: Absences, begin_s: int, end_s: int) -> list[tuple[int, int]]:
    """The parts of the month of which no record tells, in order and disjoint."""
    if not told.known_until_utc_s:
        return [(begin_s, end_s)]
    holes = [(low_s or begin_s, high_s or end_s) for low_s, high_s in told.holes]
    silent = []
    for low_s, high_s in (
        (begin_s, told.known_from_utc_s),
        *holes,
        (told.known_until_utc_s, end_s),
    ):
        low_s, high_s = max(low_s, begin_s), min(high_s, end_s)
        if low_s < high_s:
            silent.append((low_s, high_s))
            begin_s = high_s
    return silent
