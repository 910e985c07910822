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
    return Scene(Path(directory), "mosquitto", 900, "em340", heap=HEAP, speed=speed)


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
    """3,600 polls, their intervals and their messages, in the firmware's own time."""
    with tempfile.TemporaryDirectory() as directory, _start(directory, SPEED) as scene:
        scene.world.mains.restore()
        scene.wait(lambda: _online(scene), 30, "box online")
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
        scene.wait(lambda: settled(scene), 2 * 900 / SPEED + 30, "all stored and acknowledged")
        balance = draw_up(scene)
        return _figures(scene.status, booted, balance.as_dict(), scene.world.meter.sim.answers)


def _figures(
    status: dict[str, Any], booted: int, balance: dict[str, int | bool], polls: int
) -> list[Figure]:
    total = _words(HEAP)
    lowest = status["heap"]["minimum"]
    need = total - lowest
    return [
        Figure("heap in use after boot", total - booted, "B", f"of {total} in {HEAP}"),
        Figure("heap in use at peak", need, "B", f"{lowest} B were free at the least"),
        Figure("distance from the goal", need - _words(GOAL), "B", f"{GOAL} is {_words(GOAL)} B"),
        Figure("simulated time", status["uptime_ms"] / 1000, "s", f"{SPEED} times as fast"),
        Figure("polls answered", polls, "", "of the meter"),
        Figure("records written", balance["records_written"], "", f"{balance['records_lost']} lost"),
        Figure("measured", balance["meter_wh"], "Wh", f"difference {balance['difference_wh']} Wh"),
        Figure("events discarded", status["discarded_events"], ""),
    ]


def _words(heap: str) -> int:
    """`112wK` in bytes of a 64-bit machine, where a word is twice the ESP32's."""
    found = re.fullmatch(r"(\d+)wK", heap)
    assert found
    return int(found[1]) * 1024 * 2
