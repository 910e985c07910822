"""How long the ledger lasts without the operator, written by the real agent."""

from __future__ import annotations

import tempfile
from typing import Any

from host.figures.figure import Figure, on_box

LEDGER_SIZE = 0x80000
SHIPPED_GRACE_H = 72  # presence.offline_grace_h
_TRACE_SIZE = 8 * 4096  # rotates, and is not what is measured
_QUARTERS_A_DAY = 96
_LEAST_DAYS = 30


def capacity() -> list[Figure]:
    free = every_car(played(LEDGER_SIZE))
    required = every_car(played(LEDGER_SIZE, reader_required=True))
    shipped = played(LEDGER_SIZE, grace_h=SHIPPED_GRACE_H)
    reserve = free["reserve_records"]
    return [
        _days("days without the operator until a car is refused", free),
        _days("the same, reader required", required),
        Figure("records that the reserve behind it holds", reserve, "",
               "intervals of the session that is running; then power is refused to it too"),
        Figure("a running session goes on for", reserve / _QUARTERS_A_DAY, "d",
               f"{reserve} quarters of an hour"),
        Figure("as shipped, the first car is refused after", shipped["refused_h"], "h",
               f"presence.offline_grace_h = {SHIPPED_GRACE_H}; {shipped['sessions']} sessions,"
               f" and the ledger is full after {shipped['days']:.1f} d"),
    ]  # fmt: skip


def played(ledger_size: int, reader_required: bool = False, grace_h: int = 0) -> dict[str, Any]:
    """96 intervals and 4 sessions a day until the ledger is full. RuntimeError if it fails."""
    numbers = [ledger_size, _TRACE_SIZE, int(reader_required), grace_h]
    with tempfile.TemporaryDirectory() as directory:
        return on_box("capacity.py", f"{directory}/flash", *map(str, numbers), heap="400wK")


def every_car(told: dict[str, Any]) -> dict[str, Any]:
    """What was played. RuntimeError if a car was refused before the ledger was full."""
    if told["sessions"] != told["expected"]:
        raise RuntimeError(
            f"capacity: {told['sessions']} sessions in {told['days']:.1f} days, not"
            f" {told['expected']}; the first car was refused after {told['refused_h']} h"
        )
    return told


def _days(name: str, told: dict[str, Any]) -> Figure:
    full = f"LedgerFull from {told['full_permille'] / 10:.0f} % on"
    note = (
        f"96 intervals and 4 sessions a day, {told['sessions']} in all;"
        f" {told['records']:,} records; {full}, and idle intervals are written no more"
    )
    return Figure(name, told["days"], "d", note, least=_LEAST_DAYS)
