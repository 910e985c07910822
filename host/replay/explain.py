"""Why the box did, or did not, give power at a moment of its past."""

from __future__ import annotations

import re
from collections.abc import Container, Sequence
from dataclasses import dataclass, field
from typing import Any

from wallbox import why, why_texts
from wallbox.core import codes
from wallbox.drivers.meter_texts import NAMES as METER_REASONS

from host.replay import said
from host.replay.detail import Step, step_words
from host.replay.lane import DECIDED, Lane
from host.replay.play import FAULTS, Lanes
from host.replay.segments import Entry, Segment, read_segments
from host.send import moment

STEPS = 12  # events before the moment
STALE_S = 300  # a trace that is silent for longer was written by no running box
LINK = (
    "not tried yet", "connected", "delivered", "no Wi-Fi", "no address", "no broker", "refused",
    "no trust", "lost", "late", "malformed", "store failed",
)  # fmt: skip
PHASES = ("none", "pending", "open", "ending", "over")
_BOOT = re.compile(r"(\d{1,5}):(\d{1,13})")


class NotThere(Exception):
    """The log tells nothing of that moment; says what it does tell of."""


class OtherCore(Exception):
    """Other rules decided then; `core` is their hash."""

    def __init__(self, core: bytes) -> None:
        super().__init__(core.hex())
        self.core = core


class RulesFail(Exception):
    """The rules end with an exception, or cannot take over the snapshot; says which."""


@dataclass(frozen=True)
class At:
    """A moment: UTC in s, or ms since a boot."""

    utc_s: int = 0
    boot: int = -1
    now: int = 0


@dataclass
class Answer:
    """`tree` is what is said of it, `steps` the events before it."""

    entry: Entry
    tree: dict[str, Any]
    steps: list[Step] = field(default_factory=list)

    def as_dict(self) -> dict[str, Any]:
        return {**self.tree, "before": [step.as_dict() for step in self.steps]}


def parsed(text: str) -> At:
    """ISO 8601 (Danish time without a zone), or BOOT:MS. Raises ValueError."""
    match = _BOOT.fullmatch(text)
    if match:
        return At(boot=int(match[1]), now=int(match[2]))
    return At(utc_s=moment.utc_s(text))


def explain(
    records: Sequence[bytes], lanes: Lanes, at: At, wanted: Container[bytes] | None = None
) -> Answer:
    """`wanted`: cores whose decisions these rules can tell of, None for all.

    Raises NotThere, OtherCore, RulesFail.
    """
    found, next_entry = _segment(records, at)
    if wanted is not None and found.core not in wanted:
        raise OtherCore(found.core)
    try:
        return _played(found, lanes.of(found), at, next_entry)
    except FAULTS as error:
        raise RulesFail(f"{type(error).__name__}: {error}") from None


def _played(found: Segment, lane: Lane, at: At, next_entry: Entry | None) -> Answer:
    lane.restore(found.snapshot)
    _gather(lane, found)
    steps: list[Step] = []
    last = found.first
    for entry in found.entries:
        if entry.data[0] == DECIDED:
            continue
        if not _reached(entry, at):
            break
        taken = list(lane.take(entry.now, entry.data))
        names = lane.core.refusals.names(lane.state.refusals)
        told = said.event(lane.core, entry.data)
        decided = step_words(lane.core, taken)
        steps.append(Step(entry, told, decided, names, lane.state.limit_ma))
        del steps[:-STEPS]
        last = entry
    now = at.now if at.boot >= 0 else last.now
    if at.utc_s and last.utc_s:
        now = last.now + (at.utc_s - last.utc_s) * 1000
    return Answer(last, _tree(lane, last, now, next_entry), steps)


def _reached(entry: Entry, at: At) -> bool:
    if at.boot >= 0:
        return (entry.boot, entry.now) <= (at.boot, at.now)
    return not entry.utc_s or entry.utc_s <= at.utc_s


def _segment(records: Sequence[bytes], at: At) -> tuple[Segment, Entry | None]:
    """The last segment that begins before the moment, and what the log has first behind it."""
    found: Segment | None = None
    for segment in read_segments(records):
        known = segment.first.utc_s or next((one.utc_s for one in segment.entries if one.utc_s), 0)
        if at.boot >= 0:
            early = (segment.first.boot, segment.first.now) <= (at.boot, at.now)
        else:
            early = bool(known) and known <= at.utc_s
        if not early and found is not None and (at.boot >= 0 or known):
            _near(found, at, segment.first)
            return found, segment.first
        if early:
            found = segment
    if found is None:
        raise NotThere("the log begins later; name a later time, or BOOT:MS")
    _near(found, at, None)
    return found, None


