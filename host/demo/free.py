"""The free story: the world's verbs from the keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable

from host.console import out
from host.demo.balance import draw_up, table
from host.demo.scene import Scene
from host.demo.view import log_line, log_panel, picture

_STEP_S = 0.5


def verbs(scene: Scene) -> dict[str, tuple[str, Callable[[], object]]]:
    """Word to (sentence, action)."""
    world = scene.world
    broker = world.broker
    assert broker is not None
    return {
        "plug": ("a car is plugged in", world.car.plug),
        "charge": ("the car asks for power", world.car.request_power),
        "stop": ("the car has enough", world.car.stop),
        "unplug": ("the car leaves", world.car.unplug),
        "cut": ("the power is cut", world.mains.cut),
        "restore": ("the power comes back", world.mains.restore),
        "drop": ("the network goes away", world.net.drop),
        "join": ("the network comes back", world.net.restore),
        "broker-stop": ("the broker goes away", broker.stop),
        "broker-start": ("the broker comes back", broker.start),
        "meter-silent": ("the meter falls silent", lambda: silence(scene, True)),
        "meter-back": ("the meter answers again", lambda: silence(scene, False)),
        "look": ("", lambda: out.print(picture(scene), height=34)),
        "log": ("", lambda: out.print(log_panel(scene, 40))),
        "balance": ("", lambda: out.print(table(draw_up(scene)))),
    }


def silence(scene: Scene, silent: bool) -> None:
    scene.world.meter.faults.silent = silent


def play_free(scene: Scene) -> None:
    """Runs until `quit` or the end of the input."""
    scene.world.mains.restore()
    scene.say("world", "the mains are switched on")
    known = verbs(scene)
    out.print("verbs: " + ", ".join([*known, "quit"]))
    stop = threading.Event()
    teller = threading.Thread(target=_tell, args=(scene, stop), daemon=True)
    teller.start()
    try:
        while True:
            try:
                word = input("> ").strip()
            except EOFError:
                return
            if word == "quit":
                return
            if word in known:
                _do(scene, known[word])
            elif word:
                out.print(f"{word}: no such verb; there are {', '.join(known)} and quit")
    finally:
        stop.set()
        teller.join()


def _do(scene: Scene, verb: tuple[str, Callable[[], object]]) -> None:
    sentence, action = verb
    if sentence:
        scene.say("world", sentence)
    try:
        action()
    except (RuntimeError, ValueError, IndexError, KeyError) as error:
        out.print(f"not now: {error}")


def _tell(scene: Scene, stop: threading.Event) -> None:
    printed = 0
    while not stop.wait(_STEP_S):
        scene.tell_records()
        lines = list(scene.log)
        for line in lines[printed:]:
            out.print(log_line(*line))
        printed = len(lines)
