"""`wallbox replay`: a box's decisions once more, on this laptop."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from host.console import EXIT_UNREACHABLE, EXIT_UNUSABLE, ColorOption, fail, out

if TYPE_CHECKING:
    from host.replay.against import Compared
    from host.replay.cores import Core
    from host.replay.field_log import FieldLog
    from host.replay.spread import Progress
    from host.replay.survey import Survey

EXIT_DIFFERS = 1
_PLACE = re.compile(r"(?:\[([^\]]+)\]|([^:]+))(?::([^:]*))?")
CPYTHON, MICROPYTHON = "cpython", "micropython"

LogArgument = Annotated[
    Path, typer.Argument(help="A log of `wallbox trace pull`, or the image of a trace's partition.")
]
RevOption = Annotated[
    str | None,
    typer.Option("--rev", metavar="REV", help="Play with the rules of this git revision (or of a "
                 "folder `core`) instead of this tree's."),
]
AnyCoreOption = Annotated[
    bool,
    typer.Option("--any-core", help="Play also what other rules have decided."),
]
WorkersOption = Annotated[
    int | None,
    typer.Option(min=1, max=256, help="Processes; as many as there are cores if left out."),
]
JsonOption = Annotated[bool, typer.Option("--json", help="One JSON object.")]


def register(app: typer.Typer) -> None:
    from host.replay.anonymise_command import register as register_log
    from host.replay.explain_command import explain
    from host.replay.pull_command import register as register_trace

    app.command("replay")(replay)
    app.command("explain")(explain)
    register_log(app)
    register_trace(app)


def replay(
    log: LogArgument,
    on: Annotated[
        list[str] | None,
        typer.Option("--on", metavar="LANE", help="cpython, micropython, or the serial port of a "
                     "bare chip; several must agree; cpython if left out."),
    ] = None,
    all_of_it: Annotated[
        bool, typer.Option("--all", help="Go on behind the first difference.")
    ] = False,
    rev: RevOption = None,
    any_core: AnyCoreOption = False,
    against: Annotated[
        str | None,
        typer.Option(metavar="REV", help="List what the rules of this git revision (or of a folder "
                     "`core`) would have decided otherwise."),
    ] = None,
    publish: Annotated[
        str | None,
        typer.Option(metavar="BROKER", help="Play nothing: publish the log's ledger at this broker "
                     "as the box did; all options of it are those of `wallbox republish`."),
    ] = None,
    speed: Annotated[
        str | None,
        typer.Option(help="With --publish: 60x, an hour in a minute; max if left out."),
    ] = None,
    workers: WorkersOption = None,
    as_json: JsonOption = False,
    no_color: ColorOption = False,
) -> None:
    """Feed the rules with what a box recorded, and compare what they decide with what it did.

    Compared are the sum of the decisions after each flush of the trace, and the whole state at
    each snapshot, about hourly. Registers and times are the recorded ones.

    \b
    wallbox replay field.zip
    wallbox replay field.zip --on cpython --on micropython
    wallbox replay field.zip --against HEAD~1
    wallbox replay field.zip --publish localhost --speed 60x

    Exit code 0: all agrees; with --against, nothing would differ; with --publish see `wallbox
    republish --help`. 1: something differs. 2: wrong
    options. 3: the chip does not answer or gives no prompt. 4: log or rules are unusable.
    """
    from host.replay.cores import NoCore, of_revision

    if "" in (rev, against, publish):  # a variable of a script that is not set
        raise typer.BadParameter("--rev, --against and --publish need a name, not an empty one")
    if against and on:
        raise typer.BadParameter("--against plays on cpython; leave --on out")
    if publish:
        if on or all_of_it or rev or any_core or against or workers:
            raise typer.BadParameter("--publish plays nothing; it goes with --speed and --json")
        _publish(log, publish, speed or "max", as_json)
        return
    if speed:
        raise typer.BadParameter("--speed goes with --publish")
    found, seen = opened(log)
    try:
        with rules(rev) as core:
            wanted = None if any_core else frozenset([core.hash])
            if wanted and core.hash not in seen.cores:
                refuse_core(log, list(seen.cores)[-1], core)
            if not against:
                _played(found, seen, core, wanted, on or [CPYTHON], all_of_it, workers, as_json)
                return
            with of_revision(against) as other:
                _against(found, seen, core, other, wanted, workers, as_json)
    except NoCore as wrong:
        fail(str(wrong), EXIT_UNUSABLE)


def _publish(log: Path, broker: str, speed: str, as_json: bool) -> None:
    """`wallbox republish`, with its options from the environment."""
    from host.replay.publish_command import republish_command

    host, port = place_of(broker)
    words = [str(log), "--broker", host, "--speed", speed]
    words += ["--port", port] if port else []
    once = typer.Typer(add_completion=False)
    once.command("republish")(republish_command)
    once([*words, "--json"] if as_json else words, prog_name="wallbox republish")


def place_of(broker: str) -> tuple[str, str]:
    """Host and port, "" if it has none; an address of IPv6 stands in brackets before a port."""
    found = _PLACE.fullmatch(broker)
    return (found[1] or found[2], found[3] or "") if found else (broker, "")


def opened(path: Path) -> tuple[FieldLog, Survey]:
    """A log that can be played, at least some of it."""
    from host.replay.field_log import NoLog, read_log
    from host.replay.survey import survey

    try:
        log = read_log(path)
    except NoLog as wrong:
        fail(str(wrong), EXIT_UNUSABLE)
    if not log.trace:
        fail(f"{path}: there is no trace in it; pull one with `wallbox trace pull`", EXIT_UNUSABLE)
    seen = survey(log.trace)
    if not seen.cores:
        fail(f"{path}: no snapshot in {len(log.trace)} records, so nothing can be played; pull it "
             "again after an hour, or update the box's firmware", EXIT_UNUSABLE)
    return log, seen


def rules(rev: str | None) -> AbstractContextManager[Core]:
    """The rules to play with. Raises NoCore."""
    from host.replay.cores import of_revision, of_tree

    return of_revision(rev) if rev else contextlib.nullcontext(of_tree())


def refuse_core(path: Path, decided: bytes, core: Core) -> NoReturn:
    """What is asked for was decided by other rules, of the hash `decided`."""
    from host.replay.cores import find
    from host.replay.survey import UNTOLD, name

    known = "" if decided == UNTOLD else find(decided)
    if known:
        hint = f"git knows them as {known}: add --rev {known}, or --any-core"
    else:
        hint = "git does not find them here; add --rev REV if you know better, or --any-core"
    fail(f"{path}: decided by {name(decided)}, not by those of {core.said} ({core.hash.hex()}); "
         f"{hint}", EXIT_UNUSABLE)


def _played(
    log: FieldLog, seen: Survey, core: Core, wanted: frozenset[bytes] | None, on: list[str],
    all_of_it: bool, workers: int | None, as_json: bool,
) -> None:
    from host.replay.detail import explain as detail_of
    from host.replay.lanes import disagreements, play_on
    from host.replay.other_lanes import LaneFails
    from host.replay.play import Lanes
    from host.replay.render import print_checked, print_detail
    from host.replay.spread import Task, play_all, workers_of
    from host.replay.survey import notes

    others = [lane for lane in on if lane != CPYTHON]
    task = Task(core, log.layouts, wanted, all_of_it or bool(others), bool(others))
    with progress("playing", as_json) as show:
        played = play_all(log.trace, task, workers_of(workers), show)
    differences = played.differences if all_of_it else played.differences[:1]
    lanes = Lanes(core.load(), log.layouts)
    details = [detail_of(log.trace, lanes, one, log.ledger) for one in differences]
    told = notes(seen, wanted)
    if played.checked.frozen:
        told.append(f"{played.checked.frozen:,} events came while the ledger took nothing: the box "
                    "asked its rules no more")
    if played.checked.unknown:
        told.append(f"{played.checked.unknown:,} events are of kinds that these rules do not know")
    lines: list[str] = []
    try:
        for lane in others:
            results = play_on(lane, core, log, wanted)
            lines += disagreements(lane, played, results)
    except LaneFails as wrong:
        fail(str(wrong), EXIT_UNREACHABLE)
    if as_json:
        print(json.dumps({
            "log": _about(log, seen), "core": core.hash.hex(), "rules": core.said, "lanes": on,
            "checked": vars(played.checked), "notes": told, "lanes_differ": lines,
            "differences": [detail.as_dict() for detail in details],
        }))  # fmt: skip
    else:
        print_about(log, seen)
        for detail in details:
            print_detail(out, detail)
        print_checked(out, played.checked, told)
        for line in lines:
            out.print(line, style="bold red", highlight=False, markup=False)
        if others and not lines:
            out.print(f"the lanes {', '.join([CPYTHON, *others])} agree", highlight=False)
    if played.differences or lines:
        raise typer.Exit(EXIT_DIFFERS)


def _against(
    log: FieldLog, seen: Survey, core: Core, other: Core, wanted: frozenset[bytes] | None,
    workers: int | None, as_json: bool,
) -> None:
    from host.replay.against import compare
    from host.replay.render import print_compared
    from host.replay.spread import workers_of
    from host.replay.survey import notes

    with progress("comparing", as_json) as show:
        found: Compared = compare(
            log.trace, core, other, log.layouts, wanted, workers_of(workers), show
        )
    told = notes(seen, wanted)
    if found.unknown:
        told.append(f"{found.unknown:,} events are of kinds that {other.said} does not know")
    if found.broken:
        told.append(f"rules failed in {found.broken:,} segments, whose rest was not compared: "
                    f"{found.fault}")
    if as_json:
        print(json.dumps({
            "log": _about(log, seen), "base": core.said, "other": other.said,
            "events": found.events, "segments": found.segments, "count": found.count,
            "lost_minutes": round(found.lost_ms / 60_000, 1), "lost_kwh": found.lost_wh / 1000,
            "gained_minutes_estimate": round(found.gained_ms / 60_000, 1),
            "gained_kwh_estimate": found.gained_wh / 1000, "notes": told,
            "otherwise": [one.as_dict() for one in found.otherwise],
        }))  # fmt: skip
    else:
        print_about(log, seen)
        print_compared(out, found, core.said, other.said, told)
    if found.count or found.broken:
        raise typer.Exit(EXIT_DIFFERS)


def print_about(log: FieldLog, seen: Survey) -> None:
    about = _about(log, seen)
    out.print(f"{about['box']}: {seen.records:,} records, {seen.begins or 'time unknown'} to "
              f"{seen.ends or 'time unknown'}", highlight=False, markup=False)


def _about(log: FieldLog, seen: Survey) -> dict[str, object]:
    return {
        "box": log.origin.serial or "a box that the log does not name", "records": seen.records,
        "missing": seen.missing, "before_first_snapshot": seen.before, "begins": seen.begins,
        "ends": seen.ends, "cores": {core.hex(): count for core, count in seen.cores.items()},
    }  # fmt: skip


@contextlib.contextmanager
def progress(what: str, quiet: bool) -> Iterator[Progress]:
    """A bar on standard error, for people only; it takes the part that is done."""
    from host.send.progress import bar

    with bar(what, 1000, quiet) as done:
        yield lambda part: done(int(part * 1000))
