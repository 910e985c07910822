"""One function decides: decisions = step(state, event, now).

It does no I/O and reads no clock. Denying levels come first, then the facts,
then granting levels: deny first, write after; write first, grant after.
"""

from . import decisions, power, status
from . import state as memory
from .rules import (
    NEVER,
    access,
    commands,
    commissioning,
    contactor,
    intervals,
    lifecycle,
    limits,
    maintenance,
    metering,
    pilot,
    place,
    presence,
    seals,
    session,
    storage,
    timekeeping,
)

State = memory.State

# in the order in which they are asked; access and session come last, since they grant only if
# none refuses
RULES = (
    commissioning,
    timekeeping,
    commands,
    maintenance,
    storage,
    metering,
    intervals,
    pilot,
    contactor,
    lifecycle,
    seals,
    place,
    presence,
    limits,
    access,
    session,
)
LATE = 2  # of the rules, the last ones, which heed what refuses at that very step

_handlers = tuple(rule.handle for rule in RULES[:-LATE])
_refusers = tuple(rule.refuse for rule in RULES if hasattr(rule, "refuse"))
_recallers = tuple(rule.recall for rule in RULES if hasattr(rule, "recall"))
_dues = tuple(rule.due for rule in RULES if hasattr(rule, "due")) + (power.due,)


def step(state, event, now: int) -> list:
    """The decisions that event brings about; the list is valid until the next call.

    event is a list as in events.py, now is ms since boot and never falls.
    Afterwards state.due tells when a TICK is wanted at the latest.
    """
    facts = state.facts
    facts.clear()
    state.decisions.clear()
    for handle in _handlers:
        handle(state, event, now, facts)
    state.refusals = _refusals(state)
    access.handle(state, event, now, facts)
    session.handle(state, event, now, facts)
    limits.settle(state, event, now, facts)
    power.decide(state, now)
    _levels(state, now)
    state.due = max(now, _due(state))
    return state.decisions


def recall(state, fact, utc_s: int, quality: int) -> None:
    """Folds one fact of the ledger (oldest first) into state, after a power cut."""
    if fact[0] == decisions.STATE:
        memory.restore(state, fact[1])
        return
    for rule_recall in _recallers:
        rule_recall(state, fact, utc_s, quality)


def resume(before, state) -> None:
    """After recall(), where there was no boot: what was sensed since the boot still holds."""
    memory.carry(before, state)


def snapshot(state, buf) -> int:
    """Packs what recall() needs into buf; returns the length (payload of a STATE fact)."""
    return memory.pack_into(state, True, buf)


def pack(state, buf) -> int:
    """Packs the whole state into buf, for digests and replay; returns the length."""
    return memory.pack_into(state, False, buf)


SNAPSHOT_SIZE = memory.LASTING_SIZE
STATE_SIZE = memory.SIZE


def _refusals(state) -> int:
    bits = 0
    for refuse in _refusers:
        bits |= refuse(state)
    return bits


def _levels(state, now: int) -> None:
    """What denies, the facts, what grants."""
    out = state.decisions
    if state.contactor and not state.want_closed:
        state.contactor = 0
        state.contactor_at = now
        out.append((decisions.CONTACTOR, 0))
    if state.duty_permille != state.want_duty and state.want_duty == power.STEADY:
        state.duty_permille = state.want_duty
        out.append((decisions.PILOT_DUTY, state.want_duty))
    out.extend(state.facts)
    if state.duty_permille != state.want_duty:
        state.duty_permille = state.want_duty
        out.append((decisions.PILOT_DUTY, state.want_duty))
    if state.want_closed and not state.contactor:
        state.contactor = 1
        state.contactor_at = now
        out.append((decisions.CONTACTOR, 1))
    lamp = status.lamp(state)
    if state.lamp != lamp:
        state.lamp = lamp
        out.append((decisions.LAMP, lamp))
    _ask_drivers(state, out)


def _ask_drivers(state, out: list) -> None:
    if state.seals_reset:
        state.seals_reset = 0
        out.append((decisions.SEALS_RESET, 1))
    if state.meter_accept:
        state.meter_accept = 0
        out.append((decisions.METER_ACCEPTED, 1))
    if state.wanted == 1:
        state.wanted = 2
        out.append((decisions.METER_WANTED, 1))


def _due(state) -> int:
    nearest = NEVER
    for due in _dues:
        at = due(state)
        if at < nearest:
            nearest = at
    return nearest
