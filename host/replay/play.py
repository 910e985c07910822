"""Plays segments and tells where the core comes to something else than the box did."""

from __future__ import annotations

from binascii import crc32
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, fields, replace
from types import ModuleType

from host.replay.fast_lane import FastLane
from host.replay.lane import DECIDED, Lane
from host.replay.segments import Segment

FAULTS = Exception  # rules under work may be wrong in any way


@dataclass(frozen=True)
class Difference:
    """Where a segment comes to something else. `what`: decisions, state, snapshot or error.

    `segment` is the sequence of its first record. `index`: of the entry at which it showed, and
    `since`: of the first one after both agreed last. `fields`: what differs at the next snapshot.
    """

    what: str
    segment: int
    index: int
    since: int
    fields: tuple[str, ...] = ()
    reason: str = ""


@dataclass
class Checked:
    """What was compared, and what could not be."""

    segments: int = 0
    events: int = 0
    decisions: int = 0  # sealed sums of decisions that agree
    states: int = 0  # whole states that agree
    readings: int = 0
    unknown: int = 0  # events that the core does not know
    frozen: int = 0  # events while the ledger took nothing, of which nothing can be compared
    holes: int = 0  # segments behind which the trace tears

    def add(self, other: Checked) -> None:
        for one in fields(self):
            setattr(self, one.name, getattr(self, one.name) + getattr(other, one.name))


@dataclass
class Played:
    """What came of some segments. `digests`, if wanted: (segment, decisions, state) of each."""

    checked: Checked = field(default_factory=Checked)
    differences: list[Difference] = field(default_factory=list)
    digests: list[tuple[int, int, int]] = field(default_factory=list)


class Lanes:
    """One core, with a lane for each lay-out of the state that a log has snapshots in.

    layouts: fields by the hash of the core that wrote them; unknown ones are taken as the core's.
    """

    def __init__(
        self, core: ModuleType, layouts: Mapping[bytes, str], kind: type[Lane] = FastLane
    ) -> None:
        self.core = core
        self._layouts = layouts
        self._kind = kind
        self._lanes: dict[str, Lane] = {}

    def of(self, segment: Segment) -> Lane:
        layout = self._layouts.get(segment.core, "")
        if layout not in self._lanes:
            self._lanes[layout] = self._kind(self.core, layout)
        return self._lanes[layout]


def play(
    segments: Iterable[Segment], lanes: Lanes, on: bool = False, digests: bool = False
) -> Played:
    """Plays segments up to the first difference, or, if `on`, all of them."""
    played = Played()
    before: Segment | None = None
    doubt: Difference | None = None
    for segment in segments:
        lane = lanes.of(segment)
        mine, comparable = lane.state, segment.follows and not lane.frozen
        try:
            lane.restore(segment.snapshot)
        except FAULTS as error:
            if before is not None:
                _close(played, before, doubt, None)
            before = None
            unreadable = Difference("snapshot", segment.first.sequence, 0, 0, (), str(error))
            played.differences.append(unreadable)
            continue
        if before is not None:
            _close(played, before, doubt, lane.differing(mine) if comparable else None)
            played.checked.holes += not segment.follows
        if played.differences and not on:
            return played
        before = segment
        doubt = _play_one(segment, lane, played.checked)
        if digests and segment.entries:
            played.digests.append((segment.first.sequence, lane.decided, state_digest(lane)))
    if before is not None:
        _close(played, before, doubt, None)
    return played


def state_digest(lane: Lane) -> int:
    """CRC-32 of the packed state and the limits for a time."""
    buffer = bytearray(lane.core.engine.STATE_SIZE)
    lane.core.engine.pack(lane.state, buffer)
    return crc32(lane.state.leases, crc32(buffer))


def _play_one(segment: Segment, lane: Lane, checked: Checked) -> Difference | None:
    checked.segments += bool(segment.entries)
    take, reading = lane.take, lane.core.events.METER_READING
    since = compared = events = readings = 0
    unknown = lane.unknown
    doubt: Difference | None = None
    index = 0
    try:
        for index, (_sequence, _boot, now, _utc, _quality, data) in enumerate(segment.entries):
            kind = data[0]
            if kind != DECIDED:
                take(now, data)
                events += 1
                readings += kind == reading
                checked.frozen += lane.frozen
            elif doubt is None and not lane.frozen:
                if int.from_bytes(data[1:5], "little") == lane.decided:
                    compared += 1
                    since = index + 1
                else:
                    doubt = Difference("decisions", segment.first.sequence, index, since)
    except FAULTS as error:
        reason = f"these rules fail: {type(error).__name__}: {error}"
        doubt = Difference("error", segment.first.sequence, index, since, (), reason)
        lane.frozen = True  # nothing can be compared behind it
    checked.events += events
    checked.readings += readings
    checked.decisions += compared
    checked.unknown += lane.unknown - unknown
    return doubt


def _close(
    played: Played, segment: Segment, doubt: Difference | None, differing: list[str] | None
) -> None:
    """At its end: what differs from the next snapshot; None if that cannot be compared."""
    played.checked.states += differing == []
    if doubt is not None:
        played.differences.append(replace(doubt, fields=tuple(differing or ())))
    elif differing:
        end = len(segment.entries)
        sealed = (at for at in range(end - 1, -1, -1) if segment.entries[at].data[0] == DECIDED)
        since = next(sealed, -1) + 1
        sequence = segment.first.sequence
        played.differences.append(Difference("state", sequence, end, since, tuple(differing)))
