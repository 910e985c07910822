"""`wallbox bench` and `wallbox size`: what the box costs."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer
from rich.progress import Progress
from rich.table import Table

from host.console import EXIT_UNUSABLE, ColorOption, error, fail, out

if TYPE_CHECKING:
    from host.figures.figure import Bench, Figure

VERDICTS = {True: "met", False: "[bold]missed[/bold]", None: ""}


def register(app: typer.Typer) -> None:
    app.command("bench")(bench)
    app.command("size")(size)


def bench(
    names: Annotated[
        list[str] | None,
        typer.Argument(
            help="append, mount, wear, capacity, heap, poll, seal, tag, publish, drain, imports,"
            " provision, verify, replay, hour; all if left out."
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Measure on the real interpreter: value, goal, raw values, the peer's, and the bound.

    Times are this machine's: ratios and stalls carry over to the ESP32, milliseconds do not.
    Exit code 0: measured, whether the goals are met or not. 2: no such bench. 4: a part is missing.
    """
    from host.figures.benches import BENCHES

    known = {one.name: one for one in BENCHES}
    for name in names or []:
        if name not in known:
            raise typer.BadParameter(f"{name}: choose from {', '.join(known)}")
    chosen = [known[name] for name in names] if names else list(BENCHES)
    results: dict[str, list[Figure]] = {}
    with Progress(console=error, transient=True) as progress:
        task = progress.add_task("measuring", total=len(chosen))
        for one in chosen:
            progress.update(task, description=one.sentence)
            try:
                results[one.name] = one.measure()
            except RuntimeError as failure:
                fail(f"bench {one.name}: {failure}", EXIT_UNUSABLE)
            progress.advance(task)
    if as_json:
        out.print_json(json.dumps({name: [f.as_dict() for f in results[name]] for name in results}))
        return
    for one in chosen:
        out.print(_table(one, results[one.name]))
    verdicts = [figure.met for name in results for figure in results[name]]
    out.print(f"goals: {verdicts.count(True)} met, {verdicts.count(False)} missed")


def _table(one: Bench, figures: list[Figure]) -> Table:
    table = Table(title=f"{one.sentence}  ({one.command})", title_justify="left")
    table.add_column("figure")
    table.add_column("value", justify="right")
    table.add_column("unit")
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("")
    table.add_column("raw values, peer, bound", overflow="fold")
    for figure in figures:
        verdict = VERDICTS[figure.met]
        value = f"{figure.value:,.6g}"
        table.add_row(figure.name, value, figure.unit, figure.goal, verdict, figure.note)
    return table


def size(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Bytes of each firmware module as it lies in the box, and the heap after boot.

    Exit code 0: printed. 4: the box did not start.
    """
    from host.figures.hour import heap_after_boot
    from host.image import firmware_files

    files = {name: len(content) for name, content in sorted(firmware_files().items())}
    try:
        heap = heap_after_boot()
    except (TimeoutError, RuntimeError) as failure:
        fail(f"size: {failure}", EXIT_UNUSABLE)
    if as_json:
        out.print_json(json.dumps({"files": files, "heap": heap}))
        return
    table = Table(title="firmware in the box", show_footer=True)
    table.add_column("file", "all")
    table.add_column("bytes", f"{sum(files.values()):,}", justify="right")
    for name, length in files.items():
        table.add_row(name, f"{length:,}")
    out.print(table)
    for name, value in heap.items():
        out.print(f"{name}: {value:,}")
