"""How long a year of a box takes to replay, as a user runs it, and a full trace to decode."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wallbox.store.trace import Trace

from host.figures.figure import ROOT, Figure, median_of
from host.replay.field_log import Origin, from_ring, write_log
from host.replay.segments import read_segments
from host.replay.year import Story, record

YEAR_MIN = 525_600
_RUNS = 3
_DECODED = 5
_TRACE_BYTES = 1 << 20
_REPLAY_MOST_S = 10
_DECODE_MOST_S = 2


def replay(minutes: int = YEAR_MIN) -> list[Figure]:
    """Start of the command included; the log is made by the real agent before."""
    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "year.zip"
        write_log(path, record(minutes))
        return [*_replayed(path, minutes), _decoded()]


def _replayed(path: Path, minutes: int) -> list[Figure]:
    command = [sys.executable, "-m", "host.cli", "replay", str(path), "--json"]
    elapsed, used = [], []
    for _ in range(_RUNS):
        begin, begin_cpu = time.perf_counter(), _cpu_s()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        elapsed.append(time.perf_counter() - begin)
        used.append(_cpu_s() - begin_cpu)
        checked = json.loads(done.stdout)["checked"] if done.returncode == 0 else {}
        if checked.get("readings", 0) < minutes:
            raise RuntimeError(f"replay: {done.stdout[:200]}{done.stderr}")
    waited, raw_waited = median_of(elapsed)
    cpu, raw_cpu = median_of(used)
    note = (
        f"; {checked['readings']:,} readings, {checked['decisions']:,} sums and "
        f"{checked['states']:,} states compared; {_cores()} cores, load {os.getloadavg()[0]:.1f}"
    )
    return [
        Figure("replay of a year of minutes, elapsed", waited, "s", raw_waited + note,
               most=_REPLAY_MOST_S),
        Figure("replay of a year of minutes, CPU of all processes", cpu, "s", raw_cpu),
    ]


def _decoded() -> Figure:
    """From the bytes of the partition to segments and their entries."""
    image = full_trace()
    taken = []
    for _ in range(_DECODED):
        begin = time.perf_counter()
        log = from_ring(image, Origin())
        entries = sum(len(one.entries) for one in read_segments(log.trace))
        taken.append(time.perf_counter() - begin)
    value, raw = median_of(taken)
    note = f"{raw}; {len(log.trace):,} records, {entries:,} entries"
    return Figure("decoding of a full trace of 1 MB", value, "s", note, most=_DECODE_MOST_S)


def full_trace() -> bytes:
    """The image of a trace that has gone round once."""
    from hw.sim.flash import NorFlash, Partition

    flash = NorFlash(size=_TRACE_BYTES)
    trace = Trace(Partition(flash, 0, flash.size), bytes(range(32)))
    trace.mount()
    story = Story(trace)
    number = 0
    while trace.first[-1] == 0 or trace.head > 4:  # until it writes where it began
        number += 1
        story.minute(number)
    return flash.image()


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_s() -> float:
    """Of all processes that this one has started and that have ended."""
    used = os.times()
    return used.children_user + used.children_system
