"""What to show of a difference: the events since both agreed, our decisions, both states."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import ModuleType
from typing import Any

from wallbox.store.record import PAYLOAD_AT, TAIL

from host.replay import said
from host.replay.lane import DECIDED, Lane
from host.replay.play import FAULTS, Difference, Lanes
from host.replay.segments import Entry, Segment, read_segments

KEY_FIELDS = (
    "refusals", "limit_ma", "limit_source", "session", "session_phase", "letter", "contactor",
    "register_wh", "lifecycle", "due",
)  # fmt: skip
EVENTS_MAX = 200  # of those since both agreed, the last ones


@dataclass
class Step:
    """An event and what these rules decided; `refusals` by name, after it."""

    entry: Entry
    event: dict[str, Any]
    decisions: list[dict[str, Any]]
    refusals: list[str]
    limit_ma: int

    def as_dict(self) -> dict[str, Any]:
        return {
            **said.moment(self.entry), **self.event, "decided": self.decisions,
            "refusals": self.refusals, "limit_ma": self.limit_ma,
        }  # fmt: skip


@dataclass
class Detail:
    """`states`: (field, the box's, ours, whether they differ) at the snapshot `compared_at`.

    `facts`: what the box's ledger has of the time of the steps, if the log holds it.
    """

    difference: Difference
    at: Entry
    steps: list[Step] = field(default_factory=list)
    states: list[tuple[str, Any, Any, bool]] = field(default_factory=list)
    compared_at: Entry | None = None
    facts: list[dict[str, Any]] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        states = {
            name: {"box": theirs, "replay": ours, "differs": differs}
            for name, theirs, ours, differs in self.states
        }
        return {
            "what": self.difference.what, **said.moment(self.at), "reason": self.difference.reason,
            "sequence": self.at.sequence, "steps": [step.as_dict() for step in self.steps],
            "facts": self.facts,
            "states": states,
            "states_at": said.moment(self.compared_at) if self.compared_at else None,
        }  # fmt: skip


def explain(
    records: Sequence[bytes], lanes: Lanes, difference: Difference, ledger: Sequence[bytes] = ()
) -> Detail:
    """Plays the segment of a difference again, this time with a look at everything."""
    begin = bisect_left(records, difference.segment, key=_sequence)
    following = read_segments(records[begin:])
    segment, after = next(following), next(following, None)
    entries = segment.entries
    at = entries[min(difference.index, len(entries) - 1)] if entries else segment.first
    detail = Detail(difference, at)
    if difference.what == "snapshot":
        return detail
    lane = lanes.of(segment)
    lane.restore(segment.snapshot)
    for index, entry in enumerate(entries):
        if entry.data[0] == DECIDED:
            continue
        try:
            taken = list(lane.take(entry.now, entry.data))
        except FAULTS:
            break  # told as the reason
        if difference.since <= index <= difference.index:
            detail.steps.append(_step(lanes.core, entry, taken, lane))
    del detail.steps[:-EVENTS_MAX]
    if detail.steps:
        begin_ms = detail.steps[0].entry.now
        detail.facts = _facts(lanes.core, ledger, at.boot, begin_ms, at.now)
    if after is not None and difference.fields:
        _compare(detail, lane, after)
    return detail


def step_words(core: ModuleType, taken: Sequence[said.Decision]) -> list[dict[str, Any]]:
    return [said.decision(core, one) for one in taken]


def _step(core: ModuleType, entry: Entry, taken: list[said.Decision], lane: Lane) -> Step:
    state = lane.state
    names = core.refusals.names(state.refusals)
    event = said.event(core, entry.data)
    return Step(entry, event, step_words(core, taken), names, state.limit_ma)


def _facts(
    core: ModuleType, ledger: Sequence[bytes], boot: int, from_ms: int, until_ms: int
) -> list[dict[str, Any]]:
    """What the box wrote then."""
    found = []
    for data in ledger:
        if int.from_bytes(data[6:8], "little") != boot:
            continue
        if from_ms <= int.from_bytes(data[8:13], "little") <= until_ms:
            try:
                fact = core.decisions.unpack(data[1] & 0x3F, data[PAYLOAD_AT:-TAIL])
            except ValueError:
                continue
            if fact and fact[0] < core.decisions.STATE:
                found.append(said.decision(core, fact))
    return found[-EVENTS_MAX:]


def _compare(detail: Detail, lane: Lane, after: Segment) -> None:
    ours = lane.state
    lane.restore(after.snapshot)
    theirs = lane.state
    differing = set(detail.difference.fields)
    for name in (*KEY_FIELDS, *sorted(differing - set(KEY_FIELDS))):
        if name in lane.names or name in differing:
            pair = (said.shown(getattr(one, name, None)) for one in (theirs, ours))
            detail.states.append((name, *pair, name in differing))
    detail.compared_at = after.first


def _sequence(record: bytes) -> int:
    return int.from_bytes(record[2:6], "little")
