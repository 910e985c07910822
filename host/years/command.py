"""`wallbox sim`: years of boxes in simulated time."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from host.console import EXIT_UNUSABLE, ColorOption, error, fail, out
from host.years.job import DAY_MS, BoxDied, Job, Lane, Result, play
from host.years.on_box import plan
from host.years.run_log import RunLog

EXIT_WRONG = 1
EXIT_STOPPED = 130
DAYS_A_YEAR = 365.25


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
        Lane, typer.Option(help="The interpreter that runs the firmware and its world.")
    ] = Lane.cpython,
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
    replay: Annotated[
        Path | None, typer.Option(help="Play this log of a failure again, and nothing else.")
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
    130: stopped with Ctrl-C.
    """
    unknown = set(without or ()) - set(plan.kinds())
    if unknown:
        raise typer.BadParameter(f"--without {sorted(unknown)[0]}: no such kind")
    try:
        if replay:
            _replay(replay, lane)
        elif mutants:
            _mutants(mutants, as_json)
        else:
            span_ms = int(years * plan.YEAR)
            jobs = [
                Job(seed, first + number, span_ms, tuple(without or ()), lane, records=verify)
                for number in range(boxes)
            ]
            _play_all(jobs, workers, shrink_s, save, log, as_json)
    except typer.Exit:  # which is a RuntimeError
        raise
    except (RuntimeError, OSError) as failure:
        fail(f"sim: {failure}", EXIT_UNUSABLE)


class Sums:
    """What all boxes came to."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.years = 0.0
        self.years_before = 0.0  # that an earlier run of the same command has played
        self.boxes = 0
        self.seconds = 0.0
        self.numbers: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.refused: set[str] = set()
        self.failures: list[dict[str, Any]] = []

    def add(self, result: Result) -> None:
        told = result.told
        self.boxes += 1
        self.years += result.years
        self.seconds += result.seconds
        for name in _NUMBERS:
            self.numbers[name] = self.numbers.get(name, 0) + int(told[name])
        for name, count in told["counts"].items():
            self.faults[name] = self.faults.get(name, 0) + int(count)
        for name, count in told["written"].items():
            self.written[name] = self.written.get(name, 0) + int(count)
        self.refused |= set(told["refused"])
        pubacks = ("connections", "publishes", "PUBACKs lost", "PUBACKs repeated", "PUBACKs late")
        for name, count in zip(pubacks, told["broker"], strict=True):
            self.faults[name] = self.faults.get(name, 0) + int(count)

    @property
    def rate(self) -> float:
        """Box-years an hour."""
        elapsed = time.monotonic() - self.began
        return (self.years - self.years_before) * 3600 / elapsed if elapsed else 0.0

    def told(self) -> dict[str, Any]:
        return {
            "boxes": self.boxes,
            "box_years": round(self.years, 3),
            "elapsed_s": round(time.monotonic() - self.began, 1),
            "box_years_an_hour": round(self.rate, 1),
            "box_years_an_hour_and_worker": round(self.years * 3600 / max(self.seconds, 0.1), 1),
            **self.numbers,
            "happened": dict(sorted(self.faults.items())),
            "facts_written": dict(sorted(self.written.items())),
            "refused_for": sorted(self.refused),
            "failures": self.failures,
        }


_NUMBERS = (
    "steps", "facts", "sessions", "kwh_checked", "drawn_wh", "stored", "repeated", "holes",
    "messages", "packed", "dropped", "orders", "halts", "flash_cuts", "flash_operations",
)  # fmt: skip


def _play_all(
    jobs: list[Job], workers: int, shrink_s: float, save: Path, log: Path | None, as_json: bool
) -> None:
    sums = Sums()
    stopped = False
    run_log = RunLog(log) if log else None
    done = run_log.done(jobs) if run_log else {}
    for result in done.values():
        sums.add(result)
    sums.years_before = sums.years
    if done:
        error.print(f"{len(done)} of {len(jobs)} boxes are in {log}", highlight=False)
    try:
        with _progress(len(jobs), len(done)) as advance:
            for played in _results([job for job in jobs if job.number not in done], workers):
                if isinstance(played, Died):
                    sums.failures.append(_dead(played))
                    continue
                result = played
                _prove(result)
                sums.add(result)
                if run_log:
                    run_log.note(result)
                advance(f"{sums.rate:,.0f} box-years/h")
                if result.wrong:
                    sums.failures.append(failed(result, shrink_s, save))
    except KeyboardInterrupt:
        stopped = True
    told = {"seed": jobs[0].seed, "lane": jobs[0].lane.value, **sums.told()}
    if as_json:
        out.print_json(json.dumps(told))
    else:
        _print(told)
    if sums.failures:
        raise typer.Exit(EXIT_WRONG)
    if stopped:
        raise typer.Exit(EXIT_STOPPED)


@dataclass
class Died:
    """The process of a box ended by itself."""

    job: Job
    text: str


def _dead(died: Died) -> dict[str, Any]:
    _say(f"seed {died.job.seed}, {died.text}")
    return {"seed": died.job.seed, "box": died.job.number, "invariant": "ends", "log": None}


def _results(jobs: list[Job], workers: int) -> Iterator[Result | Died]:
    """Each as it is done. What is still under way at the end ends by itself."""
    with ThreadPoolExecutor(workers) as pool:
        pending: set[Future[Result | Died]] = set()
        for job in jobs:
            pending.add(pool.submit(_play, job))
            if len(pending) > workers:  # one waits, so that no worker does
                done, pending = wait(pending, return_when=FIRST_COMPLETED)
                yield from (one.result() for one in done)
        while pending:
            done, pending = wait(pending, return_when=FIRST_COMPLETED)
            yield from (one.result() for one in done)


def _play(job: Job) -> Result | Died:
    try:
        return play(job)
    except BoxDied as died:
        return Died(job, str(died))


def _prove(result: Result) -> None:
    """What the collector stored, by the operator's own verifier; it may be wrong, too."""
    if result.wrong or not result.job.records:
        return
    from host.years.proof import findings, key_of

    settings = result.job.plan()[0]
    found = findings(str(settings["serial"]), key_of(int(settings["seed"])), result.records)
    result.records = []
    if found:
        result.told["wrong"] = ["verifier", "; ".join(found[:5])]


