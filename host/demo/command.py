"""`wallbox demo`: see it work."""

from __future__ import annotations

import json
import tempfile
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer
from rich.live import Live

from host.console import EXIT_UNREACHABLE, ColorOption, fail, out


class Story(str, Enum):
    short = "short"
    free = "free"


class Broker(str, Enum):
    amqtt = "amqtt"
    mosquitto = "mosquitto"


def register(app: typer.Typer) -> None:
    app.command("demo")(demo)


def demo(
    story: Annotated[
        Story, typer.Option(help="short: about a minute; free: keeps running, takes verbs.")
    ] = Story.short,
    broker: Annotated[
        Broker, typer.Option(help="amqtt comes with this package; mosquitto must be installed.")
    ] = Broker.amqtt,
    meter: Annotated[str, typer.Option(help="Model of the sub-meter.")] = "sdm630",
    interval_s: Annotated[
        int, typer.Option(min=1, max=3600, help="Length of an interval, a divisor of 3600.")
    ] = 5,
    as_json: Annotated[bool, typer.Option("--json", help="Only the balance, as JSON.")] = False,
    plain: Annotated[bool, typer.Option("--plain", help="The log alone, line by line.")] = False,
    no_color: ColorOption = False,
) -> None:
    """A wallbox at work: it charges, loses broker and power, and in the end the books balance.

    The firmware is the one that is flashed, on the real MicroPython; the world around it is
    simulated. Exit code 0: the balance is right to the Wh and no record was lost or doubled.
    1: it is not. 3: something did not happen in time.
    """
    from host.demo.balance import draw_up, table
    from host.demo.free import play_free
    from host.demo.scene import Scene
    from host.demo.story import play
    from host.demo.view import log_line, picture
    from hw.sim.meter_models import MODELS

    if meter not in MODELS:
        raise typer.BadParameter(f"{meter}: choose one of {', '.join(MODELS)}", param_hint="meter")
    if 3600 % interval_s:
        raise typer.BadParameter("must be a divisor of 3600", param_hint="interval-s")
    quiet = as_json
    live_picture = not quiet and not plain and out.is_terminal
    with (
        tempfile.TemporaryDirectory(prefix="wallbox-demo-") as directory,
        Scene(Path(directory), broker.value, interval_s, meter) as scene,
    ):
        if story is Story.free:
            play_free(scene)
            return
        known = 0

        def refresh() -> None:
            nonlocal known
            scene.tell_records()
            if live_picture:
                live.update(picture(scene), refresh=True)
            elif not quiet:
                known, lines = scene.news(known)
                for line in lines:
                    out.print(log_line(*line))

        live = Live(console=out, screen=True, auto_refresh=False)
        try:
            if live_picture:
                with live:
                    play(scene, refresh)
                for line in scene.log:
                    out.print(log_line(*line))
            else:
                play(scene, refresh)
        except TimeoutError as error:
            fail(f"demo: {error}; console of the box:\n{scene.world.box.tail()}", EXIT_UNREACHABLE)
        balance = draw_up(scene)
    if as_json:
        out.print_json(json.dumps(balance.as_dict()))
    else:
        out.print(table(balance))
    raise typer.Exit(0 if balance.balanced else 1)
