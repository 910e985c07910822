"""How long the ledger lasts without the operator, written by the real agent."""

from __future__ import annotations

import tempfile

from host.figures.figure import Figure, on_box

LEDGER_SIZE = 0x80000
_TRACE_SIZE = 8 * 4096  # rotates, and is not what is measured
_QUARTERS_A_DAY = 96


def capacity() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        told = on_box(
            "capacity.py", f"{directory}/flash", str(LEDGER_SIZE), str(_TRACE_SIZE), heap="400wK"
        )
    reserve = told["reserve_records"]
    return [
        Figure("days without the operator until a car is refused", told["days"], "d",
               f"96 intervals and 4 sessions a day; {told['records']:,} records; LedgerFull from"
               f" {told['full_permille'] / 10:.0f} % on, and idle intervals are written no more",
               least=30),
        Figure("records that the reserve behind it holds", reserve, "",
               "intervals of the session that is running; then power is refused to it too"),
        Figure("a running session goes on for", reserve / _QUARTERS_A_DAY, "d",
               f"{reserve} quarters of an hour"),
    ]  # fmt: skip
