"""Heap that the steady loop takes, and what was tried to take less."""

from __future__ import annotations

import tempfile

from host.figures.figure import Figure, on_box

METER = "em340"
CYCLES = 20
_SEALS = 2000


def heap() -> list[Figure]:
    from hw.sim.meters import SimMeter

    with (
        tempfile.TemporaryDirectory() as directory,
        SimMeter(METER, paced=False) as meter,
    ):
        meter.faults.answer_ms = 5
        path = f"{directory}/flash"
        told = on_box("heap.py", path, meter.path, METER, str(CYCLES), heap="400wK")
    ways = on_box("hashes.py", str(_SEALS))
    forced = f"two SHA-256 objects and their digests, {told['one_sha256']} B each, and nothing else"
    return [
        Figure("poll, and its reading into the trace's batch", told["cycle"], "B",
               f"{told['cycles']} cycles with an {METER}, proved by micropython.heap_lock", most=0),
        Figure("the core's step with that reading", told["step"], "B",
               "by gc.mem_alloc, nothing collected", most=0),
        Figure("durable flush of the trace", told["flush"], "B", forced, most=0),
        Figure("durable append to the ledger", told["append"], "B", forced, most=0),
        *_tried(ways),
    ]  # fmt: skip


def _tried(ways: dict[str, list[float]]) -> list[Figure]:
    """Two ways to seal a record with less; neither is used."""
    rows = [
        ("hash objects whose state is put back by uctypes", "restored",
         "writes into the interpreter's own structures, whose lay-out no port promises"),
        ("AES-CMAC in place of HMAC-SHA256", "cmac",
         "another format, and bytecode for each block"),
    ]  # fmt: skip
    built_us = ways["as_built"][1]
    return [
        Figure(f"tried: {name}", ways[key][0], "B",
               f"{ways[key][1]:.1f} us, as built {built_us:.1f}; {why}")
        for name, key, why in rows
        if key in ways
    ]  # fmt: skip
