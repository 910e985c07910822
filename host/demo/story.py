"""The demo's story: a table of steps, each a sentence, a verb of the world, and its proof."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from host.demo.scene import Scene

_LONG_S = 30.0


@dataclass(frozen=True)
class Step:
    """`act` does it, `seen` is true once box and operator show it; at least `stay_s` is waited."""

    text: str
    act: Callable[[Scene], None]
    seen: Callable[[Scene], object]
    stay_s: float = 0.0


def _state(scene: Scene) -> object:
    return scene.status.get("state")


def _online(scene: Scene) -> object:
    return scene.status.get("online") and scene.status.get("clock") == "S"


def _charging(scene: Scene) -> bool:
    return _state(scene) == "Charging" and scene.world.car.power_w > 0


def _caught_up(scene: Scene) -> bool:
    """What was measured while the broker was away has arrived, and more."""
    return scene.told >= scene.told_before + 3


def _session_ended(scene: Scene) -> bool:
    sessions = scene.sums().sessions
    return bool(sessions) and sessions[-1].reason is not None


def settled(scene: Scene) -> bool:
    """The last interval holds the meter's register, and the box knows that it was stored."""
    totals = scene.sums().totals
    ledger = scene.status.get("ledger")
    return (
        bool(totals)
        and totals[-1].last_register_wh == scene.world.meter.register_wh()
        and _session_ended(scene)
        and isinstance(ledger, dict)
        and ledger["acknowledged"] == ledger["sequence"] == scene.entries()[-1].sequence
    )


def _plug(scene: Scene) -> None:
    scene.world.car.plug()
    scene.world.car.request_power()


def _leave(scene: Scene) -> None:
    scene.world.car.stop()
    scene.world.car.unplug()


def _stop_broker(scene: Scene) -> None:
    assert scene.world.broker is not None
    scene.world.broker.stop()


def _start_broker(scene: Scene) -> None:
    scene.told_before = scene.told
    assert scene.world.broker is not None
    scene.world.broker.start()


def _nothing(scene: Scene) -> None:
    pass


STORY = (
    Step("the mains are switched on", lambda scene: scene.world.mains.restore(), _online),
    Step("a car is plugged in and asks for power", _plug, _charging, 12),
    Step(
        "the broker goes away",
        _stop_broker,
        lambda scene: not scene.collector or not scene.collector.connected,
        8,
    ),
    Step(
        "the broker comes back",
        _start_broker,
        _caught_up,
        3,
    ),
    Step("the power is cut", lambda scene: scene.world.mains.cut(), lambda scene: True, 4),
    Step("the power comes back", lambda scene: scene.world.mains.restore(), _charging, 7),
    Step("the car has enough and leaves", _leave, _session_ended),
    Step("the books are balanced", _nothing, settled),
)


def play(scene: Scene, refresh: Callable[[], None]) -> None:
    """The whole story. TimeoutError names the step that was not seen in time."""
    for step in STORY:
        scene.say("world", step.text)
        step.act(scene)
        until = scene.elapsed_s + step.stay_s

        def over(step: Step = step, until: float = until) -> bool:
            refresh()
            return scene.elapsed_s >= until and bool(step.seen(scene))

        scene.wait(over, _LONG_S + step.stay_s, step.text)
