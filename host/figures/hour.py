"""An hour of charging in a small heap: the real box in a world whose clocks run faster."""

from __future__ import annotations

import re
import tempfile
from pathlib import Path
from typing import Any

from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled
from host.figures.figure import Figure

SPEED = 30
HEAP = "112wK"
GOAL = "56wK"
_HOUR_S = 3600
_POLL_S = 1


def _start(directory: str, speed: int) -> Scene:
    return Scene(
        Path(directory),
        "mosquitto",
        900,
        "em340",
        heap=HEAP,
        speed=speed,
        config={"reader": {"fitted": True}},
    )


def _online(scene: Scene) -> bool:
    return bool(scene.status.get("online")) and scene.status.get("clock") == "S"


def _heap(scene: Scene) -> dict[str, int]:
    heap = scene.status["heap"]
    assert isinstance(heap, dict)
    return heap


def heap_after_boot() -> dict[str, int]:
    """Bytes of the interpreter's heap in use and free once the box is online."""
    with tempfile.TemporaryDirectory() as directory, _start(directory, 1) as scene:
        scene.world.mains.restore()
        scene.wait(lambda: _online(scene), 30, "box online")
        return {"heap free after boot": _heap(scene)["minimum"]}


def hour() -> list[Figure]:
    """3,600 polls, their intervals and their messages, in the firmware's own time, with a reader
    that is polled too.
    """
    with tempfile.TemporaryDirectory() as directory, _start(directory, SPEED) as scene:
        scene.world.mains.restore()
        scene.wait(lambda: _online(scene), 60, "box online")
        booted = _heap(scene)["minimum"]
        scene.world.car.plug()
        scene.world.car.request_power()
        answers = scene.world.meter.sim.answers
        scene.wait(
            lambda: scene.world.meter.sim.answers - answers >= _HOUR_S // _POLL_S,
            4 * _HOUR_S / SPEED,
            "3,600 polls",
        )
        scene.world.car.unplug()
        scene.wait(lambda: settled(scene), 2 * 900 / SPEED + 30, "all acknowledged")
        balance = draw_up(scene)
        if scene.world.box.boots != 1:
            raise RuntimeError(f"the box was reset:\n{scene.world.box.tail()}")
        return _figures(scene.status, booted, balance.as_dict(), scene.world.meter.sim.answers)


def _figures(
    status: dict[str, Any], booted: int, balance: dict[str, int | bool], polls: int
) -> list[Figure]:
    total = _words(HEAP)
    lowest = status["heap"]["minimum"]
    need = total - lowest
    told: tuple[tuple[str, float, str, str, float | None], ...] = (
        ("heap in use after boot", total - booted, "B", f"of {total} in {HEAP}", None),
        ("heap in use at peak", need, "B",
         f"the goal is {GOAL}; {lowest} B were free at the least", _words(GOAL)),
        ("largest free block at the end", status["heap"]["largest"], "B", "", None),
        ("simulated time", status["uptime_ms"] / 1000, "s", f"{SPEED} times as fast", None),
        ("polls answered", polls, "", "of the meter", None),
        ("records written", balance["records_written"], "", "", None),
        ("records lost", balance["records_lost"], "", "", 0),
        ("difference of the books", abs(balance["difference_wh"]), "Wh", "", 0),
        ("events discarded", status["discarded_events"], "", "", 0),
    )  # fmt: skip
    charged = Figure("measured", balance["meter_wh"], "Wh", "an hour at 11 kW", least=10_000)
    return [
        *(Figure(name, value, unit, note, most=most) for name, value, unit, note, most in told),
        charged,
    ]


def _words(heap: str) -> int:
    """`112wK` in bytes of a 64-bit machine, where a word is twice the ESP32's."""
    found = re.fullmatch(r"(\d+)wK", heap)
    assert found
    return int(found[1]) * 1024 * 2
