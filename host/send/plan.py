"""A smart schedule in a file, as the periods that a box takes."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from host.send import moment
from host.send.rows import FileWrong, Row, read_rows

PERIODS_MAX = 24
COLUMNS = ("from", "until", "amps")
AMPS_MAX = 80
_RIGHT = "right is ISO 8601 with its zone, as 2026-11-24T18:00+01:00"


@dataclass(frozen=True)
class Period:
    """A limit from a time to before another."""

    from_utc_s: int
    until_utc_s: int
    limit_ma: int


def read_plan(path: Path) -> list[Period]:
    """The periods of a file with the columns from, until and amps. Raises FileWrong.

    They are in ascending order, do not overlap, and tell their zones; at most 24.
    """
    periods: list[Period] = []
    line = 0
    for row in read_rows(path, set(COLUMNS), COLUMNS, PERIODS_MAX):
        period = Period(_time(row, "from"), _time(row, "until"), row.milliamperes("amps", AMPS_MAX))
        if not row["amps"]:
            raise row.wrong("amps", "", "right is a current in A; 0 is a pause")
        if period.until_utc_s <= period.from_utc_s:
            raise row.wrong("until", row["until"], "right is a time after from")
        if periods and period.from_utc_s < periods[-1].until_utc_s:
            raise row.wrong("from", row["from"], f"right is a time after the until of line {line}")
        periods.append(period)
        line = row.line
    if not periods:
        raise FileWrong(f"{path}: no period; --none is no plan")
    return periods


def _time(row: Row, column: str) -> int:
    text = row[column]
    try:
        if moment.iso(text).tzinfo is None:
            raise row.wrong(column, text, _RIGHT)
        return moment.utc_s(text)
    except (ValueError, OverflowError):
        raise row.wrong(column, text, _RIGHT) from None
