"""Who may charge and when: reader-mode, start, stop, opt-out, charge-now."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from host.send.options import DAY_S, TIME_HELP, later
from host.send.order import Order
from host.send.tag_option import HashOption, UidFileOption, tag_of
from host.send.verb import verb

AMPS_MAX = 80


class Mode(str, Enum):
    """Who may start a session."""

    free = "free"
    required = "required"


class Switch(str, Enum):
    """A wish that is there or not."""

    on = "on"
    off = "off"


SwitchArgument = Annotated[Switch, typer.Argument(help="on or off.")]


def register(app: typer.Typer) -> None:
    verb(app, "reader-mode", valid_s=30 * DAY_S)(reader_mode)
    verb(app, "start")(start)
    verb(app, "stop")(stop)
    verb(app, "opt-out")(opt_out)
    verb(app, "charge-now")(charge_now)


def reader_mode(
    order: Order,
    mode: Annotated[Mode, typer.Argument(help="free: anybody; required: tags, or the operator.")],
    from_: Annotated[
        str, typer.Option("--from", metavar="TIME", help=f"{TIME_HELP} May lie in the past.")
    ] = "now",
) -> None:
    """Let anybody charge, or only tags on the list.

    A time that is over counts for what began since.

    \b
    wallbox send WB-000001 reader-mode required
    wallbox send WB-000001 reader-mode free --from 2027-01-01
    """
    from_utc_s = 0 if from_ == "now" else later(from_)
    order.do("reader-mode", {"mode": mode.value, "from_utc_s": from_utc_s})


def start(
    order: Order,
    subscription: Annotated[
        int, typer.Option(min=0, max=0xFFFFFFFF, help="Who pays; 0: nobody is named.")
    ] = 0,
    amps: Annotated[
        float, typer.Option(min=0, max=AMPS_MAX, help="Limit of the session; 0: none.")
    ] = 0.0,
    uid_file: UidFileOption = None,
    hash_: HashOption = None,
) -> None:
    """Start a session as a tap of a tag would.

    \b
    wallbox send WB-000001 start --subscription 1201 --amps 10
    """
    arguments: dict[str, object] = {"subscription": subscription, "limit_ma": round(amps * 1000)}
    if uid_file or hash_:
        arguments["tag"] = tag_of(order, uid_file, hash_)
    order.do("start", arguments)


def stop(
    order: Order,
    session: Annotated[
        int, typer.Option(min=0, max=0xFFFFFFFF, help="Its number; 0: whichever runs.")
    ] = 0,
) -> None:
    """End the session; then the car must be unplugged, or started anew.

    \b
    wallbox send WB-000001 stop
    """
    order.do("stop", {"session": session})


def opt_out(order: Order, switch: SwitchArgument) -> None:
    """The subscriber wants no limits for the grid's sake (on), or takes them again (off).

    \b
    wallbox send WB-000001 opt-out on
    """
    order.do("opt-out", {"on": switch is Switch.on})


def charge_now(order: Order, switch: SwitchArgument) -> None:
    """This session does not heed the plan (on), or heeds it again (off).

    \b
    wallbox send WB-000001 charge-now on
    """
    order.do("charge-now", {"on": switch is Switch.on})
