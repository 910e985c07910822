"""`wallbox provision`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import out
from host.provisioning.options import (
    PARTNER,
    ColorOption,
    JsonOption,
    LangOption,
    PartnerOption,
    partner_at,
    say,
    say_json,
    speaking,
)

if TYPE_CHECKING:
    from host.provisioning.job import Job
    from host.provisioning.order import Order
    from host.provisioning.screen import Screen

OPEN_S = 60
TAP_S = 30
PLUG_S = 60


def register(app: typer.Typer) -> None:
    app.command("provision")(provision)


def provision(
    order: Annotated[
        Path, typer.Option("--order", help="The order; with --all a directory of orders.")
    ],
    image: Annotated[
        Path, typer.Option("--image", envvar="WALLBOX_IMAGE", help="Of `wallbox image build`.")
    ] = Path("wallbox.bin"),
    partner: PartnerOption = PARTNER,
    port: Annotated[
        list[str] | None, typer.Option("--port", help="Serial port; with --all several.")
    ] = None,
    all_boxes: Annotated[
        bool, typer.Option("--all", help="Every box that is found, at once.")
    ] = False,
    folder: Annotated[
        Path, typer.Option("--journal", help="Journal, sealed keys and certificates go here.")
    ] = Path("provisioning"),
    test_plug: Annotated[
        bool,
        typer.Option("--test-plug", help="Ask for a test plug at pilot B and C in the self-test."),
    ] = False,
    until: Annotated[
        str,
        typer.Option(
            "--until",
            help="Last step: detect, flash, identity, configure, test, check, service, certify.",
        ),
    ] = "certify",
    collect: Annotated[
        bool, typer.Option("--collect", help="Save a ledger that the operator has not got yet.")
    ] = False,
    label: Annotated[
        bool, typer.Option("--label", help="Draw the label with its QR code.")
    ] = False,
    rescue: Annotated[
        bool,
        typer.Option("--rescue", help="Write program and files of a broken box anew, no more."),
    ] = False,
    yes: Annotated[
        bool, typer.Option("--yes", help="Ask nobody: what the order does not tell is missing.")
    ] = False,
    as_json: JsonOption = False,
    lang: LangOption = "en",
    no_color: ColorOption = False,
) -> None:
    """Take a box from a bare chip to a signed certificate. Repeat it to go on where it stopped.

    Exit code 0: done. 2: wrong options. 3: a box cannot be reached. 4: a file is unusable.
    5: the box or a check refuses. 6: somebody else has to do something first. 130: Ctrl-C.
    With --all the highest of all boxes.
    """
    from host.provisioning.run import NAMES
    from host.provisioning.run import provision as run

    if until not in NAMES:
        raise typer.BadParameter(f"--until: one of {', '.join(NAMES)}")
    with speaking(lang, no_color, as_json):
        told = partner_at(partner)
        built = _image(image)
        person = not (yes or as_json or all_boxes)

        def job(name: str, one: Order, screen: Screen) -> Job:
            from host.provisioning.esptool_program import Esptool
            from host.provisioning.job import Job

            return Job(
                name, one, told, built, Esptool(name), folder, screen,
                person=person,
                tap_s=TAP_S if person and one.reader.fitted else 0,
                open_s=OPEN_S if person and one.seals and one.seals.fitted else 0,
                plug_s=PLUG_S if person and test_plug else 0,
                label=label, collect=collect,
            )

        from host.provisioning.screen import JsonScreen, PersonScreen

        if all_boxes:
            from host.provisioning.shelf_command import shelf

            raise typer.Exit(shelf(port, order, folder, until, as_json, job))
        from host.provisioning.order import read_order

        one = read_order(order)
        name = _only_port(port)
        screen = JsonScreen(name) if as_json else PersonScreen(out, person)
        if rescue:
            from host.provisioning.rescue import rescue as write_anew

            screen.done(write_anew(job(name, one, screen)))
            return
        run(job(name, one, screen), until)
        _say_done(as_json, name, one.serial, until)


def _say_done(as_json: bool, port: str, serial: str, until: str) -> None:
    from host.provisioning.texts import _

    if as_json:
        say_json({"event": "end", "port": port, "serial": serial, "code": 0})
    elif until == "certify":
        say(_("{serial} is certified and in service.", serial=serial))
    else:
        say(_("{serial}: done up to {step}.", serial=serial, step=until))


def _image(path: Path):  # type: ignore[no-untyped-def]
    from host.provisioning.flash_image import load

    return load(path)


def _only_port(given: list[str] | None) -> str:
    """The port that was named, or the only box there is. Raises Stopped."""
    from host.provisioning.outcome import unreachable
    from host.provisioning.ports import candidates
    from host.provisioning.texts import _

    names = given or [device.port for device in candidates()]
    if len(names) == 1:
        return names[0]
    if not names:
        raise unreachable(_("no box was found"), _("no serial port has the USB id of a box"),
                          _("plug the cable in; take one that carries data, many only charge; "
                            "or name the port with --port"))
    raise unreachable(_("there are several boxes: {ports}", ports=", ".join(names)),
                      _("one is provisioned at a time without --all"),
                      _("name one with --port, or take --all"))
