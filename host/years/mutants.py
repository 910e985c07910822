"""Planted bugs, each in a copy of the firmware: whether a simulated box finds them."""

from __future__ import annotations

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from host.image import ROOT
from host.years.job import DAY_MS, Job, Result, play

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

FIRMWARE = ROOT / "firmware" / "lib" / "wallbox"


class BadMutant(Exception):
    """One line: which file of mutants, what is wrong with it."""


@dataclass(frozen=True)
class Mutant:
    """`old`, which the file has once, becomes `new`. seed, box, days: a run that finds it.

    found_by: the invariant that does not hold then.
    """

    name: str
    file: str
    old: str
    new: str
    why: str
    found_by: str
    seed: int
    box: int
    days: int
    without: tuple[str, ...] = field(default=())

    @property
    def job(self) -> Job:
        return Job(self.seed, self.box, self.days * DAY_MS, self.without)

    def play(self) -> Result:
        """The run, on a firmware that has this bug."""
        with self.planted() as firmware:
            job = self.job
            job.firmware = firmware
            return play(job)

    @contextmanager
    def planted(self) -> Iterator[Path]:
        """A directory with a firmware that has the bug. Raises BadMutant if it does not fit."""
        with tempfile.TemporaryDirectory(prefix="wallbox-mutant-") as directory:
            lib = Path(directory)
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(FIRMWARE, lib / "wallbox", ignore=ignore)
            path = lib / "wallbox" / self.file
            text = path.read_text(encoding="utf-8")
            if text.count(self.old) != 1:
                raise BadMutant(
                    f"{self.name}: {self.file} has its old text {text.count(self.old)} times, "
                    "not once; write the mutant anew"
                )
            path.write_text(text.replace(self.old, self.new), encoding="utf-8")
            yield lib


def load(directory: Path) -> list[Mutant]:
    """All mutants of a directory's .toml files. Raises BadMutant, OSError."""
    found = []
    for path in sorted(directory.glob("*.toml")):
        try:
            tree: dict[str, Any] = tomllib.loads(path.read_text(encoding="utf-8"))
            for row in tree["mutant"]:
                row["without"] = tuple(row.get("without", ()))
                found.append(Mutant(**row))
        except (ValueError, TypeError, KeyError) as error:
            raise BadMutant(f"{path}: {error}") from None
    if not found:
        raise BadMutant(f"{directory}: no mutant in it; name a directory like tests/mutants")
    return found