def failed(result: Result, shrink_s: float, save: Path) -> dict[str, Any]:
    from host.years.shrink import Shrinker

    assert result.wrong
    job = result.job
    _say(f"seed {job.seed}, box {job.number}: {_where(result)}")
    runs = 0
    if shrink_s and result.wrong[0] != "verifier":
        shrinker = Shrinker(result, shrink_s, lambda text: error.print(text, highlight=False))
        result = shrinker.shrink()
        runs = shrinker.runs
    assert result.wrong
    settings, entries = result.job.plan()
    save.mkdir(parents=True, exist_ok=True)
    path = save / f"seed-{job.seed}-box-{job.number}.json"
    log = {
        "seed": job.seed,
        "box": job.number,
        "invariant": result.wrong[0],
        "text": result.wrong[1],
        "step": result.told["steps"],
        "at_ms": result.told["at_ms"],
        "span_ms": result.job.span_ms,
        "settings": settings,
        "entries": entries,
        "last": result.told["last"],
        "said": result.told["said"],
    }
    path.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    _say(f"{len(entries)} happenings do it, found in {runs} runs: {_where(result)}")
    _say(f"repeat it with: make sim ARGS='--replay {path}'")
    return {"seed": job.seed, "box": job.number, "invariant": result.wrong[0], "log": str(path)}


def _where(result: Result) -> str:
    assert result.wrong
    days = int(result.told["at_ms"]) / 86_400_000
    step = result.told["steps"]
    return f"step {step}, day {days:.3f}: {result.wrong[0]}: {result.wrong[1].strip()}"


def _replay(path: Path, lane: Lane) -> None:
    try:
        log = json.loads(path.read_text(encoding="utf-8"))
        made = (log["settings"], log["entries"])
        missing = set(plan.make(0, 0, DAY_MS)[0]) - set(made[0])
        if missing:
            raise LookupError(missing)
        job = Job(log["seed"], log["box"], log["span_ms"], lane=lane, made=made)
    except (LookupError, TypeError, ValueError):
        fail(f"sim: {path}: no log of a failure; name one that `make sim` saved", EXIT_UNUSABLE)
    result = play(job)
    for entry in job.plan()[1]:
        out.print(" ".join(str(part) for part in entry), highlight=False, markup=False)
    for at_ms, step, kind, values, facts in result.told["last"]:
        text = f"{at_ms} step {step} event {kind} {values}{facts}"
        out.print(text, highlight=False, markup=False, soft_wrap=True)
    if not result.wrong:
        out.print("all held")
        return
    _say(_where(result))
    raise typer.Exit(EXIT_WRONG)


def _mutants(directory: Path, as_json: bool) -> None:
    from host.years.mutants import BadMutant, load

    rows = []
    try:
        for mutant in load(directory):
            result = mutant.play()
            rows.append(
                {
                    "mutant": mutant.name, "file": mutant.file, "why": mutant.why,
                    "caught_by": result.wrong[0] if result.wrong else None,
                    "text": result.wrong[1].strip().splitlines()[-1] if result.wrong else "",
                    "day": round(int(result.told["at_ms"]) / 86_400_000, 2),
                    "steps": result.told["steps"], "seconds": round(result.seconds, 1),
                }
            )  # fmt: skip
            row = rows[-1]
            verdict = row["caught_by"] or "NOT FOUND"
            error.print(f"{mutant.name}: {verdict} {row['text']}", markup=False, highlight=False)
    except BadMutant as wrong:
        fail(f"sim: {wrong}", EXIT_UNUSABLE)
    if as_json:
        out.print_json(json.dumps(rows))
    found = sum(1 for row in rows if row["caught_by"])
    error.print(f"{found} of {len(rows)} planted bugs were found")
    if found < len(rows):
        raise typer.Exit(EXIT_WRONG)


def _print(told: dict[str, Any]) -> None:
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{one} {count:,}" for one, count in value.items())
        elif isinstance(value, list):
            value = ", ".join(str(one) for one in value) or "none"
        elif isinstance(value, (int, float)):
            value = f"{value:,}"
        out.print(f"{name.replace('_', ' ')}: {value}", highlight=False, markup=False)


def _say(text: str) -> None:
    error.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


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
