"""`wallbox ledger availability`."""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zoneinfo import ZoneInfo

import typer

from host.console import out

if TYPE_CHECKING:
    from host.ledger.availability import Absence, Statement
    from host.ledger.words import Words

DAY_S = 86_400


def availability(
    box: Annotated[str | None, typer.Argument(help="Serial of one box; all if left out.")] = None,
    database: Annotated[
        Path, typer.Option(envvar="WALLBOX_DATABASE", help="The collector's SQLite file.")
    ] = Path("wallbox.db"),
    month: Annotated[
        str | None, typer.Option(help="As 2026-11.  [default: the present month]")
    ] = None,
    utc: Annotated[
        bool, typer.Option("--utc", help="Months of UTC instead of Europe/Copenhagen.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a box.")] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; as with NO_COLOR set.")
    ] = False,
) -> None:
    """Print how much of a month each box was powered and answered, from its ledger alone.

    Planned absences are told apart. An end that a box could not date counts at its latest.
    Exit code 0: printed. 2: wrong options. 4: no such database or box.
    """
    from host.ledger.availability import absences, month_bounds, statement
    from host.ledger.bounds import placed
    from host.ledger.command import opened
    from host.ledger.entries import choose_boxes, read
    from host.ledger.words import Words

    zone = timezone.utc if utc else ZoneInfo("Europe/Copenhagen")
    chosen = month or datetime.now(zone).strftime("%Y-%m")
    try:
        month_bounds(chosen, zone)
    except ValueError:
        raise typer.BadParameter(f"--month {chosen}: no month; write 2026-11") from None
    if no_color:
        out.no_color = True
    with opened(database) as file, file.reading() as connection:
        for serial in choose_boxes(connection, box):
            found = absences(placed(read(connection, serial)))
            told = statement(serial, found, chosen, zone, int(time.time()))
            if as_json:
                print(json.dumps(_json(told), ensure_ascii=False))
            else:
                _print(told, Words(not utc))


def _json(told: Statement) -> dict[str, object]:
    return {**asdict(told), "availability_permille": told.availability_permille}


def _print(told: Statement, words: Words) -> None:
    from rich.table import Table

    permille = told.availability_permille
    out.print(
        f"{told.box} {told.month}: available {permille // 10}.{permille % 10} %, "
        f"absent {_span(told.absent_s)}, planned {_span(told.planned_s)}",
        style="bold",
        highlight=False,
    )
    if not told.absences:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (f"from ({words.zone_name})", "to", "cause", ""):
        table.add_column(name)
    for absence in told.absences:
        table.add_row(
            words.time(absence.from_utc_s, absence.from_quality),
            _end(absence, words),
            " and ".join(absence.cause),
            "planned" if absence.planned else "",
        )
    out.print(table)


def _end(absence: Absence, words: Words) -> str:
    if absence.to_utc_s is None:
        return "lasts"
    if absence.to_earliest_utc_s not in (None, absence.to_utc_s):
        return f"{words.time(absence.to_earliest_utc_s)} to {words.time(absence.to_utc_s)}"
    return words.time(absence.to_utc_s)


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, DAY_S)
    hours, minutes = rest // 3600, rest // 60 % 60
    return (f"{days} d " if days else "") + f"{hours}:{minutes:02d} h"
