"""The balance sheet: the meter's own register against what the operator stored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass

from rich.table import Table

from host.demo.scene import Scene
from host.ledger.entries import Entry
from host.ledger.sums import PARTS

# what makes two records of a kind tell the same thing
_SAME = {
    "INTERVAL": ("meter_id", "register_wh", "end_utc_s"),
    "GAP_END": ("meter_id", "register_wh", "from_utc_s"),
    "SESSION_BEGIN": ("session",),
    "SESSION_END": ("session",),
}


class NothingToBalance(ValueError):
    """One line: what is missing for a balance."""


@dataclass(frozen=True)
class Balance:
    """All energies in Wh since the first register that the box recorded.

    `records_lost`: sequence numbers that the operator should have and has not. `records_doubled`:
    records that tell once more what another one has told, as energy billed twice would be.
    """

    meter_wh: int
    intervals_wh: int
    gaps_wh: int
    sessions_wh: int
    stored_wh: int
    records_written: int
    records_acknowledged: int
    records_stored: int
    records_lost: int
    records_doubled: int
    records_refused: int

    @property
    def difference_wh(self) -> int:
        return self.meter_wh - self.intervals_wh - self.gaps_wh

    @property
    def balanced(self) -> bool:
        return (
            self.difference_wh == 0
            and self.meter_wh == self.sessions_wh == self.stored_wh > 0
            and self.records_lost == self.records_doubled == self.records_refused == 0
        )

    def as_dict(self) -> dict[str, int | bool]:
        own = {"difference_wh": self.difference_wh, "balanced": self.balanced}
        return asdict(self) | own


def draw_up(scene: Scene) -> Balance:
    """Reads the meter's display and the operator's database; nothing is asked of the box.

    Raises NothingToBalance.
    """
    entries = scene.entries()
    totals = scene.sums().totals
    ledger = scene.status.get("ledger")
    if not isinstance(ledger, dict):
        raise NothingToBalance("the box is not online, and has not told how much it has written")
    if not totals:
        raise NothingToBalance("the operator has not yet stored any register of the meter")
    total = totals[-1]
    return Balance(
        meter_wh=scene.world.meter.register_wh() - total.first_register_wh,
        intervals_wh=total.interval_wh,
        gaps_wh=total.gap_wh,
        sessions_wh=total.session_wh,
        stored_wh=total.measured_wh,
        records_written=ledger["sequence"],
        records_acknowledged=ledger["acknowledged"],
        records_stored=len(entries),
        records_lost=lost(entries, ledger["sequence"]),
        records_doubled=doubled(entries),
        records_refused=scene.quarantined(),
    )


def lost(entries: Sequence[Entry], written: int) -> int:
    """Holes in the sequence 1, 2, 3…, which the box has `written` so far."""
    there = {entry.sequence for entry in entries}
    return max([written, *there]) - len(there)


def doubled(entries: Sequence[Entry]) -> int:
    """Records that tell again what an earlier one tells: the same interval or gap of a meter
    (of 0 Wh: nothing is counted twice), the same session begun or ended."""
    told: Counter[tuple[str, ...]] = Counter()
    for entry in entries:
        if entry.kind in _SAME and (entry.fields.get("energy_wh") or entry.kind not in PARTS):
            fact = (entry.kind, *(str(entry.fields[name]) for name in _SAME[entry.kind]))
            told[fact] += 1
    return sum(times - 1 for times in told.values())


def table(balance: Balance) -> Table:
    sheet = Table(title="balance sheet", show_header=False)
    sheet.add_column()
    sheet.add_column(justify="right")
    sheet.add_row("the meter's own register has risen by", f"{balance.meter_wh} Wh")
    sheet.add_row("sum of intervals stored by the operator", f"{balance.intervals_wh} Wh")
    sheet.add_row("sum of gaps, both registers known", f"{balance.gaps_wh} Wh")
    sheet.add_row("sum of sessions", f"{balance.sessions_wh} Wh")
    sheet.add_row("register stored by the operator has risen by", f"{balance.stored_wh} Wh")
    sheet.add_row("[bold]difference[/]", f"[bold]{balance.difference_wh} Wh[/]")
    sheet.add_section()
    sheet.add_row("records written", str(balance.records_written))
    sheet.add_row("acknowledged", str(balance.records_acknowledged))
    sheet.add_row("stored", str(balance.records_stored))
    sheet.add_row("lost", str(balance.records_lost))
    sheet.add_row("doubled", str(balance.records_doubled))
    sheet.add_row("refused", str(balance.records_refused))
    return sheet
