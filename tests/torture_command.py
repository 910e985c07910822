"""The command behind `make torture`: any number of power cuts, on all cores.

$ python -m tests.torture --cuts 1000000 --seed 7
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import time
import traceback
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from enum import Enum
from typing import Annotated, NoReturn

import typer
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from host.console import EXIT_INTERRUPTED, EXIT_UNUSABLE, error, fail, out
from tests import torture
from tests.interpreter import ROOT, Interpreter

EXIT_BROKEN = 1
RUN_TIMEOUT_S = 600
HEAP = "500wK"
TEARS = ("nothing", "prefix", "scattered", "weak", "asleep", "nearly", "whole")

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


class Lane(str, Enum):
    cpython = "cpython"
    micropython = "micropython"


def play(lane: Lane, seed: int, cuts: int) -> list[int]:
    """The counts of one run and the digest of its flash. AssertionError tells seed and life."""
    if lane is Lane.cpython:
        with _no_longer_than(RUN_TIMEOUT_S, f"seed {seed}: the run does not end"):
            counts, digest = torture.run(seed, cuts)
            return [*counts, digest]
    code = f"from tests import torture\ncounts, digest = torture.run({seed}, {cuts})\n"
    code += "print(*counts, digest)\n"
    try:
        printed = Interpreter().run(code, heap=HEAP, path=[ROOT], timeout_s=RUN_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"seed {seed}: the run does not end") from None
    return [int(number) for number in printed.split()]


@contextlib.contextmanager
def _no_longer_than(seconds: int, text: str) -> Iterator[None]:
    def late(_signal: int, _frame: object) -> NoReturn:
        raise AssertionError(text)

    signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)


def runs(lane: Lane, seed: int, cuts: int, jobs: int) -> Iterator[list[int]]:
    """Plays all runs, `jobs` at a time, each in a process of its own kind; yields their counts."""
    parts = (
        (seed + number, min(torture.CUTS_A_RUN, cuts - done))
        for number, done in enumerate(range(0, cuts, torture.CUTS_A_RUN))
    )
    with ProcessPoolExecutor(jobs, initializer=_leave_ctrl_c_to_the_parent) as pool:
        pending: set[Future[list[int]]] = set()
        try:
            for part in parts:
                pending.add(pool.submit(play, lane, *part))
                if len(pending) >= 4 * jobs:
                    done, pending = wait(pending, return_when=FIRST_COMPLETED)
                    yield from (one.result() for one in done)
            while pending:
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        finally:
            pool.shutdown(wait=True, cancel_futures=True)


def _leave_ctrl_c_to_the_parent() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def cores() -> int:
    """Those this process may use."""
    affinity = getattr(os, "sched_getaffinity", None)
    return len(affinity(0)) if affinity else os.cpu_count() or 1


@app.command()
def run(
    cuts: Annotated[
        int, typer.Option("--cuts", "-n", min=1, help="How often the power goes off.")
    ] = 50_000,
    seed: Annotated[
        int | None,
        typer.Option(
            "--seed",
            "-s",
            min=0,
            max=2**31,
            show_default="drawn, and printed",
            help="What all is drawn from. The first 500 cuts have it, the next 500 have it + 1.",
        ),
    ] = None,
    lane: Annotated[
        Lane, typer.Option("--lane", help="The interpreter that runs the ring.")
    ] = Lane.cpython,
    jobs: Annotated[
        int | None,
        typer.Option("--jobs", "-j", min=1, max=256, show_default="all cores", help="Processes."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The counts as one JSON object, on standard output.")
    ] = False,
    no_color: Annotated[
        bool, typer.Option("--no-color", help="No colours; as with NO_COLOR set.")
    ] = False,
) -> None:
    """Cut the power inside programs and erases, and check the ring after each cut.

    What was promised is there, nothing is invented, numbers have no hole, the chain verifies,
    writing goes on. Exit code 0: it held. 1: it did not; the line that repeats just that run is
    printed. 2: wrong options. 4: a process ended by itself. 130: stopped with Ctrl-C.
    """
    if no_color:
        out.no_color = error.no_color = True
    first = secrets.randbelow(2**31) if seed is None else seed
    jobs = jobs or cores()
    began = time.monotonic()
    totals: list[int] = []
    stopped = False
    try:
        error.print(f"seed {first}, {cuts:,} cuts, {lane.value}, {jobs} at a time", highlight=False)
        with _progress() as progress:
            task = progress.add_task("power cuts", total=cuts, rate="")
            for counts in runs(lane, first, cuts, jobs):
                totals = [
                    sum(pair) for pair in zip(totals or [0] * len(counts), counts, strict=True)
                ]
                rate = totals[0] / (time.monotonic() - began)
                progress.update(task, completed=totals[0], rate=f"{rate:,.0f} cuts/s")
    except AssertionError as failure:
        _broken(failure, lane, cuts)
    except BrokenProcessPool:
        fail("torture: a process ended by itself: give it memory, or fewer --jobs", EXIT_UNUSABLE)
    except KeyboardInterrupt:
        stopped = True
    _summary(totals, time.monotonic() - began, first, lane, as_json)
    if stopped:
        raise typer.Exit(EXIT_INTERRUPTED)


def _progress() -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=error,
    )


def _broken(failure: AssertionError, lane: Lane, cuts: int) -> None:
    """Says what did not hold and how to see it again; with the way there if it was one run."""
    said = [line for line in str(failure).splitlines() if "seed " in line]
    text = said[-1].removeprefix("AssertionError: ") if said else str(failure)
    if cuts <= torture.CUTS_A_RUN:
        error.print("".join(traceback.format_exception(failure)), markup=False, highlight=False)
    error.print(f"torture: {text}", style="red", markup=False, highlight=False, soft_wrap=True)
    if said:
        seed = re.split("[,:]", text.removeprefix("seed "))[0]
        interpreter = "" if lane is Lane.cpython else f" LANE={lane.value}"
        again = f"make torture CUTS={torture.CUTS_A_RUN} SEED={seed}{interpreter}"
        error.print(f"repeat it with: {again}", markup=False, highlight=False, soft_wrap=True)
    raise typer.Exit(EXIT_BROKEN)


def _summary(totals: list[int], seconds: float, seed: int, lane: Lane, as_json: bool) -> None:
    totals = totals or [0] * (torture.TORN_ERASES + len(TEARS) + 1)
    told: dict[str, object] = dict(zip(torture.COUNTS, totals, strict=False))
    programs, erases = totals[torture.TORN_PROGRAMS : -1], totals[torture.TORN_ERASES : -1]
    told["programs cut, by tear"] = dict(zip(TEARS, programs, strict=False))
    told["erases cut, by tear"] = dict(zip(TEARS, erases, strict=True))
    told["digest of the flashes"] = totals[-1]
    told["seconds"] = round(seconds, 1)
    told["cuts a second"] = round(totals[0] / seconds) if seconds else 0
    if as_json:
        out.print_json(json.dumps({"seed": seed, "lane": lane.value, **told}))
        return
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{tear} {count:,}" for tear, count in value.items())
        out.print(f"{name}: {value if isinstance(value, str) else f'{value:,}'}", highlight=False)


def main() -> None:
    app(prog_name="python -m tests.torture")
