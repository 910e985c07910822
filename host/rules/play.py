"""Plays every sample in every situation, and notes what the core makes of it."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from wallbox.core import codes, decisions, engine, events, fields, power, refusals
from wallbox.core import state as memory

from host.rules.samples import SAMPLES, Sample
from host.rules.situations import TROUBLED, Box, Situation, boxes

OPENS, STEADY = "contactor **opens**", "pilot +12 V"
PHASES = ("none", "pending", "open", "ending", "over")
FIELDS = [*fields.names(memory.LASTING), *fields.names(memory.FLEETING)]
# what moves with every event, and is no answer to it
RESTLESS = {"due", "lease_due", "refused_at", "tap_at", "place_at", "session_flags_told"}
RESTLESS |= {"clock_at", "clock_utc_ms", "reading_at", "reading_utc_s", "known_utc_s", "wanted"}


@dataclass(frozen=True)
class Effect:
    """What one sample did in one situation. `rules` have changed state or written facts."""

    situation: Situation
    sample: Sample
    before: Box
    after: Box
    levels: tuple[str, ...]
    facts: tuple[str, ...]
    rules: tuple[str, ...] = field(default=())

    @property
    def noted(self) -> list[str]:
        """Names of fields that are different now."""
        old, new = self.before.state, self.after.state
        changed = [name for name in FIELDS if getattr(old, name) != getattr(new, name)]
        return [name for name in changed if name not in RESTLESS]

    @property
    def refused(self) -> tuple[list[str], list[str]]:
        """Names of refusals that came, and that went."""
        old, new = self.before.state.refusals, self.after.state.refusals
        return refusals.names(new & ~old), refusals.names(old & ~new)


def play(situation: Situation, box: Box, sample: Sample) -> Effect:
    after, split = box.copy(), box.copy()
    out = sample.play(after)
    levels = tuple(text for text in map(_level, out) if text)
    facts = tuple(_fact(one) for one in out if one[0] < decisions.LEVELS)
    return Effect(situation, sample, box, after, levels, facts, tuple(_rules(split, sample)))


@lru_cache(maxsize=1)
def effects() -> tuple[Effect, ...]:
    """Of every sample in every situation."""
    return tuple(play(*situation, sample) for situation in boxes() for sample in SAMPLES)


def _rules(box: Box, sample: Sample) -> Iterator[str]:
    """The rules that do something with it, asked one after the other as engine.step does."""
    if sample.kind == events.TICK:
        box.now += sample.after_ms
    state: Any = box.state
    now = box.now
    event = box.event(sample.kind, *sample.values(box))
    out: list[tuple] = []
    for rule in engine.RULES:
        if rule is engine.RULES[-engine.LATE]:
            state.refusals = _refusals(state)
        before, count = copy.copy(state.__dict__), len(out)
        rule.handle(state, event, now, out)
        changed = {name for name in FIELDS if before[name] != getattr(state, name)}
        if changed - RESTLESS or len(out) > count:
            yield rule.__name__.rsplit(".", 1)[1]


def _refusals(state: engine.State) -> int:
    bits = 0
    for rule in engine.RULES:
        if hasattr(rule, "refuse"):
            bits |= rule.refuse(state)
    return bits


def refusing_rules() -> dict[str, str]:
    """{refusal: rule}, as seen when the samples are played."""
    states = [effect.after.state for effect in effects()] + [make().state for make in TROUBLED]
    found: dict[str, str] = {}
    for state in states:
        for rule in engine.RULES:
            if hasattr(rule, "refuse"):
                for name in refusals.names(rule.refuse(state)):
                    found[name] = rule.__name__.rsplit(".", 1)[1]
    return found


def edges(project: Callable[[Box], str]) -> dict[tuple[str, str], list[str]]:
    """{(from, to): labels of samples} of all changes of what `project` sees."""
    found: dict[tuple[str, str], list[str]] = {}
    for effect in effects():
        before, after = project(effect.before), project(effect.after)
        if before != after:
            labels = found.setdefault((before, after), [])
            if effect.sample.label not in labels:
                labels.append(effect.sample.label)
    return found


def phase(box: Box) -> str:
    return PHASES[box.state.session_phase]


def seal(box: Box) -> str:
    state = box.state
    loop = "open" if state.seal_open else "closed"
    return f"{loop}, {'broken' if state.seal_broken else 'whole'}"


def supply(box: Box) -> str:
    state = box.state
    if state.contactor:
        return "on" if state.duty_permille < power.STEADY else "asked to pause"
    return "offered" if state.duty_permille < power.STEADY else "off"


def _level(decision: tuple) -> str:
    kind, value = decision[0], decision[1]
    if kind == decisions.CONTACTOR:
        return "contactor **closes**" if value else OPENS
    if kind == decisions.PILOT_DUTY:
        return STEADY if value == power.STEADY else f"pilot {value * 60 / 1000:g} A"
    if kind == decisions.METER_WANTED:
        return "meter is read"
    if kind == decisions.SEALS_RESET:
        return "latch is reset"
    return "meter is told" if kind == decisions.METER_ACCEPTED else ""


def _fact(fact: tuple) -> str:
    """Its kind, and the codes in it that have a name."""
    kind, specification = decisions.facts()[fact[0]]
    words = []
    for name, value in zip(fields.names(specification), fact[1:], strict=True):
        known = codes.NAMES.get((kind, name))
        if kind == "SESSION_END" and name == "reason":
            words.append(decisions.REASONS[value])
        elif kind == "FAULT" and name == "refusal":
            words.append(refusals.all_names()[value])
        elif known and known[0] is None:
            words += [text or "" for bit, text in enumerate(known[1:]) if value >> bit & 1]
        elif known and known[value] != "none":
            words.append(known[value] or "")
    return f"{kind} {', '.join(words)}".strip()
