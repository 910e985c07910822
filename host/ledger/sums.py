"""Sessions, gaps and the balance of a box, added up from its entries. Integer Wh throughout."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from host.ledger.bounds import KNOWN
from host.ledger.entries import Entry, Value

# between them they account for every Wh of the register
PARTS = ("INTERVAL", "GAP_END", "METER_ROLLOVER")
_ACCOUNTS = ("METER", *PARTS)  # a gap begins where one of these has ended, or later
_OF_A_METER = ("METER", "GAP_BEGIN", "SESSION_BEGIN", "SESSION_END", *PARTS)


@dataclass
class Session:
    """One plug-in to unplugging. `end_*` and `reason` are None while it runs; `*_earliest_*` and
    `*_latest_*` bound a time that the box did not know (bounds.py), None = no bound."""

    box: str
    session: int
    meter_id: int
    begin_utc_s: int
    begin_quality: str
    begin_register_wh: int
    end_utc_s: int | None = None
    end_quality: str | None = None
    end_register_wh: int | None = None
    energy_wh: int = 0
    reason: str | None = None
    status: str | None = None
    carried_wh: int = 0  # its meter has rolled over at so much
    begin_earliest_utc_s: int | None = None
    begin_latest_utc_s: int | None = None
    end_earliest_utc_s: int | None = None
    end_latest_utc_s: int | None = None


@dataclass
class Gap:
    """A time that no interval covers; `energy_wh` is None while it lasts. Bounds as in Session."""

    box: str
    from_utc_s: int
    from_quality: str
    from_register_wh: int
    cause: list[str]
    to_utc_s: int | None = None
    to_quality: str | None = None
    to_register_wh: int | None = None
    energy_wh: int | None = None
    from_earliest_utc_s: int | None = None
    from_latest_utc_s: int | None = None
    to_earliest_utc_s: int | None = None
    to_latest_utc_s: int | None = None


@dataclass
class Totals:
    """What one meter measured at one box from one METER on, and whether the parts add up to it.

    `full_wh`: what the register counts up to, once for each rollover.
    """

    box: str
    meter_id: int
    first_register_wh: int
    last_register_wh: int
    intervals: int = 0
    interval_wh: int = 0
    gaps: int = 0
    gap_wh: int = 0
    rollovers: int = 0
    rollover_wh: int = 0
    full_wh: int = 0
    sessions: int = 0
    session_wh: int = 0

    @property
    def difference_wh(self) -> int:
        """Register minus the sum of its parts: 0, or something is missing."""
        return self.measured_wh - self.interval_wh - self.gap_wh - self.rollover_wh

    @property
    def measured_wh(self) -> int:
        """What the register has counted."""
        return self.last_register_wh - self.first_register_wh + self.full_wh


@dataclass
class Sums:
    """Everything added up for one box, in the order of the ledger."""

    sessions: list[Session] = field(default_factory=list)
    gaps: list[Gap] = field(default_factory=list)
    totals: list[Totals] = field(default_factory=list)
    accounted_utc_s: int = 0  # the last part had ended not before, 0 = unknown


def add_up(entries: Iterable[Entry]) -> Sums:
    """Reads one box's entries in their order, `placed` (bounds.py); a session or gap that
    began earlier is closed by what its end repeats of its begin."""
    sums = Sums()
    for entry in entries:
        if entry.kind in _OF_A_METER:
            _account(sums, entry)
        if entry.kind in _HANDLERS:
            _HANDLERS[entry.kind](sums, entry)
        if entry.kind in _ACCOUNTS:
            sums.accounted_utc_s = _accounted(entry)
    return sums


def _accounted(entry: Entry) -> int:
    """An interval and a rollover tell their end; the others end when they are written."""
    if entry.fields.get("end_utc_s") and str(entry.fields["end_quality"]) in KNOWN:
        return _int(entry.fields["end_utc_s"])
    return (entry.utc_s if entry.quality in KNOWN else 0) or entry.earliest_utc_s


def _account(sums: Sums, entry: Entry) -> None:
    fields = entry.fields
    register_wh, meter_id = _int(fields["register_wh"]), _int(fields["meter_id"])
    energy_wh = _int(fields["energy_wh"]) if entry.kind in PARTS else 0
    full_wh = _int(fields["full_wh"]) if entry.kind == "METER_ROLLOVER" else 0
    if not sums.totals or sums.totals[-1].meter_id != meter_id or entry.kind == "METER":
        first_wh = register_wh + full_wh - energy_wh
        sums.totals.append(Totals(entry.box, meter_id, first_wh, register_wh))
    total = sums.totals[-1]
    if entry.kind in PARTS:
        total.last_register_wh = register_wh
    if entry.kind == "INTERVAL":
        total.intervals += 1
        total.interval_wh += energy_wh
    elif entry.kind == "GAP_END":
        total.gaps += 1
        total.gap_wh += energy_wh
    elif entry.kind == "METER_ROLLOVER":
        total.rollovers += 1
        total.rollover_wh += energy_wh
        total.full_wh += full_wh
    elif entry.kind == "SESSION_END":
        total.sessions += 1
        total.session_wh += _int(fields["energy_wh"])
    running = sums.sessions[-1] if sums.sessions else None
    if running is not None and running.reason is None and running.meter_id == meter_id:
        running.carried_wh += full_wh
        running.energy_wh = running.carried_wh + register_wh - running.begin_register_wh


def _session_begin(sums: Sums, entry: Entry) -> None:
    sums.sessions.append(
        Session(
            entry.box,
            _int(entry.fields["session"]),
            _int(entry.fields["meter_id"]),
            entry.utc_s,
            entry.quality,
            _int(entry.fields["register_wh"]),
            begin_earliest_utc_s=entry.earliest_utc_s or None,
            begin_latest_utc_s=entry.latest_utc_s or None,
        )
    )


def _session_end(sums: Sums, entry: Entry) -> None:
    fields = entry.fields
    number, energy_wh = _int(fields["session"]), _int(fields["energy_wh"])
    register_wh = _int(fields["register_wh"])
    if not sums.sessions or sums.sessions[-1].session != number:
        sums.sessions.append(
            Session(
                entry.box,
                number,
                _int(fields["meter_id"]),
                _int(fields["begin_utc_s"]),
                str(fields["begin_quality"]),
                register_wh - energy_wh,
            )
        )
    session = sums.sessions[-1]
    session.end_utc_s, session.end_quality = entry.utc_s, entry.quality
    session.end_earliest_utc_s = entry.earliest_utc_s or None
    session.end_latest_utc_s = entry.latest_utc_s or None
    session.end_register_wh, session.energy_wh = register_wh, energy_wh
    session.reason, session.status = str(fields["reason"]), str(fields["status"])


def _gap(sums: Sums, entry: Entry, register_wh: int) -> Gap:
    """One that this entry is the first to tell of: it began behind the last part, and
    before the entry was written."""
    fields = entry.fields
    gap = Gap(
        entry.box,
        _int(fields["from_utc_s"]),
        str(fields["from_quality"]),
        register_wh,
        _names(fields["cause"]),
    )
    if not gap.from_utc_s or gap.from_quality not in KNOWN:
        gap.from_earliest_utc_s = sums.accounted_utc_s or None
        written_utc_s = entry.utc_s if entry.quality in KNOWN else 0
        gap.from_latest_utc_s = written_utc_s or entry.latest_utc_s or None
    return gap


def _gap_begin(sums: Sums, entry: Entry) -> None:
    sums.gaps.append(_gap(sums, entry, _int(entry.fields["register_wh"])))


def _gap_cause(sums: Sums, entry: Entry) -> None:
    if sums.gaps and sums.gaps[-1].energy_wh is None:
        sums.gaps[-1].cause = _names(entry.fields["cause"])


def _gap_end(sums: Sums, entry: Entry) -> None:
    fields = entry.fields
    register_wh, energy_wh = _int(fields["register_wh"]), _int(fields["energy_wh"])
    if not sums.gaps or sums.gaps[-1].energy_wh is not None:
        sums.gaps.append(_gap(sums, entry, register_wh - energy_wh))
    gap = sums.gaps[-1]
    gap.cause = _names(fields["cause"])
    gap.to_utc_s, gap.to_quality = entry.utc_s, entry.quality
    gap.to_earliest_utc_s = entry.earliest_utc_s or None
    gap.to_latest_utc_s = entry.latest_utc_s or None
    gap.to_register_wh, gap.energy_wh = register_wh, energy_wh


_HANDLERS = {
    "SESSION_BEGIN": _session_begin,
    "SESSION_END": _session_end,
    "GAP_BEGIN": _gap_begin,
    "GAP_CAUSE": _gap_cause,
    "GAP_END": _gap_end,
}


def _int(value: Value) -> int:
    assert isinstance(value, int)
    return value


def _names(value: Value) -> list[str]:
    assert isinstance(value, list)
    return value
