"""`wallbox sim`: years of boxes in simulated time."""

from __future__ import annotations

import contextlib
import json
import signal
import tempfile
import time
from collections.abc import Generator, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from host.console import EXIT_INTERRUPTED, EXIT_UNUSABLE, ColorOption, error, fail, out
from host.years.failure import failed, replay, say
from host.years.job import BoxDied, Job, Lane, Result, end_all, play
from host.years.on_box import plan
from host.years.run_log import RunLog
from host.years.sums import Sums, print_figures

EXIT_WRONG = 1


def register(app: typer.Typer) -> None:
    app.command("sim")(sim)


def sim(
    seed: Annotated[int, typer.Option(min=0, max=2**31, help="What all is drawn from.")] = 1,
    years: Annotated[
        float, typer.Option(min=0.003, max=20, help="Simulated years of each box.")
    ] = 1.0,
    boxes: Annotated[int, typer.Option(min=1, max=100_000, help="How many boxes.")] = 4,
    first: Annotated[int, typer.Option(min=0, help="Number of the first box.")] = 0,
    workers: Annotated[
        int, typer.Option("--workers", "-w", min=1, max=64, help="Boxes at a time.")
    ] = 1,
    lane: Annotated[
        Lane | None,
        typer.Option(help="The interpreter that runs all: cpython if none is named, or the log's."),
    ] = None,
    without: Annotated[
        list[str] | None,
        typer.Option(help=f"A kind that is left out: {', '.join(plan.kinds())}. Repeatable."),
    ] = None,
    verify: Annotated[
        bool,
        typer.Option(help="Prove what the collector stored with the verifier of `wallbox ledger`."),
    ] = True,
    shrink_s: Annotated[
        float, typer.Option(min=0, help="Seconds for making a failure small; 0: as it is.")
    ] = 300.0,
    save: Annotated[
        Path, typer.Option(help="Directory for the logs of failures; made if missing.")
    ] = Path("build/sim"),
    replay_log: Annotated[
        Path | None,
        typer.Option("--replay", help="Play this log of a failure again, and nothing else."),
    ] = None,
    mutants: Annotated[
        Path | None,
        typer.Option(help="Plant each bug of this directory, and show that it is found."),
    ] = None,
    log: Annotated[
        Path | None,
        typer.Option(help="Append a line of JSON for each box; the same command then goes on."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="The figures as one JSON object, on standard output.")
    ] = False,
    no_color: ColorOption = False,
) -> None:
    """Play boxes with the real firmware in simulated time, and check them after each step.

    A failure is printed with seed, box, step, time and invariant, made small, and saved as a log
    that --replay plays again.

    Exit code 0: all held. 1: an invariant did not hold, the process of a box ended by itself, or
    a mutant was not found. 2: wrong options. 4: a file is unusable, or the interpreter is missing.
    130: stopped with Ctrl-C or SIGTERM.
    """
    unknown = set(without or ()) - set(plan.kinds())
    if unknown:
        raise typer.BadParameter(f"--without {sorted(unknown)[0]}: no such kind")
    before = signal.signal(signal.SIGTERM, _stop)
    try:
        if replay_log:
            held = replay(replay_log, lane)
        elif mutants:
            from host.years.mutants_table import all_found

            held = all_found(mutants, as_json)
        else:
            span_ms = int(years * plan.YEAR)
            kind = lane or Lane.cpython
            jobs = [
                Job(seed, first + number, span_ms, tuple(without or ()), kind, records=verify)
                for number in range(boxes)
            ]
            held = _play_all(jobs, workers, shrink_s, save, log, as_json)
    except typer.Exit:  # which is a RuntimeError
        raise
    except (RuntimeError, OSError) as failure:
        fail(f"sim: {failure}", EXIT_UNUSABLE)
    finally:
        signal.signal(signal.SIGTERM, before)
    if not held:
        raise typer.Exit(EXIT_WRONG)


def _play_all(
    jobs: list[Job], workers: int, shrink_s: float, save: Path, log: Path | None, as_json: bool
) -> bool:
    """Whether all held."""
    from host.years.proof import prove

    sums = Sums()
    stopped = False
    _may_write(save)
    run_log = RunLog(log) if log else None
    done = run_log.done(jobs) if run_log else {}
    for result in done.values():
        sums.add(result)
    sums.years_before = sums.years
    if done:
        error.print(f"{len(done)} of {len(jobs)} boxes are in {log}", highlight=False)
    try:
        with _progress(len(jobs), len(done)) as advance, contextlib.ExitStack() as under_way:
            left = [job for job in jobs if job.number not in done]
            for played in under_way.enter_context(contextlib.closing(_results(left, workers))):
                if isinstance(played, Died):
                    sums.failures.append(_dead(played))
                    continue
                result = played
                if result.job.records:
                    prove(result)
                sums.add(result)
                if run_log:
                    run_log.note(result)
                advance(f"{sums.rate:,.0f} box-years/h")
                if result.wrong:
                    told, stopped = failed(result, shrink_s, save)
                    sums.failures.append(told)
                    if stopped:
                        break
    except KeyboardInterrupt:
        stopped = True
    told = {"seed": jobs[0].seed, "lane": jobs[0].lane.value, **sums.told()}
    if as_json:
        out.print_json(json.dumps(told))
    else:
        print_figures(told)
    if stopped and not sums.failures:
        raise typer.Exit(EXIT_INTERRUPTED)
    return not sums.failures


def _stop(_number: int, _frame: object) -> None:
    """SIGTERM ends it as Ctrl-C does."""
    raise KeyboardInterrupt


def _may_write(directory: Path) -> None:
    """Raises OSError now rather than after hours of work."""
    directory.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=directory):
        pass


@dataclass
class Died:
    """The process of a box ended by itself."""

    job: Job
    text: str


def _dead(died: Died) -> dict[str, Any]:
    say(f"seed {died.job.seed}, {died.text}")
    return {"seed": died.job.seed, "box": died.job.number, "invariant": "ends", "log": None}


def _results(jobs: list[Job], workers: int) -> Generator[Result | Died, None, None]:
    """Each as it is done. Whoever closes it ends what is under way."""
    pending: set[Future[Result | Died]] = set()
    pool = ThreadPoolExecutor(workers)
    try:
        for job in jobs:
            pending.add(pool.submit(_play, job))
            if len(pending) > workers:  # one waits, so that no worker does
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)
    finally:
        pool.shutdown(wait=False, cancel_futures=True)
        while not all(one.done() for one in pending):  # a worker may be about to start one
            end_all()
            time.sleep(0.02)
        pool.shutdown()


def _play(job: Job) -> Result | Died:
    try:
        return play(job)
    except BoxDied as died:
        return Died(job, str(died))


@contextlib.contextmanager
def _progress(total: int, done: int) -> Iterator[Any]:
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("boxes"), BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=error) as progress:
        task = progress.add_task("boxes", total=total, completed=done, rate="")
        yield lambda rate: progress.update(task, advance=1, rate=rate)
