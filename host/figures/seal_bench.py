"""The bench of the seals: from an opened lid to an open contactor while everything else works."""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path
from typing import Any

from host.figures.figure import ROOT, SCRIPTS, Figure, on_box
from host.image import compile_module, firmware_files

OPENINGS = 2000
ENVIRONMENT = "WALLBOX_SEAL_OPENINGS"
OFF_P50_US, OFF_P999_US, OFF_MAX_US = 1000, 10_000, 45_000  # the last: one sector's erase
LOST_US = 20_000
DURABLE_US = 50_000
STALL_P999_US = 5000
PLAYED = ("flash.py", "tagcards.py", "tagchip.py", "tagreader.py")


def seal(openings: int | None = None) -> list[Figure]:
    """`openings` of the lid; WALLBOX_SEAL_OPENINGS says how many if it is None."""
    told = measure(openings or int(os.environ.get(ENVIRONMENT, OPENINGS)))
    off, lost, durable = told["off"], told["lost"], told["durable"]
    stalls, erasing = told["stalls"], told["erasing"]
    work = (
        f"{told['records']} records written, {told['published']} published, "
        f"{told['readings']} readings, {told['reader_accesses']} accesses to the tag reader, "
        f"{told['erases']} erases in {told['elapsed_ms'] / 1000:.0f} s"
    )
    return [
        Figure("openings", told["openings"], "", work),
        Figure("contactor not off within 1 s", told["missed"], "", "", most=0),
        Figure("edge to contactor off, p50", off["p50_us"] / 1000, "ms",
               "0.2 ms of it confirm the opening", most=OFF_P50_US / 1000),
        Figure("edge to contactor off, p99.9", off["p999_us"] / 1000, "ms",
               f"of {off['count']}", most=OFF_P999_US / 1000),
        Figure("edge to contactor off, longest", off["max_us"] / 1000, "ms",
               "the goal is one sector's erase", most=OFF_MAX_US / 1000),
        Figure("interrupt lost: longest until contactor off", lost["max_us"] / 1000, "ms",
               f"of {lost['count']}; p50 {lost['p50_us'] / 1000} ms", most=LOST_US / 1000),
        Figure("edge to the fact in flash, p99.9", durable["p999_us"] / 1000, "ms",
               f"longest {durable['max_us'] / 1000} ms", most=DURABLE_US / 1000),
        Figure("stall of the loop without an erase, p99.9", stalls["p999_us"] / 1000, "ms",
               f"of {stalls['count']}; longest {stalls['max_us'] / 1000} ms",
               most=STALL_P999_US / 1000),
        Figure("stall of the loop with an erase, longest", erasing["max_us"] / 1000, "ms",
               f"of {erasing['count']}; an erase is 45 ms"),
    ]  # fmt: skip


def measure(openings: int) -> dict[str, Any]:
    """What the script tells. RuntimeError if it fails."""
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
                return on_box("seal.py", directory, meter.path, str(openings), heap="400K")
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
        "broker": {"host": "127.0.0.1", "port": broker_port},
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
