"""The log of a long run: a line for each box, and where the run goes on."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from host.image import FIRMWARE, core_hash
from host.years.job import Job, Result


class RunLog:
    """Appends to `path`. A line counts for a job of the same seed, box, span and firmware."""

    def __init__(self, path: Path) -> None:
        """Raises OSError."""
        with path.open("a"):  # unusable: known before the first box is played
            self.path = path
        self.firmware = core_hash(FIRMWARE / "lib" / "wallbox").hex()

    def note(self, result: Result) -> None:
        """Raises OSError."""
        told = {**self._names(result.job), "years": result.years}
        told |= {"seconds": round(result.seconds, 1), **result.told}
        with self.path.open("ab+") as file:
            if file.tell():
                file.seek(-1, os.SEEK_END)
                if file.read(1) != b"\n":  # a crash has cut the last line off
                    file.write(b"\n")
            file.write(json.dumps(told).encode() + b"\n")

    def done(self, jobs: Sequence[Job]) -> dict[int, Result]:
        """What of `jobs` is there already and held, by the number of the box. Raises OSError.

        RuntimeError: the file is no text.
        """
        wanted = {job.number: job for job in jobs}
        found: dict[int, Result] = {}
        for told in self._lines():
            job = wanted.get(told.get("box", -1))
            if (
                job is None
                or told["wrong"]
                or any(told.get(name) != value for name, value in self._names(job).items())
            ):
                continue
            found[job.number] = Result(job, told, float(told["seconds"]))
        return found

    def _lines(self) -> Iterator[dict[str, Any]]:
        try:
            with self.path.open(encoding="utf-8") as file:
                yield from map(_read, file)
        except UnicodeDecodeError:
            raise RuntimeError(f"{self.path}: no log of a run; name one, or a new file") from None

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