def _near(segment: Segment, at: At, after: Entry | None) -> None:
    """Raises NotThere if the trace was silent then: no box was running, or its trace is lost."""
    last = [segment.first, *(entry for entry in segment.entries if _reached(entry, at))][-1]
    later = next((entry for entry in segment.entries if not _reached(entry, at)), after)
    if at.boot >= 0:
        silent = last.boot != at.boot or at.now - last.now > STALE_S * 1000
    else:
        silent = at.utc_s - last.utc_s > STALE_S
    if silent:
        until = said.when(later) if later else "the end of the log"
        raise NotThere(
            f"the box wrote nothing between {said.when(last)} and {until}: it was without power, "
            "or that part of its trace is gone"
        )


def _gather(lane: Lane, segment: Segment) -> None:
    """The limit of each source, which no snapshot holds: as the first step would gather them."""
    mine = lane.state
    lane.restore(segment.snapshot)
    event = [lane.core.events.READER] + [1] * (lane.core.events.MAX_FIELDS - 1)
    lane.core.engine.step(lane.state, event, segment.first.now)
    mine.limits = lane.state.limits
    lane.state, lane.decided = mine, 0


def _tree(lane: Lane, entry: Entry, now: int, after: Entry | None) -> dict[str, Any]:
    state = lane.state
    told = why.why(state, now)
    utc_s = lane.core.clock.utc_s(state, now)
    names = lane.core.refusals.names(state.refusals)
    return {
        "boot": entry.boot, "now_ms": now, "utc": said.utc(utc_s),
        "local": moment.shown(utc_s) if utc_s else "",
        "status": told["state"], "why": told["why"], "en": told["en"], "da": told["da"],
        "until": said.utc(told["until_utc_s"]),
        "refusals": [
            {"name": one, "en": why_texts.sentence(why_texts.ENGLISH, one, "", 0, 0),
             "da": why_texts.sentence(why_texts.DANISH, one, "", 0, 0)} for one in names
        ],
        "limit_ma": told["limit_ma"], "limit_by": told["limit_by"],
        "limits_ma": told["limits_ma"], "session": _session(state),
        "pilot": lane.core.events.LETTERS[state.letter],
        "contactor": "closed" if state.contactor else "open",
        "lifecycle": _name(codes.LIFECYCLES, state.lifecycle),
        "seals_broken": _bits(codes.SEAL_LOOPS, state.seal_broken),
        "seals_open": _bits(codes.SEAL_LOOPS, state.seal_open),
        "link": _name(LINK, state.link),
        "absent_since": said.utc(state.absent_utc_s) if state.absent else "",
        "meter": _meter(state, now),
        "clock": lane.core.events.QUALITY[state.clock_quality],
        "ledger_full_permille": state.ledger_fill_permille,
        "next_entry": said.when(after) if after else "",
    }  # fmt: skip


def _session(state: Any) -> dict[str, Any]:
    return {
        "number": state.session, "phase": _name(PHASES, state.session_phase),
        "begin": said.utc(state.session_utc_s),
        "energy_wh": max(0, why.session.energy_wh(state, state.register_wh)),
        "authority": _name(codes.SESSION_AUTHORITIES, state.session_authority),
    }  # fmt: skip


def _meter(state: Any, now: int) -> dict[str, Any]:
    reason = state.meter_refused - 1
    return {
        "register_wh": state.register_wh if state.reading else None,
        "power_w": state.power_w,
        "age_s": max(0, now - state.reading_at) // 1000 if state.reading else None,
        "silent": bool(state.meter_silent), "exchanged": bool(state.meter_exchanged),
        "refused": _name(METER_REASONS, reason) if reason >= 0 else "",
    }  # fmt: skip


def _name(names: Sequence[str], number: int) -> str:
    return names[number] if 0 <= number < len(names) else str(number)


def _bits(names: Sequence[str], bits: int) -> list[str]:
    return [name for bit, name in enumerate(names) if bits >> bit & 1]
