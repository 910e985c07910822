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

from host.console import ColorOption, out

if TYPE_CHECKING:
    from host.ledger.absences import Absence
    from host.ledger.availability import Statement
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
    no_color: ColorOption = False,
) -> None:
    """Print how much of a month each box was powered and answered, from its ledger alone.

    Planned absences are told apart, up to the end of their announcement. A begin that a box could
    not date counts at its earliest, an end at its latest. What the ledger does not tell, as after
    its last record, is not known and counts as not available.
    Exit code 0: printed. 2: wrong options. 4: no such database or box.
    """
    from host.ledger.absences import absences
    from host.ledger.availability import month_bounds, statement
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
    with opened(database) as file, file.reading() as connection:
        for serial in choose_boxes(connection, box):
            found = absences(placed(read(connection, serial)))
            told = statement(serial, found, chosen, zone, int(time.time()))
            if as_json:
                print(json.dumps(_json(told), ensure_ascii=False))
            else:
                _print(told, Words(not utc))


def _json(told: Statement) -> dict[str, object]:
    return {
        **asdict(told),
        "present_s": told.present_s,
        "availability_permille": told.availability_permille,
        "unknown_permille": told.permille(told.unknown_s),
    }


def _print(told: Statement, words: Words) -> None:
    from rich.table import Table

    at_least = "at least " if told.unknown_s else ""
    share = _percent(told.availability_permille)
    out.print(
        f"{told.box} {told.month}: available {at_least}{share}", style="bold", highlight=False
    )
    parts = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("present", "planned", "absent", "not known"):
        parts.add_column(name)
    seconds = (told.present_s, told.planned_s, told.absent_s, told.unknown_s)
    parts.add_row(*(_span(part_s) for part_s in seconds))
    present_permille = told.present_s * 1000 // told.total_s if told.total_s else 0
    shares = (present_permille, *(told.permille(part_s) for part_s in seconds[1:]))
    parts.add_row(*(_percent(permille) for permille in shares))
    out.print(parts)
    if told.unknown_s:
        out.print(_known(told, words), highlight=False)
    if not told.absences:
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in (f"from ({words.zone_name})", "to", "cause", "planned until"):
        table.add_column(name)
    for absence in told.absences:
        table.add_row(
            _begin(absence, words),
            _end(absence, words),
            " and ".join(absence.cause),
            words.time(absence.planned_until_utc_s) if absence.planned else "",
        )
    out.print(table)


def _known(told: Statement, words: Words) -> str:
    if not told.known_until_utc_s:
        return "no record of this ledger is dated"
    first, last = words.time(told.known_from_utc_s), words.time(told.known_until_utc_s)
    holes = ", with records missing in between" if told.holes else ""
    return f"the ledger tells from {first} to {last} ({words.zone_name}){holes}"


def _begin(absence: Absence, words: Words) -> str:
    earliest, latest = absence.from_utc_s, absence.from_latest_utc_s
    if earliest == latest:
        return words.time(earliest, absence.from_quality)
    return words.bounded(None, None, earliest, latest)


def _end(absence: Absence, words: Words) -> str:
    earliest, latest = absence.to_earliest_utc_s, absence.to_utc_s
    if earliest is None:
        return "lasts"
    if earliest == latest:
        return words.time(latest)
    return words.bounded(None, None, earliest, latest)


def _percent(permille: int) -> str:
    return f"{permille // 10}.{permille % 10} %"


def _span(seconds: int) -> str:
    days, rest = divmod(seconds, DAY_S)
    hours, minutes = rest // 3600, rest // 60 % 60
    return (f"{days} d " if days else "") + f"{hours}:{minutes:02d} h"
