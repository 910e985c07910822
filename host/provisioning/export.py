"""A ring of the box over the service console: raw sectors, put together and checked."""

from __future__ import annotations

import base64
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from host.provisioning.console_line import ConsoleLine
from host.provisioning.outcome import refused, unreachable
from host.provisioning.texts import _

AT_ONCE = 16  # sectors an order; a line that fails costs no more than these
RING_BYTES_MAX = 4 << 20
TRIES = 8
BUSY_S = 0.5


@dataclass
class Ring:
    """All sectors in order. `sequence` and `acknowledged` are None of a trace."""

    data: bytes
    sequence: int | None
    acknowledged: int | None


def pull_ring(line: ConsoleLine, ring: str, progress: Callable[[float], None]) -> Ring:
    """`ledger` or `trace` of the box that `line` is logged in at. Raises Stopped.

    The box goes on working: sectors that change meanwhile are newer than those before them, so a
    ledger is verified afterwards.
    """
    data = bytearray()
    at = 0
    while True:
        answer, pieces = _some(line, ring, at)
        sectors, size = int(answer["sectors"]), int(answer["size"])
        if not 0 < sectors * size <= RING_BYTES_MAX:
            raise refused(_("the box tells of a {ring} that cannot be", ring=ring),
                          f"{sectors} × {size}", _("update the box's firmware"))
        if not data:
            data = bytearray(b"\xff" * (sectors * size))
        for sector, content in pieces.items():
            data[sector * size : sector * size + len(content)] = content
        at = min(at + AT_ONCE, sectors)
        progress(at / sectors)
        if at >= sectors:
            return Ring(bytes(data), answer.get("sequence"), answer.get("acknowledged"))


def _some(line: ConsoleLine, ring: str, first: int) -> tuple[dict[str, Any], dict[int, bytes]]:
    for _try in range(TRIES):
        found: dict[int, bytearray] = {}

        def part(told: dict[str, Any], found: dict[int, bytearray] = found) -> None:
            sector = int(told["sector"])
            content = found.setdefault(sector, bytearray())
            if not told.get("blank"):
                data = base64.b64decode(told["data"], validate=True)
                if told["at"] == 0:
                    content.clear()  # the sector changed while it was sent, and goes once more
                if int(told["at"]) == len(content):  # else a piece before it was lost
                    content += data

        answer = line.order(ring, {"first": first, "count": AT_ONCE}, part=part)
        if answer["status"] == "Failed" and _try < TRIES - 1:
            time.sleep(BUSY_S)  # the box had no memory for it at that moment
            continue
        if answer["status"] != "Accepted":
            raise refused(_("the box does not take {order}", order=ring), str(answer.get("info")),
                          _("repeat the command"))
        size = int(answer["size"])
        wanted = range(first, min(first + AT_ONCE, int(answer["sectors"])))
        if all(number in found and len(found[number]) in (0, size) for number in wanted):
            return answer, {number: bytes(content) for number, content in found.items()}
    raise unreachable(_("the {ring} did not come whole", ring=ring),
                      _("the line loses characters"),
                      _("take another cable or port, then repeat the command"))
