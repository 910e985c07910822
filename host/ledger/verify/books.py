"""Whether the energies of a ledger are the differences of its registers, record by record.

Each INTERVAL, GAP_END and METER_ROLLOVER must begin where the one before ended; then
the sum is right at every cut (docs/SPEC.md).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from host.ledger.entries import Entry
from host.ledger.sums import PARTS
from host.ledger.words import kwh


@dataclass(frozen=True)
class Mismatch:
    """Record `sequence` does not go on where record `before` ended."""

    entry: Entry
    before: int
    text: str


@dataclass
class _Account:
    meter_id: int
    register_wh: int
    sequence: int  # of the record that tells it


@dataclass
class _Session:
    number: int
    register_wh: int
    meter_id: int
    sequence: int
    carried_wh: int = 0


@dataclass
class Books:
    """Follows one box's entries in their order; `mismatches` are what did not add up."""

    complete: bool  # the ledger is here from its first record on
    mismatches: list[Mismatch] = field(default_factory=list)
    _account: _Account | None = None
    _session: _Session | None = None
    _ended: int = 0  # where the last session ended, a record's number

    def watch(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Hands on the entries and checks them in passing."""
        for entry in entries:
            if entry.kind == "METER":
                self._account = _Account(
                    _number(entry, "meter_id"), _number(entry, "register_wh"), entry.sequence
                )
            elif entry.kind in PARTS:
                self._part(entry)
            elif entry.kind == "GAP_BEGIN":
                self._gap_begin(entry)
            elif entry.kind == "SESSION_BEGIN":
                self._session_begin(entry)
            elif entry.kind == "SESSION_END":
                self._session_end(entry)
            yield entry

    def _part(self, entry: Entry) -> None:
        register_wh, energy_wh = _number(entry, "register_wh"), _number(entry, "energy_wh")
        full_wh = _number(entry, "full_wh") if entry.kind == "METER_ROLLOVER" else 0
        self._compare(entry, register_wh + full_wh - energy_wh)
        self._account = _Account(_number(entry, "meter_id"), register_wh, entry.sequence)
        if self._session is not None:
            self._session.carried_wh += full_wh

    def _gap_begin(self, entry: Entry) -> None:
        self._compare(entry, _number(entry, "register_wh"))

    def _compare(self, entry: Entry, begin_wh: int) -> None:
        account = self._account
        if account is None:
            if self.complete:
                self._say(entry, 0, "no METER before it tells where the account begins")
            return
        if account.meter_id != _number(entry, "meter_id"):
            meter = _number(entry, "meter_id")
            self._say(entry, account.sequence, f"meter {meter} without a METER that begins it")
        elif begin_wh != account.register_wh:
            difference = kwh(begin_wh - account.register_wh)
            self._say(
                entry,
                account.sequence,
                f"it begins at {kwh(begin_wh)} kWh, but record {account.sequence} ended at "
                f"{kwh(account.register_wh)} kWh: {difference} kWh in no interval",
            )

    def _session_begin(self, entry: Entry) -> None:
        running = self._session
        number = _number(entry, "session")
        if running is not None:
            text = f"session {number} begins while session {running.number} runs"
            self._say(entry, running.sequence, text)
        self._session = _Session(
            number, _number(entry, "register_wh"), _number(entry, "meter_id"), entry.sequence
        )

    def _session_end(self, entry: Entry) -> None:
        running, self._session = self._session, None
        before, self._ended = self._ended, entry.sequence
        number, energy_wh = _number(entry, "session"), _number(entry, "energy_wh")
        if running is None:
            if self.complete or before:
                self._say(entry, before, f"session {number} ends and has not begun")
            return
        if (running.number, running.meter_id) != (number, _number(entry, "meter_id")):
            text = f"session {number} ends while session {running.number} runs"
            self._say(entry, running.sequence, text)
            return
        taken_wh = _number(entry, "register_wh") - running.register_wh + running.carried_wh
        if taken_wh != energy_wh:
            self._say(
                entry,
                running.sequence,
                f"session {number} took {kwh(taken_wh)} kWh by its registers, and tells "
                f"{kwh(energy_wh)} kWh",
            )

    def _say(self, entry: Entry, before: int, text: str) -> None:
        self.mismatches.append(Mismatch(entry, before, text))


def _number(entry: Entry, name: str) -> int:
    value = entry.fields[name]
    assert isinstance(value, int)
    return value
