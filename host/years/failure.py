"""A failure is said, made small, and saved as a log that --replay plays again."""

from __future__ import annotations

import json
import shlex
from pathlib import Path
from typing import Any

from host.console import EXIT_UNUSABLE, error, fail, out
from host.years.job import DAY_MS, BoxDied, Job, Lane, Result
from host.years.on_box import plan


def failed(result: Result, shrink_s: float, save: Path) -> tuple[dict[str, Any], bool]:
    """What is told of it, and whether Ctrl-C ended the shrinking. Raises OSError."""
    from host.years.shrink import Shrinker

    assert result.wrong
    job = result.job
    say(f"seed {job.seed}, box {job.number}: {_where(result)}")
    runs, stopped = 0, False
    if shrink_s:
        shrinker = Shrinker(result, shrink_s, lambda text: error.print(text, highlight=False))
        result = shrinker.shrink()
        runs, stopped = shrinker.runs, shrinker.stopped
    assert result.wrong
    settings, entries = result.job.plan()
    path = save / f"seed-{job.seed}-box-{job.number}.json"
    log = {
        "seed": job.seed,
        "box": job.number,
        "lane": job.lane.value,
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
    save.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(log, indent=1) + "\n", encoding="utf-8")
    say(f"{len(entries)} happenings do it, found in {runs} runs: {_where(result)}")
    say(f"repeat it with: {_repeat(path)}")
    told = {"seed": job.seed, "box": job.number, "invariant": result.wrong[0], "log": str(path)}
    return told, stopped


def replay(path: Path, lane: Lane | None) -> bool:
    """Whether all holds now, with the steps told. lane: in place of the log's."""
    from host.years.proof import play_proved

    job = _job(path, lane)
    for entry in job.plan()[1]:
        out.print(" ".join(str(part) for part in entry), highlight=False, markup=False)
    try:
        result = play_proved(job)
    except BoxDied as died:
        say(f"seed {job.seed}, {died}")
        return False
    for at_ms, step, kind, values, facts in result.told["last"]:
        text = f"{at_ms} step {step} event {kind} {values}{facts}"
        out.print(text, highlight=False, markup=False, soft_wrap=True)
    if not result.wrong:
        out.print("all held")
        return True
    say(_where(result))
    return False


def say(text: str) -> None:
    error.print(text, style="red", markup=False, highlight=False, soft_wrap=True)


def _job(path: Path, lane: Lane | None) -> Job:
    try:
        log = json.loads(path.read_text(encoding="utf-8"))
        made = (log["settings"], log["entries"])
        missing = set(plan.make(0, 0, DAY_MS)[0]) - set(made[0])
        if missing:
            raise LookupError(missing)
        lane = lane or Lane(log.get("lane", Lane.cpython.value))
        return Job(log["seed"], log["box"], log["span_ms"], lane=lane, made=made, records=True)
    except (LookupError, TypeError, ValueError):
        fail(f"sim: {path}: no log of a failure; name one that `make sim` saved", EXIT_UNUSABLE)


def _repeat(path: Path) -> str:
    """For a shell; make itself takes a dollar only when it is doubled."""
    words = f"--replay {shlex.quote(str(path))}".replace("$", "$$")
    return f"make sim ARGS={shlex.quote(words)}"


def _where(result: Result) -> str:
    assert result.wrong
    days = int(result.told["at_ms"]) / DAY_MS
    step = result.told["steps"]
    return f"step {step}, day {days:.3f}: {result.wrong[0]}: {result.wrong[1].strip()}"
