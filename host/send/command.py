"""`wallbox send`: the group; its verbs stand in the files beside this, by what they are about."""

from __future__ import annotations

import importlib
from typing import Annotated

import typer

from host.keys import valid_serial
from host.send.verb import VerbGroup

VERBS = (
    "host.send.verbs_box",
    "host.send.verbs_charging",
    "host.send.verbs_limits",
    "host.send.verbs_tags",
    "host.send.verbs_life",
)

_send = typer.Typer(
    cls=VerbGroup, no_args_is_help=True, subcommand_metavar="VERB [OPTIONS]"
)


def register(app: typer.Typer) -> None:
    for name in VERBS:
        importlib.import_module(name).register(_send)
    app.add_typer(_send, name="send")


@_send.callback()
def send(
    ctx: typer.Context, box: Annotated[str, typer.Argument(help="Serial of the box.")]
) -> None:
    """Order something of a box: signed with its key, and answered by it.

    \b
    wallbox send WB-000001 status
    wallbox send WB-000001 limit --source grid --amps 10 --until +2h
    wallbox send limit --help

    The broker and the key store may stand in the environment:
    WALLBOX_BROKER, WALLBOX_TLS, WALLBOX_CA_FILE, WALLBOX_USER,
    WALLBOX_PASSWORD_FILE, WALLBOX_KEYS and so on, as each verb's help says.

    Exit code 0: Accepted, Scheduled or RebootRequired. 1: the box refuses
    (Rejected, Failed, VersionMismatch, NotSupported). 2: wrong options.
    3: the broker cannot be reached or refuses. 4: the key store or a file is
    unusable. 5: no answer in time; the box may still take the command.
    """
    if not valid_serial(box):
        raise typer.BadParameter(
            f"{box[:40]!r} is no serial: 1 to 32 letters, digits, - and _ are allowed",
            param_hint="BOX",
        )
    ctx.obj = box
