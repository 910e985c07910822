"""The free story: the world's verbs from the keyboard."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from rich.live import Live

from host.console import out
from host.demo import words
from host.demo.balance import draw_up, table
from host.demo.scene import Scene
from host.demo.view import log_line, log_panel, picture

_STEP_S = 0.5
_PICTURE_LINES = 35


@dataclass(frozen=True)
class Verb:
    """`sentence` is for the log ("": nothing happens in the world); `parse` turns the words
    behind the verb into the arguments of `act`, ValueError says what is wrong with them."""

    sentence: str
    act: Callable[..., object]
    parse: Callable[[list[str]], tuple[Any, ...]] = words.none
    usage: str = ""


def verbs(scene: Scene) -> dict[str, Verb]:
    """All verbs of the world and of the picture, by name."""
    world = scene.world
    broker = world.broker
    assert broker is not None
    seal = "[lid|terminal_cover]"
    return {
        "plug": Verb("a car is plugged in", world.car.plug),
        "charge": Verb("the car asks for power", world.car.request_power),
        "stop": Verb("the car has enough", world.car.stop),
        "unplug": Verb("the car leaves", world.car.unplug),
        "load": Verb(
            "the load on the meter changes", world.meter.set_load, words.load, "W W W|off"
        ),
        "cut": Verb("the power is cut", world.mains.cut),
        "restore": Verb("the power comes back", world.mains.restore),
        "drop": Verb("the network goes away", world.net.drop),
        "join": Verb("the network comes back", world.net.restore),
        "networks": Verb(
            "other networks are in range", world.net.networks, words.names, "[NAME …]"
        ),
        "broker-stop": Verb("the broker goes away", broker.stop),
        "broker-start": Verb("the broker comes back", broker.start),
        "meter-silent": Verb("the meter falls silent", lambda: silence(scene, True)),
        "meter-back": Verb("the meter answers again", lambda: silence(scene, False)),
        "seal-open": Verb("a seal is opened", world.seal.open, words.seal, seal),
        "seal-close": Verb("a seal is closed", world.seal.close, words.seal, seal),
        "tag": Verb("a tag is held to the reader", world.tag.present, words.uid, "UID"),
        "tag-remove": Verb("the tag is taken away", world.tag.remove),
        "look": Verb("", lambda: out.print(picture(scene), height=_PICTURE_LINES)),
        "log": Verb("", lambda: out.print(log_panel(scene, 40))),
        "balance": Verb("", lambda: out.print(table(draw_up(scene)))),
    }


def silence(scene: Scene, silent: bool) -> None:
    scene.world.meter.faults.silent = silent


class Teller:
    """Prints what happens as it happens; holds its tongue while `quiet`."""

    def __init__(self, scene: Scene) -> None:
        self.quiet = False
        self._scene = scene
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._tell, daemon=True)

    def __enter__(self) -> Teller:
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        self._thread.join()

    def _tell(self) -> None:
        told = 0
        while not self._stop.wait(_STEP_S):
            self._scene.tell_records()
            if not self.quiet:
                told, lines = self._scene.news(told)
                for line in lines:
                    out.print(log_line(*line))


def play_free(scene: Scene) -> None:
    """Runs until `quit` or the end of the input."""
    scene.world.mains.restore()
    scene.say("world", "the mains are switched on")
    with Teller(scene) as teller:
        known = verbs(scene)
        known["watch"] = Verb("", lambda: _watch(scene, teller))
        listed = [f"{name} {verb.usage}".strip() for name, verb in known.items()]
        out.print(f"verbs: {', '.join([*listed, 'quit'])}", markup=False, highlight=False)
        while True:
            try:
                word, *behind = input("> ").split() or [""]
            except EOFError:
                return
            if word == "quit":
                return
            if word in known:
                _do(scene, word, known[word], behind)
            elif word:
                _say(f"{word}: no such verb; there are {', '.join(known)} and quit")


def _watch(scene: Scene, teller: Teller) -> None:
    """The live picture until Enter; where there is no terminal, one picture."""
    if not out.is_terminal:
        out.print(picture(scene), height=_PICTURE_LINES)
        return
    teller.quiet = True
    try:
        with Live(
            get_renderable=lambda: picture(scene, "Enter ends this picture"),
            console=out,
            screen=True,
            refresh_per_second=1 / _STEP_S,
        ):
            input()
    finally:
        teller.quiet = False


def _do(scene: Scene, word: str, verb: Verb, behind: list[str]) -> None:
    try:
        arguments = verb.parse(behind)
    except ValueError as error:
        _say(f"{word}: {error}")
        return
    if verb.sentence:
        scene.say("world", " ".join([verb.sentence, *(f"({text})" for text in behind)]))
    try:
        verb.act(*arguments)
    except (RuntimeError, ValueError, OSError) as error:
        _say(f"{word}: not now: {error}")


def _say(text: str) -> None:
    out.print(text, markup=False, highlight=False, soft_wrap=True)
