"""The box's life: suspend, resume, hold, decommission, absence, seal, approve-…."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer

from host.console import fail
from host.send.options import TIME_HELP, check_span, later
from host.send.order import Order
from host.send.verb import verb

NUMBERS_BYTES_MAX = 48
EXIT_USAGE = 2


class Reason(str, Enum):
    """Why a box is taken out of service; docs/CODES.md."""

    none = "none"
    installation = "installation"
    always_on = "always-on"
    tampering = "tampering"
    payment = "payment"
    moved = "moved"
    hold = "hold"
    new_resident = "new resident"
    dismounted = "dismounted"


def register(app: typer.Typer) -> None:
    verb(app, "suspend")(suspend)
    verb(app, "resume")(resume)
    verb(app, "hold")(hold)
    verb(app, "decommission")(decommission)
    verb(app, "absence")(absence)
    verb(app, "seal")(seal)
    verb(app, "approve-place")(approve_place)
    verb(app, "approve-meter")(approve_meter)


def suspend(
    order: Order,
    reason: Annotated[Reason, typer.Option(help="Why; it stands in the ledger.")],
) -> None:
    """Let nobody charge at the box until it is resumed.

    \b
    wallbox send WB-000001 suspend --reason payment
    wallbox send WB-000001 suspend --reason "always-on"
    """
    _life(order, "suspended", reason)


def resume(order: Order) -> None:
    """Take the box into service again.

    \b
    wallbox send WB-000001 resume
    """
    _life(order, "in service")


def hold(
    order: Order, reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.hold
) -> None:
    """Put the subscription on hold: nobody charges until the box is resumed.

    \b
    wallbox send WB-000001 hold
    """
    _life(order, "on hold", reason)


def decommission(
    order: Order,
    reason: Annotated[Reason, typer.Option(help="Why.")] = Reason.none,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
) -> None:
    """End the box's service for good: its final register is read, and nobody charges any more.

    \b
    wallbox send WB-000001 decommission --reason dismounted --yes
    """
    if not yes and not _confirmed(order.box):
        fail(f"{order.box}: nothing was sent", EXIT_USAGE)
    _life(order, "decommissioned", reason)


def absence(
    order: Order,
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help=TIME_HELP)] = "",
    until: Annotated[str, typer.Option(metavar="TIME", help=TIME_HELP)] = "",
    none: Annotated[bool, typer.Option("--none", help="Take back what is announced.")] = False,
) -> None:
    """Announce a time in which the box will be away, so that it counts as planned.

    \b
    wallbox send WB-000001 absence --from +1h --until +3h
    wallbox send WB-000001 absence --none
    """
    if none != (not from_ and not until) or bool(from_) != bool(until):
        raise typer.BadParameter("say --from and --until, or --none")
    if none:
        order.do("absence", {"from_utc_s": 0, "until_utc_s": 0})
        return
    from_utc_s, until_utc_s = later(from_), later(until)
    check_span(from_utc_s, until_utc_s)
    order.do("absence", {"from_utc_s": from_utc_s, "until_utc_s": until_utc_s})


def seal(
    order: Order,
    numbers: Annotated[str, typer.Argument(help="The new seals' numbers, up to 48 bytes.")],
) -> None:
    """Say that new seals are on; then a broken one counts no longer.

    \b
    wallbox send WB-000001 seal "4711 4712"
    """
    size = len(numbers.encode("utf-8", "surrogateescape"))
    if not 1 <= size <= NUMBERS_BYTES_MAX or not numbers.isprintable():
        raise typer.BadParameter(f"{size} bytes; right are 1 to {NUMBERS_BYTES_MAX}, printable")
    order.do("seal", {"numbers": numbers})


def approve_place(order: Order) -> None:
    """The box may stay where it is now.

    \b
    wallbox send WB-000001 approve-place
    """
    order.do("approve-place")


def approve_meter(
    order: Order,
    meter_id: Annotated[
        int, typer.Argument(min=1, max=0xFFFFFFFF, help="Its meter_id, as in the fact METER.")
    ],
) -> None:
    """The meter that is there now is the one that counts.

    \b
    wallbox send WB-000001 approve-meter 4711
    """
    order.do("approve-meter", {"meter_id": meter_id})


def _confirmed(box: str) -> bool:
    try:
        return typer.confirm(f"End the service of {box} for good?", err=True)
    except typer.Abort:
        return False


def _life(order: Order, after: str, reason: Reason = Reason.none) -> None:
    order.do("lifecycle", {"after": after, "reason": reason.value})
