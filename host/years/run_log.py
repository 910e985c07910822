"""The log of a long run: a line for each box, and where the run goes on."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from host.image import FIRMWARE, core_hash
from host.years.job import Job, Result


class RunLog:
    """Appends to `path`. A line counts for a job of the same seed, box, span and firmware."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.firmware = core_hash(FIRMWARE / "lib" / "wallbox").hex()

    def note(self, result: Result) -> None:
        """Raises OSError."""
        told = {**self._names(result.job), "years": result.years}
        told |= {"seconds": round(result.seconds, 1), **result.told}
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(told) + "\n")

    def done(self, jobs: Sequence[Job]) -> dict[int, Result]:
        """What of `jobs` is there already and held, by the number of the box. Raises OSError."""
        if not self.path.exists():
            return {}
        wanted = {job.number: job for job in jobs}
        found: dict[int, Result] = {}
        with self.path.open(encoding="utf-8") as file:
            for line in file:
                told = _read(line)
                job = wanted.get(told.get("box", -1))
                if job is None or told["wrong"] or any(
                    told.get(name) != value for name, value in self._names(job).items()
                ):
                    continue
                found[job.number] = Result(job, told, float(told["seconds"]))
        return found

    def _names(self, job: Job) -> dict[str, Any]:
        return {
            "seed": job.seed, "box": job.number, "span_ms": job.span_ms, "lane": job.lane.value,
            "without": sorted(job.without), "firmware": self.firmware,
        }  # fmt: skip


def _read(line: str) -> dict[str, Any]:
    """{} for what is no line of a log, for instance one that a crash has cut off."""
    try:
        told = json.loads(line)
    except ValueError:
        return {}
    return told if isinstance(told, dict) and {"wrong", "seconds", "at_ms"} <= set(told) else {}
