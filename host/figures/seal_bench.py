"""The bench of the seals: from an opened lid to an open contactor while everything else works."""

from __future__ import annotations

import json
import os
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

from host.figures.figure import ROOT, SCRIPTS, Figure, on_box
from host.image import compile_module, firmware_files

OPENINGS = 2000
ENVIRONMENT = "WALLBOX_SEAL_OPENINGS"
WITHOUT_MS = 20_000  # of each run, before the first opening
ROUND = 5000  # openings that one run of the script has time for
STEP_US = 100  # as in the script
OFF_P50_MS, OFF_P999_MS, ERASE_MS = 1, 10, 45
LOST_MS = 20
DURABLE_MS = 50
STALL_P999_MS = 5
PLAYED = ("flash.py", "tagcards.py", "tagchip.py", "tagreader.py")
HISTOGRAMS = (
    *("off", "off_erasing", "lost", "durable", "durable_erasing"),
    *("stalls", "stalls_erasing", "stalls_sealing"),
)


class Times:
    """Times by steps of STEP_US, from one or more runs."""

    def __init__(self) -> None:
        self.counts: Counter[int] = Counter()
        self.most_us = 0

    def add(self, most_us: int, counts: dict[str, int]) -> None:
        self.most_us = max(self.most_us, most_us)
        self.counts.update({int(step): count for step, count in counts.items()})

    @property
    def total(self) -> int:
        return self.counts.total()

    @property
    def longest_ms(self) -> float:
        return self.most_us / 1000

    def ms(self, part: float) -> float:
        """The upper end of the step that holds this part of all times; 0 if there are none."""
        left = self.total * part
        for step in sorted(self.counts):
            left -= self.counts[step]
            if left <= 0:
                return min((step + 1) * STEP_US, self.most_us) / 1000
        return 0.0


def seal(openings: int | None = None) -> list[Figure]:
    """`openings` of the lid; WALLBOX_SEAL_OPENINGS says how many if it is None."""
    wanted = openings or int(os.environ.get(ENVIRONMENT, OPENINGS))
    times = {name: Times() for name in HISTOGRAMS}
    told: Counter[str] = Counter()
    while wanted > 0:
        run = measure(min(wanted, ROUND))
        for name in HISTOGRAMS:
            times[name].add(*run.pop(name))
        told.update(run)
        wanted -= ROUND
    return _figures(times, told)


def _figures(times: dict[str, Times], told: Counter[str]) -> list[Figure]:
    off, off_erasing, lost = times["off"], times["off_erasing"], times["lost"]
    durable, durable_erasing = times["durable"], times["durable_erasing"]
    stalls, erasing, sealing = (times[f"stalls{which}"] for which in ("", "_erasing", "_sealing"))
    work = (
        f"{told['records']} records written, {told['published']} published, "
        f"{told['readings']} readings, {told['reader_accesses']} accesses to the tag reader, "
        f"{told['erases']} erases in {told['elapsed_ms'] / 1000:.0f} s"
    )
    return [
        Figure("openings", told["openings"], "", work),
        Figure("contactor not off within 1 s", told["missed"], "", "", most=0),
        Figure("edge to contactor off, p50", off.ms(0.5), "ms",
               f"{told['by_interrupt']} of all by the interrupt; 0.2 ms confirm the opening",
               most=OFF_P50_MS),
        Figure("edge to contactor off, p99.9", off.ms(0.999), "ms",
               f"of {off.total} with no erase under way", most=OFF_P999_MS),
        Figure("edge to contactor off, longest", off.longest_ms, "ms", "", most=ERASE_MS),
        Figure("the same while a sector is erased, longest", off_erasing.longest_ms, "ms",
               f"of {off_erasing.total}; the erase alone is {ERASE_MS} ms"),
        Figure("interrupt lost: longest until contactor off", lost.longest_ms, "ms",
               f"of {lost.total}; p50 {lost.ms(0.5)} ms; found by the level", most=LOST_MS),
        Figure("edge to the fact in flash, p99.9", durable.ms(0.999), "ms",
               f"of {durable.total}; p50 {durable.ms(0.5)} ms; with an erase: "
               f"{durable_erasing.total}, longest {durable_erasing.longest_ms} ms",
               most=DURABLE_MS),
        Figure("stall of the loop, p99.9", stalls.ms(0.999), "ms",
               f"of {stalls.total} with no erase; p99 {stalls.ms(0.99)} ms, longest "
               f"{stalls.longest_ms} ms; while seals open p99.9 {sealing.ms(0.999)} ms",
               most=STALL_P999_MS),
        Figure("stall of the loop with an erase, longest", erasing.longest_ms, "ms",
               f"of {erasing.total}"),
    ]  # fmt: skip


def measure(openings: int, without_ms: int = WITHOUT_MS) -> dict[str, Any]:
    """What one run of the script tells. RuntimeError if it fails."""
    from hw.sim.broker import Mosquitto
    from hw.sim.hostloop import HostLoop
    from hw.sim.meters import SimMeter
    from hw.sim.timeserver import TimeServer

    host = HostLoop()
    clock = TimeServer()
    with tempfile.TemporaryDirectory() as directory:
        broker = Mosquitto(Path(directory) / "broker")
        broker.start()
        try:
            host.run(clock.start())
            _furnish(Path(directory), broker.port, clock.port)
            with SimMeter("em340", paced=True) as meter:
                arguments = (directory, meter.path, str(openings), str(without_ms))
                return on_box("seal.py", *arguments, heap="512K")
        finally:
            broker.stop()
            host.call(clock.close)
            host.close()


def _furnish(directory: Path, broker_port: int, clock_port: int) -> None:
    config = {
        "serial": "BENCH",
        "interval_s": 1,
        "installation_limit_a": 16,
        "meter": {"model": "em340"},
        "wifi": {"ssid": "bench"},
        "broker": {"host": "127.0.0.1", "port": broker_port, "tls": "none-in-tests"},
        "clock": {"host": "127.0.0.1", "port": clock_port},
        "reader": {"fitted": True},
    }
    (directory / "config.json").write_text(json.dumps(config))
    # compiled beforehand, so that the heap holds little more than the box's own
    files = firmware_files()
    for source in (SCRIPTS / "standin.py", *(ROOT / "hw" / "sim" / name for name in PLAYED)):
        inside = Path(source.name) if source.parent == SCRIPTS else source.relative_to(ROOT)
        files[f"lib/{inside.with_suffix('.mpy')}"] = compile_module(source, source.name)
    for name, content in files.items():
        path = directory / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    os.mkfifo(directory / "wake")
