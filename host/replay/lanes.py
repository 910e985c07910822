"""Lanes side by side: each must decide, and remember, the same."""

from __future__ import annotations

from host.replay.cores import Core
from host.replay.field_log import FieldLog
from host.replay.other_lanes import Told, frames, on_chip, on_micropython
from host.replay.play import Played
from host.replay.spread import segments_of

_LINES_MAX = 20


def play_on(
    lane: str, core: Core, log: FieldLog, wanted: frozenset[bytes] | None
) -> list[Told]:
    """`micropython` or a serial port. Raises LaneFails."""
    played = frames(segments_of(log.trace, wanted), log.layouts, core.layout)
    return on_micropython(core, played) if lane == "micropython" else on_chip(lane, core, played)


def disagreements(lane: str, played: Played, told: list[Told]) -> list[str]:
    """Where a lane came to something else than CPython; empty if nowhere."""
    lines = []
    differed = {one.segment for one in played.differences if one.what != "snapshot"}
    if len(told) != len(played.digests):
        lines.append(f"{lane} played {len(told)} segments, cpython {len(played.digests)}")
    for (segment, decided, state), other in zip(played.digests, told, strict=False):
        if (decided, state) != (other.decided, other.state):
            what = "decides" if decided != other.decided else "remembers"
            lines.append(f"{lane} {what} otherwise than cpython in the segment of record {segment}")
        elif (segment in differed) != (other.differed >= 0 or bool(other.fields)):
            lines.append(f"{lane} judges the segment of record {segment} otherwise than cpython")
    return lines[:_LINES_MAX]
