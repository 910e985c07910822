"""How much current: limit, limit-end, plan."""

from __future__ import annotations

from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from host.send.options import TIME_HELP, check_span, later
from host.send.order import Order
from host.send.verb import verb

AMPS_MAX = 80
NONE_MA = 0xFFFFFF
LeaseOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=0xFFFFFFFF, help="Its number; if not given one from the time, and told."
    ),
]


class Source(str, Enum):
    """On whose account a limit is."""

    grid = "grid"
    protection = "protection"


def register(app: typer.Typer) -> None:
    verb(app, "limit")(limit)
    verb(app, "limit-end")(limit_end)
    verb(app, "plan")(plan)


def limit(
    order: Order,
    source: Annotated[Source, typer.Option(help="The newest of a source replaces the last one.")],
    amps: Annotated[
        float, typer.Option(min=0, max=AMPS_MAX, help="For each phase; below 6: a pause.")
    ],
    until: Annotated[str, typer.Option(metavar="TIME", help=TIME_HELP)],
    from_: Annotated[str, typer.Option("--from", metavar="TIME", help=TIME_HELP)] = "now",
    fallback_amps: Annotated[
        float | None,
        typer.Option(min=0, max=AMPS_MAX, help="What counts when it is over, until the next."),
    ] = None,
    lease: LeaseOption = None,
) -> None:
    """Limit the current for a time.

    \b
    wallbox send WB-000001 limit --source grid --amps 10 --until +2h
    wallbox send WB-000001 limit --source protection --amps 0 --from +6h --until +8h
    """
    from_utc_s, until_utc_s = later(from_), later(until)
    check_span(from_utc_s, until_utc_s)
    arguments: dict[str, object] = {
        "source": source.value,
        "limit_ma": round(amps * 1000),
        "from_utc_s": from_utc_s,
        "until_utc_s": until_utc_s,
    }
    if fallback_amps is not None:
        arguments["fallback_ma"] = round(fallback_amps * 1000)
    _leased(order, "limit", arguments, lease)


def limit_end(
    order: Order,
    lease: Annotated[int, typer.Argument(min=1, max=0xFFFFFFFF, help="Its number.")],
) -> None:
    """Take a limit, or one period of the plan, back.

    \b
    wallbox send WB-000001 limit-end 1793600000
    """
    order.do("limit-end", {"lease": lease})


def plan(
    order: Order,
    file: Annotated[
        Path | None,
        typer.Argument(
            help="CSV with the columns from, until (ISO 8601 with a zone), amps; up to 24 rows in "
            "order.",
        ),
    ] = None,
    none: Annotated[bool, typer.Option("--none", help="No plan from now on.")] = False,
    lease: LeaseOption = None,
) -> None:
    """Set the smart schedule, in place of the one before.

    \b
    wallbox send WB-000001 plan night.csv
    wallbox send WB-000001 plan --none
    """
    from host.send.plan import read_plan

    if (file is None) != none:
        raise typer.BadParameter("a file with the plan, or --none")
    periods = read_plan(file) if file else []
    rows = [[one.from_utc_s, one.until_utc_s, one.limit_ma] for one in periods]
    _leased(order, "plan", {"periods": rows}, lease, max(len(rows), 1))


def _leased(
    order: Order, name: str, arguments: dict[str, object], lease: int | None, count: int = 1
) -> None:
    """Sends what needs `count` numbers of leases: the command's own counters, or those given."""
    if lease is not None and lease + count - 1 > 0xFFFFFFFF:
        raise typer.BadParameter(f"--lease {lease}: too high for {count} periods")
    used = [lease or 0]

    def numbered(first: int) -> dict[str, object]:
        used[0] = lease or first
        return {"lease": used[0]}

    reply = order.ask(name, arguments, 1 if lease else count, numbered)
    order.finish(reply, lease=used[0])
