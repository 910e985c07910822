"""`wallbox ledger verify`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import EXIT_UNUSABLE, ColorOption, error, fail, out

if TYPE_CHECKING:
    from host.keys import KeyStore
    from host.ledger.verify.findings import Progress
    from host.ledger.verify.verifier import Report

EXIT_WRONG = 1
_KEYS = Path("keys")


def verify(
    source: Annotated[
        str,
        typer.Argument(
            help="A flash image (all of it, or only its ledger), the collector's database, or the "
            "serial port of a box (/dev/ttyUSB0, box:COM3)."
        ),
    ],
    box: Annotated[
        str | None,
        typer.Option(help="Serial. Of a database: only this box. Of an image: whose key to take."),
    ] = None,
    keys: Annotated[
        Path | None,
        typer.Option(
            envvar="WALLBOX_KEYS",
            help="Key store: a directory of <serial>.key.  [default: keys, if there is one]",
        ),
    ] = None,
    without_key: Annotated[
        bool, typer.Option("--without-key", help="Check all that can be checked without the key.")
    ] = False,
    allow_accepted: Annotated[
        bool,
        typer.Option(
            "--allow-accepted", help="Holes that the operator has accepted count as notes."
        ),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Stop the box at the serial port without asking.")
    ] = False,
    save: Annotated[
        Path | None, typer.Option(help="Keep what was read from the box in this new file.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a box, a line.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Prove that a ledger is whole, or say which record is damaged, missing, repeated or moved.

    Never writes to the source. A box at a serial port is stopped for that (it opens its contactor;
    a session goes on afterwards, with a gap), read, and reset.

    Exit code 0: whole, as far as the summary says. 1: something is wrong, as listed. 2: wrong
    options. 4: the source or the key store is unusable.
    """
    from host.keys import KeyStoreError
    from host.ledger.verify.render import print_report, report_json
    from host.ledger.verify.rows import Unusable

    if without_key and keys:
        raise typer.BadParameter("--keys and --without-key exclude each other")
    try:
        store = None if without_key else _key_store(keys)
        sort = _allowed_sort(source, yes, save)
        with _progress() as progress:
            reports = list(_reports(source, sort, box, store, save, progress))
    except (Unusable, KeyStoreError) as unusable:
        fail(str(unusable), EXIT_UNUSABLE)
    for report in reports:
        if allow_accepted:
            report.accept_holes()
        if as_json:
            print(json.dumps(report_json(report), ensure_ascii=False))
        else:
            print_report(out, report)
    if not all(report.whole for report in reports):
        raise typer.Exit(EXIT_WRONG)


def _key_store(path: Path | None) -> KeyStore | None:
    from host.keys import KeyStore

    if path is None and not _KEYS.is_dir():
        return None
    return KeyStore(path or _KEYS)


def _allowed_sort(source: str, yes: bool, save: Path | None) -> str:
    """Which sort of source it is. A box is only stopped by somebody who wants that."""
    from host.ledger.verify.findings import BOX
    from host.ledger.verify.sources import sort_of

    sort = sort_of(source)
    if sort != BOX:
        if save:
            raise typer.BadParameter("--save keeps what is read from a box; SOURCE is none")
        return sort
    if save and save.exists():
        raise typer.BadParameter(f"--save {save}: is there already; name a new file")
    if not yes and not sys.stdin.isatty():
        raise typer.BadParameter(f"reading {source} stops the box there; allow it with --yes")
    question = f"The box at {source} will be stopped for about a minute and reset. Go on?"
    if not yes and not typer.confirm(question, err=True):
        raise typer.BadParameter("nothing was read")
    return sort


def _reports(
    source: str,
    sort: str,
    box: str | None,
    store: KeyStore | None,
    save: Path | None,
    progress: Progress,
) -> Iterator[Report]:
    from host.ledger.verify.findings import BOX, DATABASE, Finding
    from host.ledger.verify.key_choice import choose_key
    from host.ledger.verify.sources import read_database, read_file, read_port
    from host.ledger.verify.verifier import verify as verified

    if sort == DATABASE:
        for contents, broken in read_database(source, box, progress):
            contents.findings += broken
            yield verified(contents, choose_key(store, contents, False), progress)
        return
    if sort == BOX:
        contents, image = read_port(source, progress)
        if save:
            _keep(save, image)
    else:
        contents = read_file(source, progress)
    if box and contents.box not in ("", box):
        contents.findings.append(Finding("box", f"the box calls itself {contents.box}"))
    contents.box = box or contents.box
    yield verified(contents, choose_key(store, contents, box is not None), progress)


def _keep(path: Path, image: bytes) -> None:
    try:
        with path.open("xb") as file:
            file.write(image)
    except OSError as failure:
        fail(f"{path}: cannot be written: {failure.strerror}", EXIT_UNUSABLE)


@contextmanager
def _progress() -> Iterator[Progress]:
    """A bar on standard error, on a terminal only."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
    hidden = not error.is_terminal
    with Progress(*columns, console=error, transient=True, disable=hidden) as bar:
        task = bar.add_task("opening", total=None)

        def show(what: str, done: int, total: int) -> None:
            bar.update(task, description=what, completed=done, total=total or None)

        yield show
