"""One measured figure, and how to measure on the real interpreter."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = Path(__file__).resolve().parent / "on_box"
TIMEOUT_S = 300
REPEATS = 5


@dataclass(frozen=True)
class Figure:
    """A value with its unit; `note` tells raw values, the peer or the bound.

    `most` or `least` is the goal, if there is one; `met` is then True or False.
    """

    name: str
    value: float
    unit: str
    note: str = ""
    most: float | None = None
    least: float | None = None

    @property
    def met(self) -> bool | None:
        if self.most is not None:
            return self.value <= self.most
        if self.least is not None:
            return self.value >= self.least
        return None

    @property
    def goal(self) -> str:
        """The goal as text, empty without one."""
        if self.most is not None:
            return f"<= {self.most:,.6g}"
        if self.least is not None:
            return f">= {self.least:,.6g}"
        return ""

    def as_dict(self) -> dict[str, Any]:
        return {**asdict(self), "met": self.met}


@dataclass(frozen=True)
class Bench:
    """`measure` gives the figures that `wallbox bench NAME` prints."""

    name: str
    sentence: str
    measure: Callable[[], list[Figure]]

    @property
    def command(self) -> str:
        return f"wallbox bench {self.name}"


def on_box(script: str, *arguments: str, heap: str = "112wK") -> dict[str, Any]:
    """Runs a script of `on_box/` on MicroPython; what it prints last is one JSON object.

    RuntimeError with the script's output if it fails or does not end.
    """
    interpreter = Path(sys.executable).parent / "micropython"
    path = ":".join([str(ROOT), str(ROOT / "firmware" / "lib"), ".frozen"])
    try:
        done = subprocess.run(
            [str(interpreter), "-X", f"heapsize={heap}", str(SCRIPTS / script), *arguments],
            env={**os.environ, "MICROPYPATH": path},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise RuntimeError(f"{script}: not done after {TIMEOUT_S} s") from None
    if done.returncode:
        raise RuntimeError(f"{script}: {done.stdout}{done.stderr}")
    result = json.loads(done.stdout.splitlines()[-1])
    assert isinstance(result, dict)
    return result


def median_of(values: list[float]) -> tuple[float, str]:
    """The median, and all raw values as a note."""
    return statistics.median(values), "raw " + ", ".join(f"{value:.4g}" for value in values)
