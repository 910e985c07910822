"""The absences that a ledger tells (P1, P2), and the times of which it tells nothing."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from host.ledger.bounds import KNOWN, same_boot
from host.ledger.entries import Entry

SHORT_S = 60  # the box writes an absence when it has lasted so long
BOOTING_MS = 120_000  # one that is written sooner after a boot began with it, or before it


@dataclass
class Absence:
    """A time in which the operator was not answered.

    It began between `from_utc_s` (0: nothing bounds it) and `from_latest_utc_s`, and ended
    between `to_earliest_utc_s` (None: it lasts) and `to_utc_s` (None: nothing bounds it). So it
    lasted at most from `from_utc_s` to `to_utc_s`. `planned` is what the box has recorded when
    it began; it is planned until `planned_until_utc_s` at most, 0 if no announcement is known.
    """

    box: str
    from_utc_s: int
    from_latest_utc_s: int
    from_quality: str
    cause: list[str]
    planned: bool
    planned_until_utc_s: int = 0
    to_earliest_utc_s: int | None = None
    to_utc_s: int | None = None


@dataclass
class Absences:
    """All of one box, and when its ledger tells anything: between the two times (0: never), but
    not in the `holes`, where records are missing (0: no bound on that side)."""

    found: list[Absence] = field(default_factory=list)
    known_from_utc_s: int = 0
    known_until_utc_s: int = 0
    holes: list[tuple[int, int]] = field(default_factory=list)


def absences(entries: Iterable[Entry]) -> Absences:
    """Of one box's entries, which are in their order and `placed` (bounds.py)."""
    told = Absences()
    previous: Entry | None = None
    boot_after_utc_s = announced_until_utc_s = 0
    for entry in entries:
        if previous is not None:
            if not same_boot(previous, entry):
                boot_after_utc_s = _earliest(previous)
            if entry.sequence > previous.sequence + 1:
                told.holes.append((_earliest(previous), _latest(entry)))
        previous = entry
        told.known_from_utc_s = told.known_from_utc_s or _latest(entry)
        told.known_until_utc_s = _earliest(entry) or told.known_until_utc_s
        if entry.kind == "ANNOUNCED":
            announced_until_utc_s = _number(entry, "until_utc_s")
        elif entry.kind in ("ABSENCE_BEGIN", "ABSENCE_END"):
            _take(told, entry, boot_after_utc_s, announced_until_utc_s)
    return told


def _take(told: Absences, entry: Entry, boot_after_utc_s: int, announced_until_utc_s: int) -> None:
    absence = _lasting(told, entry)
    if absence is None:
        planned = bool(entry.fields["planned"])
        absence = Absence(
            entry.box,
            *_begin(told, entry, boot_after_utc_s),
            str(entry.fields["from_quality"]),
            [],
            planned,
            announced_until_utc_s if planned else 0,
        )
        told.found.append(absence)
    causes = entry.fields["cause"]
    assert isinstance(causes, list)
    absence.cause = sorted({*absence.cause, *causes})
    if entry.kind == "ABSENCE_END":
        absence.to_earliest_utc_s = _earliest(entry) or absence.from_utc_s
        absence.to_utc_s = _latest(entry) or None


def _lasting(told: Absences, entry: Entry) -> Absence | None:
    """The one that the entry goes on with. If it tells of another one, the end of the one before
    is missing in the ledger, and lies before the new one at the latest."""
    if not told.found or told.found[-1].to_earliest_utc_s is not None:
        return None
    absence = told.found[-1]
    from_utc_s = _number(entry, "from_utc_s")
    if not from_utc_s or from_utc_s <= absence.from_latest_utc_s:
        return absence
    absence.to_earliest_utc_s, absence.to_utc_s = absence.from_utc_s, from_utc_s
    return None


def _begin(told: Absences, entry: Entry, boot_after_utc_s: int) -> tuple[int, int]:
    """When the absence began that the entry is the first to tell of: earliest and latest."""
    from_utc_s = _number(entry, "from_utc_s")
    if from_utc_s and str(entry.fields["from_quality"]) in KNOWN:
        return from_utc_s, from_utc_s
    earliest = _earliest(entry)
    if entry.kind == "ABSENCE_END":
        earliest = told.holes[-1][0] if told.holes else 0
    elif entry.uptime_ms > BOOTING_MS:
        earliest = max(0, earliest - SHORT_S)
    elif boot_after_utc_s:
        earliest = boot_after_utc_s
    if told.found:  # the operator has answered since
        earliest = max(earliest, told.found[-1].to_earliest_utc_s or 0)
    return min(from_utc_s or earliest, earliest), max(from_utc_s, _latest(entry))


def _earliest(entry: Entry) -> int:
    """When the entry was written at the earliest, 0 = unknown. A guessed time is no bound."""
    return entry.utc_s if entry.quality in KNOWN else entry.earliest_utc_s


def _latest(entry: Entry) -> int:
    return entry.utc_s if entry.quality in KNOWN else entry.latest_utc_s


def _number(entry: Entry, name: str) -> int:
    value = entry.fields[name]
    assert isinstance(value, int)
    return value
