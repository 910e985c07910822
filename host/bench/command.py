"""`wallbox bench-check` and `wallbox board`."""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import EXIT_REFUSED, EXIT_UNUSABLE, error, fail, out

JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object a line.")]
ColorOption = Annotated[bool, typer.Option("--no-color", help="No colours, as NO_COLOR does.")]
if TYPE_CHECKING:
    from hw.bench.check import Row

_COLORS = {"pass": "green", "fail": "red", "skip": "yellow"}


def register(app: typer.Typer) -> None:
    app.command("bench-check")(bench_check)
    app.command("board")(board)


def bench_check(
    file: Annotated[Path, typer.Argument(help="bench.toml, the parts of the bench.")],
    box: Annotated[str, typer.Option(help="The box's serial port, as /dev/ttyUSB0.")],
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Try each part of a bench for hardware in the loop: relays, meter, broker, box, car, seals.

    Relays click, the box is switched on, a seal is opened. Exit code 0: all that is there works.
    2: wrong options. 4: the file is wrong. 5: something failed.
    """
    from host.provisioning.outcome import Stopped

    out.no_color = error.no_color = no_color or out.no_color
    try:
        from hw.bench.check import try_bench
        from hw.bench.config import read_bench
        from hw.bench.guard import terminated_in_order
    except ModuleNotFoundError as missing:
        fail(f"{missing.name} is not installed; pip install 'wallbox-agent[sim]'", EXIT_UNUSABLE)
    try:
        config = read_bench(file)
    except Stopped as stopped:
        fail(str(stopped), stopped.code)
    failed = False
    with terminated_in_order(), contextlib.closing(try_bench(config, box)) as rows:
        for row in rows:
            failed = failed or row.result == "fail"
            _show(row, as_json)
    if failed:
        raise typer.Exit(EXIT_REFUSED)


def _show(row: Row, as_json: bool) -> None:
    if as_json:
        print(json.dumps(row.as_dict()), flush=True)
        return
    out.print(f"[{_COLORS[row.result]}]{row.result}[/]  {row.part:<17}", end="")
    out.print(row.measured, style=None, markup=False, highlight=False)
    if row.do:
        out.print(f"      {row.do}", markup=False, highlight=False)


def board(
    name: Annotated[str, typer.Argument(help="A file of hw/boards, as wroom32.")],
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Print how a board is wired: each function, its pin, and the sentence how to wire it.

    Exit code 0: told. 2: wrong options. 4: there is no such board.
    """
    from rich.table import Table

    from host.bench.boards import names, pins

    out.no_color = error.no_color = no_color or out.no_color
    if name not in names():
        fail(f"there is no board {name[:40]!r}; there are {', '.join(names())}", EXIT_UNUSABLE)
    table = Table(box=None, pad_edge=False)
    for title in ("function", "pin", "wiring"):
        table.add_column(title, overflow="fold")
    for function, (pin, sentence) in pins(name).items():
        if as_json:
            print(json.dumps({"function": function, "pin": pin, "wiring": sentence}))
        table.add_row(function, f"GPIO{pin}", sentence)
    if not as_json:
        out.print(table)
