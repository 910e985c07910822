"""`wallbox ledger`: show what was stored, prove it, count absences, accept a hole."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import EXIT_UNUSABLE, ColorOption, JsonOption, fail, out
from host.ledger.availability_command import availability
from host.ledger.verify.command import verify

if TYPE_CHECKING:
    from host.collect.database import Database

TABLE_ROWS = 100  # --last of a table that is not told otherwise

_ledger = typer.Typer(help="The boxes' records as they were stored.", no_args_is_help=True)

DatabaseOption = Annotated[
    Path, typer.Option(envvar="WALLBOX_DATABASE", help="The collector's SQLite file.")
]
_DATABASE = Path("wallbox.db")


def register(app: typer.Typer) -> None:
    app.add_typer(_ledger, name="ledger")
    _ledger.command("verify")(verify)
    _ledger.command("availability")(availability)


@_ledger.command("show")
def show(
    box: Annotated[str | None, typer.Argument(help="Serial of one box; all boxes if left out.")] = (
        None
    ),
    database: DatabaseOption = _DATABASE,
    sessions: Annotated[
        bool, typer.Option("--sessions", help="Sessions and gaps instead of records.")
    ] = False,
    since: Annotated[
        str | None,
        typer.Option(help="From the first record at or after this day or time, 2026-01-31T13:00."),
    ] = None,
    kind: Annotated[
        list[str] | None, typer.Option(help="Only this kind of record; may be given again.")
    ] = None,
    last: Annotated[
        int | None,
        typer.Option(min=0, help="Only the last N records of a box, 0 = all.  [table: 100]"),
    ] = None,
    local: Annotated[
        bool, typer.Option("--local", help="Times of Europe/Copenhagen instead of UTC in tables.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    as_csv: Annotated[bool, typer.Option("--csv", help="Comma-separated, with a header.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Print records in the field's terms, with totals; or the sessions.

    Letters behind a time are its quality: S synchronised, R relative, I informative, U unknown.
    Exit code 0: printed. 2: wrong options. 4: no such database or box.
    """
    from host.ledger.bounds import placed
    from host.ledger.entries import Entry, choose_boxes, filtered, kind_numbers, read, standing
    from host.ledger.render import (
        entries_table,
        entry_json,
        print_entries_csv,
        print_json,
        print_sessions_csv,
        print_standing,
        print_sums,
        print_totals,
        sums_json,
    )
    from host.ledger.sums import add_up
    from host.ledger.words import Words

    if as_json and as_csv:
        raise typer.BadParameter("--json and --csv exclude each other")
    if sessions and (kind or last is not None):
        raise typer.BadParameter("--kind and --last choose records; --sessions shows none")
    words = Words(local)
    since_utc_s = _utc_s(since, words) if since else 0
    try:
        kinds = kind_numbers(kind or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    with opened(database) as file, file.reading() as connection:
        chosen = choose_boxes(connection, box)

        def entries(serial: str, count: int) -> Iterator[Entry]:
            everything = placed(read(connection, serial))  # neighbours that are not shown count
            return filtered(everything, since_utc_s, kinds, count)

        if as_csv and sessions:
            print_sessions_csv(add_up(entries(serial, 0)) for serial in chosen)
        elif as_csv:
            print_entries_csv(
                itertools.chain.from_iterable(entries(serial, last or 0) for serial in chosen)
            )
        elif as_json and sessions:
            for serial in chosen:
                print_json(sums_json(add_up(entries(serial, 0))))
        elif as_json:
            for serial in chosen:
                print_json(entry_json(entry) for entry in entries(serial, last or 0))
        else:
            sums = [add_up(entries(serial, 0)) for serial in chosen] if not kinds else []
            if sessions:
                print_sums(out, sums, words)
            else:
                count = TABLE_ROWS if last is None else last
                for serial in chosen:
                    out.print(entries_table(entries(serial, count), words, len(chosen) > 1))
            print_totals(out, (total for one in sums for total in one.totals))
            for serial in chosen:
                print_standing(out, standing(connection, serial))


@_ledger.command("quarantine")
def quarantine(
    database: DatabaseOption = _DATABASE,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """List what came and was not believed, with the reason.

    Exit code 0: printed. 4: there is no database.
    """
    from sqlalchemy import select

    from host.collect.database import quarantine as table
    from host.ledger.render import utc_text

    with opened(database) as file, file.reading() as connection:
        rows = connection.execute(select(table).order_by(table.c.box, table.c.id)).all()
        if as_json:
            told = [{**row._asdict(), "data": row.data.hex()} for row in rows]
            out.print_json(json.dumps({"quarantine": told}))
            return
        for row in rows:
            sequence = "" if row.sequence is None else f" record {row.sequence}"
            out.print(
                f"{row.box}{sequence}: {row.reason}, {row.count} times, first "
                f"{utc_text(row.first_at)}, last {utc_text(row.last_at)}: {row.data.hex()}",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


@_ledger.command("accept-hole")
def accept_hole(
    box: Annotated[str, typer.Argument(help="Serial of the box.")],
    database: DatabaseOption = _DATABASE,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Let the box's chain go on behind records that will never come.

    A box is asked for missing records again and again, and what lies behind them is not taken
    meanwhile. If its flash has lost them for good, this makes the next two records that follow
    from each other the beginning of a new chain; the hole stays visible.

    Exit code 0: accepted. 2: no such box. 4: there is no database.
    """
    from sqlalchemy import update

    from host.collect.database import boxes
    from host.ledger.entries import choose_boxes

    with opened(database) as file:
        with file.reading() as connection:
            choose_boxes(connection, box)
        with file.writing() as connection:
            connection.execute(update(boxes).where(boxes.c.serial == box).values(hole_accepted=1))
    if as_json:
        out.print_json(json.dumps({"box": box, "hole_accepted": True}))
        return
    out.print(f"{box}: the next two records that fit each other go on behind the hole")


@contextmanager
def opened(path: Path) -> Iterator[Database]:
    from host.collect.database import Database, DatabaseUnusable
    from host.ledger.entries import NoSuchBox

    try:
        database = Database(path)
        try:
            yield database
        finally:
            database.close()
    except (DatabaseUnusable, NoSuchBox) as error:
        fail(str(error), EXIT_UNUSABLE)


def _utc_s(text: str, words: object) -> int:
    """A day or time without an offset is meant in the zone that the times are printed in."""
    from host.ledger.words import Words

    assert isinstance(words, Words)
    try:
        moment = datetime.fromisoformat(text.replace("Z", "+00:00"))
    except ValueError:
        raise typer.BadParameter(
            f"--since {text}: no day or time; write 2026-01-31 or 2026-01-31T13:00"
        ) from None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=words.zone)
    return max(0, int(moment.astimezone(timezone.utc).timestamp()))
