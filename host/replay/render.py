"""What `wallbox replay` prints."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from host.replay import said
from host.replay.against import Compared, Otherwise
from host.replay.detail import Detail
from host.replay.play import Checked

ROWS_MAX = 200  # of what would have been decided otherwise
_WHAT = {
    "decisions": "the decisions differ",
    "state": "the decisions agree, the states differ",
    "error": "the rules fail",
    "snapshot": "the snapshot cannot be taken over",
}


def print_checked(out: Console, checked: Checked, notes: list[str]) -> None:
    """What was compared, and what was not."""
    out.print(
        f"{checked.events:,} events in {checked.segments:,} segments: {checked.decisions:,} sums "
        f"of decisions and {checked.states:,} whole states agree",
        highlight=False,
    )
    for note in notes:
        out.print(f"note: {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def print_detail(out: Console, detail: Detail) -> None:
    """The first difference: events and decisions, then both states."""
    what = _WHAT[detail.difference.what]
    out.print(f"[bold red]{what}[/] at {said.when(detail.at)}, record {detail.at.sequence}",
              highlight=False)
    if detail.difference.reason:
        out.print(detail.difference.reason, highlight=False, markup=False)
    if detail.steps:
        out.print(_steps(detail))
    if detail.facts:
        out.print("facts that the box wrote then:", highlight=False)
        for fact in detail.facts:
            out.print(f"  {said.line(fact)}", highlight=False, markup=False, soft_wrap=True)
    if detail.states and detail.compared_at:
        out.print(_states(detail))
    elif detail.difference.what == "decisions":
        out.print("no snapshot follows, or the state in it agrees: nothing more is known of the "
                  "box's decisions than that their sum is another", highlight=False)


def _steps(detail: Detail) -> Table:
    table = Table(title="events since both agreed, and what these rules decide",
                  title_justify="left")
    for name in ("at", "event", "decisions", "refuses", "limit"):
        table.add_column(name, overflow="fold")
    for step in detail.steps:
        decided = "\n".join(said.line(one) for one in step.decisions)
        words = (said.when(step.entry), said.short(step.event), decided, " ".join(step.refusals))
        table.add_row(*(escape(word) for word in words), f"{step.limit_ma} mA")
    return table


def _states(detail: Detail) -> Table:
    assert detail.compared_at is not None
    title = f"states at {said.when(detail.compared_at)}"
    table = Table(title=title, title_justify="left")
    for name in ("field", "box", "replay"):
        table.add_column(name, overflow="fold")
    for name, theirs, ours, differs in detail.states:
        style = "bold red" if differs else None
        table.add_row(name, escape(str(theirs)), escape(str(ours)), style=style)
    return table


def print_compared(
    out: Console, found: Compared, base: str, other: str, notes: list[str]
) -> None:
    """What other rules would have decided otherwise."""
    told = [one for one in found.otherwise if not one.lamp_only]
    lamps = len(found.otherwise) - len(told)
    if told:
        out.print(_otherwise(told[:ROWS_MAX], base, other))
    if found.count - lamps > ROWS_MAX:
        out.print(f"… and {found.count - lamps - ROWS_MAX:,} more; --json lists them",
                  highlight=False)
    if lamps:
        out.print(f"{lamps:,} more only in what the lamp shows; --json lists them",
                  highlight=False)
    out.print(
        f"{found.events:,} events in {found.segments:,} segments: {other} would have decided "
        f"{found.count:,} of them otherwise than {base}", highlight=False, markup=False,
    )
    out.print(f"lost: {found.lost_ms / 60_000:.1f} minutes of charging, "
              f"{found.lost_wh / 1000:.3f} kWh (recorded)", highlight=False)
    out.print(f"gained: {found.gained_ms / 60_000:.1f} minutes with power allowed, "
              f"{found.gained_wh / 1000:.3f} kWh (estimate)", highlight=False)
    for note in notes:
        out.print(f"note: {note}", style="yellow", highlight=False, markup=False, soft_wrap=True)


def _otherwise(told: list[Otherwise], base: str, other: str) -> Table:
    table = Table(title="decided otherwise", title_justify="left")
    for name in ("at", "event", base, other):
        table.add_column(escape(name), overflow="fold")
    for one in told:
        sides = (
            (one.base, one.base_refusals, one.limits_ma[0]),
            (one.other, one.other_refusals, one.limits_ma[1]),
        )
        words = (_side(*side) for side in sides)
        event = said.short(one.event)
        table.add_row(*(escape(word) for word in (said.when(one.entry), event, *words)))
    return table


def _side(decided: list[dict[str, Any]], refusals: list[str], limit_ma: int) -> str:
    refused = f"refuses: {' '.join(refusals)}" if refusals else f"allows {limit_ma} mA"
    return "\n".join([*(said.line(one) for one in decided), refused])
