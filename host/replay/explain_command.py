"""`wallbox explain`: why did it (not) charge then."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from host.console import EXIT_UNUSABLE, ColorOption, fail, out
from host.replay.command import (
    AnyCoreOption,
    JsonOption,
    LogArgument,
    RevOption,
    opened,
    refuse_core,
    rules,
)

if TYPE_CHECKING:
    from host.replay.explain import Answer

EXIT_NOT_THERE = 5
_HIDDEN = ("en", "da", "why", "status", "boot", "now_ms", "utc", "local", "refusals", "next_entry")


def explain(
    log: LogArgument,
    at: Annotated[
        str,
        typer.Option("--at", metavar="TIME", help="ISO 8601 with a zone, Danish time without one, "
                     "or BOOT:MS, the ms since a boot."),
    ],
    lang: Annotated[str, typer.Option(help="en or da.")] = "en",
    rev: RevOption = None,
    any_core: AnyCoreOption = False,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Say why the box did or did not give power at a moment of its past.

    The rules are played up to there; what they refuse then, and all they know, is told.

    \b
    wallbox explain field.zip --at 2026-11-24T18:00
    wallbox explain field.zip --at 3:120000

    Exit code 0: told. 2: wrong options. 4: log or rules are unusable. 5: the log tells nothing of
    that moment.
    """
    from host.replay.cores import NoCore
    from host.replay.explain import NotThere, OtherCore, RulesFail, parsed
    from host.replay.explain import explain as answered
    from host.replay.play import Lanes

    if rev == "":
        raise typer.BadParameter("--rev needs a name, not an empty one")
    if lang not in ("en", "da"):
        raise typer.BadParameter(f"--lang {lang[:10]!r}: right is en or da")
    try:
        moment = parsed(at)
    except ValueError as wrong:
        raise typer.BadParameter(f"--at: {wrong}, or BOOT:MS") from None
    found, _seen = opened(log)
    try:
        with rules(rev) as core:
            wanted = None if any_core else {core.hash}
            try:
                told = answered(found.trace, Lanes(core.load(), found.layouts), moment, wanted)
            except OtherCore as other:
                refuse_core(log, other.core, core)
    except NoCore as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    except NotThere as wrong:
        fail(f"{log}: {wrong}", EXIT_NOT_THERE)
    except RulesFail as wrong:
        fail(f"{log}: these rules fail: {wrong}; play it with the rules that decided it: --rev",
             EXIT_UNUSABLE)
    if as_json:
        print(json.dumps({"box": found.origin.serial, **told.as_dict()}, ensure_ascii=False))
    else:
        _print(told, lang)


def _print(told: Answer, lang: str) -> None:
    from rich.table import Table
    from rich.text import Text

    from host.replay import said

    tree = told.tree
    when = f"{tree['local'] or 'time unknown'}, boot {tree['boot']}:{tree['now_ms']}"
    out.print(f"{when}: {tree['status']}, {tree['why']}", style="bold", highlight=False)
    out.print(tree[lang], highlight=False, markup=False)
    for refusal in tree["refusals"]:
        out.print(f"refuses: {refusal['name']}: {refusal[lang]}", highlight=False, markup=False)
    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in tree.items():
        if name not in _HIDDEN:
            table.add_row(Text(name), Text(_shown(value)))
    out.print(table)
    out.print("before:", style="bold")
    for step in told.steps:
        decided = "; ".join(said.line(one) for one in step.decisions)
        text = f"  {said.when(step.entry)} {said.short(step.event)}"
        out.print(text + (f" → {decided}" if decided else ""), highlight=False, markup=False,
                  soft_wrap=True)


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return ", ".join(f"{name} {_shown(one)}" for name, one in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value in (None, "") else str(value)
