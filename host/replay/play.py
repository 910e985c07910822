"""Plays segments and tells where the core comes to something else than the box did."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from host.replay.lane import DECIDED, Lane
from host.replay.segments import Entry, Segment

Decision = tuple[int, ...]
Hear = Callable[[Entry, list[Decision], Lane], None]


@dataclass(frozen=True)
class Difference:
    """What was compared (`decisions` or `state`), and the entries since both agreed last."""

    what: str
    at: Entry
    since: int  # index in the segment's entries


def play(segment: Segment, lane: Lane, hear: Hear | None = None) -> Iterator[Difference]:
    """Plays one segment; differences of its decisions. Raises ValueError as Lane.restore does.

    hear(entry, decisions, lane) is called after each event.
    """
    lane.restore(segment.snapshot)
    agreed = 0
    for index, entry in enumerate(segment.entries):
        if entry.kind != DECIDED:
            taken = lane.take(entry.now, entry.data)
            if hear:
                hear(entry, list(taken), lane)
        elif not lane.frozen:
            if int.from_bytes(entry.data[1:5], "little") != lane.decided:
                yield Difference("decisions", entry, agreed)
                return
            agreed = index + 1
