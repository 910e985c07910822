"""`wallbox timeline`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from host.console import EXIT_UNUSABLE, ColorOption, error, fail, out


def register(app: typer.Typer) -> None:
    app.command("timeline")(timeline)


def timeline(
    log: Annotated[
        Path, typer.Argument(help="A field log, or the image of a trace's or ledger's partition.")
    ],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="The page; LOG with .html if not given.")
    ] = None,
    begin: Annotated[
        str | None,
        typer.Option("--from", help="Show what came at or after this time (ISO 8601, or -2d)."),
    ] = None,
    end: Annotated[
        str | None, typer.Option("--to", help="Show what came before this time.")
    ] = None,
    language: Annotated[str, typer.Option(help="Of the page: en or da.")] = "en",
    as_json: Annotated[bool, typer.Option("--json", help="Figures as one JSON object.")] = False,
    no_color: ColorOption = False,
) -> None:
    """Draw a field log as one HTML page: power, register, limits, refusals, link, seals over time.

    The page needs no network and no other file. Boots whose clock was never known have a
    chart of their own, by the time since boot; with --from or --to they are left out.
    Times without a zone are Danish.

    Exit code 0: the page is written. 2: wrong options. 4: the log cannot be read, holds
    nothing in that time, or the page cannot be written.
    """
    from host.provisioning.files import write_whole
    from host.replay.field_log import NoLog, read_log
    from host.replay.timeline import make_timeline
    from host.replay.timeline_read import Window
    from host.replay.timeline_words import LANGUAGES

    if language not in LANGUAGES:
        raise typer.BadParameter(f"{language}: there are {', '.join(LANGUAGES)}")
    window = Window(_ms(begin, "--from"), _ms(end, "--to"))
    try:
        found = read_log(log)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    path = output or log.with_suffix(".html")
    if path.resolve() == log.resolve():
        raise typer.BadParameter(f"{path} is the log itself; name another page with -o")
    with _Progress() as progress:
        drawn = make_timeline(found, window, progress)
    if drawn.empty:
        fail(f"{log}: holds nothing in that time; widen --from and --to", EXIT_UNUSABLE)
    text = drawn.html(language)
    try:
        write_whole(path, text.encode(), 0o644)
    except OSError as wrong:
        fail(f"{path}: cannot be written: {wrong.strerror}; name another with -o", EXIT_UNUSABLE)
    summary = {**drawn.summary(), "file": str(path), "bytes": len(text.encode())}
    if as_json:
        print(json.dumps(summary, ensure_ascii=False))
        return
    out.print(
        f"{path}: {summary['trace_entries']} entries of the trace, {summary['ledger_records']} "
        f"records of the ledger, {summary['sessions']} sessions; open it in a browser",
        highlight=False, markup=False, soft_wrap=True,
    )


def _ms(text: str | None, option: str) -> int | None:
    from host.send.moment import utc_s

    if text is None:
        return None
    try:
        return utc_s(text) * 1000
    except ValueError as wrong:
        raise typer.BadParameter(str(wrong), param_hint=option) from None


class _Progress:
    """One line on standard error while a terminal is there."""

    def __enter__(self) -> _Progress:
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("{task.description}"), BarColumn(), TimeRemainingColumn(),
            console=error, transient=True, disable=not error.is_terminal,
        )
        self._bar.start()
        self._task = self._bar.add_task("reading", total=None)
        return self

    def __exit__(self, *_exception: object) -> None:
        self._bar.stop()

    def __call__(self, what: str, done: int, total: int) -> None:
        self._bar.update(self._task, description=what, completed=done, total=total)
