"""The box itself: status, configure, trace, reboot."""

from __future__ import annotations

import json
import os
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from host.console import EXIT_UNUSABLE, fail, out, printable
from host.provisioning.files import try_writing
from host.send import moment
from host.send.order import EXIT_NO_ANSWER, Order
from host.send.progress import bar
from host.send.verb import verb

if TYPE_CHECKING:
    from host.send.message import Reply
    from host.send.trace import TraceParts

SECTORS_MAX = 256
KEYS = ("interval_s", "seals.policy", "presence.offline_grace_h", "place.relocate_after_h")
_ROUNDS = 4  # the sectors that were asked for, and three times what was lost
_HOLES_MAX = 16  # questions in a round
_QUIET_S = 3.0  # nothing more comes of what was asked for
_TRACE_WAIT_S = 120.0


def register(app: typer.Typer) -> None:
    verb(app, "status")(status)
    verb(app, "configure")(configure)
    verb(app, "trace")(trace)
    verb(app, "reboot")(reboot)


def status(order: Order) -> None:
    """Ask for the box's status, wait for it, and show it.

    The answer is signed; the status itself is not.

    \b
    wallbox send WB-000001 status
    wallbox send WB-000001 status --json
    """
    reply = order.ask("status")
    if not reply.done:
        order.finish(reply)
    sender = order.sender
    if not sender.wait(lambda: sender.status_live, order.wait_s):
        fail(f"{order.box}: it answers, but its status does not come; try again", EXIT_NO_ANSWER)
    assert sender.status_live is not None
    if order.as_json:
        told = {"box": order.box, **asdict(reply), "box_status": sender.status_live}
        print(json.dumps(told), flush=True)
    else:
        _print_status(sender.status_live)


def configure(
    order: Order,
    key: Annotated[str, typer.Argument(help=f"One of {', '.join(KEYS)}.")],
    value: Annotated[str, typer.Argument(help="As docs/configuration.md says.")],
) -> None:
    """Set one key of the box's configuration.

    \b
    wallbox send WB-000001 configure interval_s 900
    wallbox send WB-000001 configure seals.policy pause
    """
    order.do("configure", {"key": key, "value": _checked(key, value)})


def trace(
    order: Order,
    output: Annotated[Path, typer.Option("--output", "-o", help="File that does not exist yet.")],
    first: Annotated[int, typer.Option(min=0, max=0xFFFF, help="The first sector.")] = 0,
    count: Annotated[int, typer.Option(min=1, max=SECTORS_MAX, help="How many sectors.")] = 16,
) -> None:
    """Fetch sectors of 4,096 bytes of the box's trace into a file.

    Chunks that got lost are asked for again; what is still missing then is 0xFF in the file,
    and the exit code is 5. The chunks are not signed.

    \b
    wallbox send WB-000001 trace --first 0 --count 16 -o trace.bin
    """
    from host.send.trace import TraceParts

    if output.exists():
        fail(f"{output}: exists; name another file, or move it away", EXIT_UNUSABLE)
    try:
        try_writing(output)
    except OSError as wrong:
        _unwritable(output, wrong)
    parts = TraceParts(first, count)
    reply = fetch(order, parts)
    missing = parts.holes()
    _write(output, parts.data())
    order.tell(reply, bytes=parts.received, missing_sectors=sum(n for _, n in missing))
    if missing:
        fail(f"{output}: {len(missing)} holes are left; ask for their sectors", EXIT_NO_ANSWER)


def fetch(order: Order, parts: TraceParts) -> Reply:
    """Asks for the parts, and again for what gets lost; what is still missing then, they tell."""
    with bar("bytes", len(parts.data()), order.as_json) as set_done:

        def take(payload: bytes) -> None:
            parts.add(payload)
            set_done(parts.received)

        order.sender.trace = take
        for _ in range(_ROUNDS):
            for start, sectors in parts.holes()[:_HOLES_MAX]:
                reply = order.ask("trace", {"first": start, "count": sectors})
                if not reply.done:
                    order.finish(reply)
                _wait(order, parts, start + sectors)
    return reply


def reboot(
    order: Order,
    force: Annotated[bool, typer.Option("--force", help="Also while a session runs.")] = False,
) -> None:
    """Reset the box in good order.

    \b
    wallbox send WB-000001 reboot
    """
    order.do("reboot", {"force": True} if force else {})


def _wait(order: Order, parts: TraceParts, end: int) -> None:
    """Until the sectors before `end` are there, or nothing more comes."""
    deadline = time.monotonic() + _TRACE_WAIT_S
    while time.monotonic() < deadline:
        before = parts.received

        def moved(before: int = before) -> bool:
            return parts.received > before

        if not any(start < end for start, _ in parts.holes()):
            return
        if not order.sender.wait(moved, _QUIET_S):
            return


def _checked(key: str, text: str) -> object:
    """The value in its type. Raises BadParameter with what is right."""
    from wallbox.config import CHOICES, rows

    if key not in KEYS:
        raise typer.BadParameter(f"{key[:40]!r}: one of {', '.join(KEYS)} can be set from afar")
    _, kind, least, most, _ = next(row for row in rows() if row[0] == key)
    if kind is str:
        choices = [str(choice) for choice in CHOICES[key]]
        if text not in choices:
            raise typer.BadParameter(f"{key}: right is one of {', '.join(choices)}")
        return text
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1
    if not least <= number <= most:
        raise typer.BadParameter(f"{key}: right is a whole number from {least} to {most}")
    if key == "interval_s" and 3600 % number:
        raise typer.BadParameter("interval_s: right is a divisor of 3600, as 900")
    return number


def _write(path: Path, data: bytes) -> None:
    try:
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
        with open(os.open(path, flags, 0o600), "wb") as file:
            file.write(data)
    except OSError as wrong:
        _unwritable(path, wrong)


def _unwritable(path: Path, wrong: OSError) -> NoReturn:
    fail(f"{path}: cannot be written: {wrong.strerror}; name another file", EXIT_UNUSABLE)


def _print_status(told: dict[str, object]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, show_header=False)
    table.add_column(style="bold")
    table.add_column(overflow="fold")
    for name, value in _flat(told, ""):
        table.add_row(Text(printable(name)), Text(printable(_shown(name, value))))
    out.print(table)


def _flat(tree: dict[str, object], before: str) -> list[tuple[str, object]]:
    rows: list[tuple[str, object]] = []
    for name, value in tree.items():
        if isinstance(value, dict) and value:
            rows += _flat(value, f"{before}{name}.")
        else:
            rows.append((before + name, value))
    return rows


def _shown(name: str, value: object) -> str:
    if isinstance(value, list):
        return ", ".join(str(one) for one in value) or "none"
    if name.endswith("utc_s") and isinstance(value, int) and 0 < value <= moment.UTC_S_MAX:
        return f"{value}  {moment.shown(value)}"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return "none" if value is None or value == {} else str(value)
