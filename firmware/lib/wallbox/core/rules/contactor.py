"""The contactor follows its command, and no current flows while it is open (S4, U2).

Either is a fault until the next boot. To open a welded contact is the hardware's business.
"""

from micropython import const

from .. import decisions, events, refusals
from . import NEVER

FOLLOW_MS = const(500)  # mechanical time with margin
SETTLED_MS = const(5000)  # a meter may show the mean of the last seconds
STRAY_MA = const(1000)


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.CONTACTOR:
        state.contactor_closed = event[1]
    elif event[0] == events.METER_READING:
        _stray(state, event, now, out)
    if state.contactor_failed or state.contactor == state.contactor_closed:
        return
    if now >= state.contactor_at + FOLLOW_MS:
        state.contactor_failed = 1
        out.append((decisions.FAULT, refusals.CONTACTOR, state.contactor_closed))


def _stray(state, event, now: int, out: list) -> None:
    """Two readings in a row with current, well after opening."""
    if state.contactor or state.contactor_closed or now < state.contactor_at + SETTLED_MS:
        state.stray_readings = 0
        return
    current_ma = max(event[6], event[7], event[8])
    state.stray_readings = min(state.stray_readings + 1, 2) if current_ma >= STRAY_MA else 0
    if state.stray_readings == 2 and not state.stray:
        state.stray = 1
        out.append((decisions.FAULT, refusals.CURRENT, current_ma))


def refuse(state) -> int:
    bits = 0
    if state.contactor_failed:
        bits |= 1 << refusals.CONTACTOR
    if state.stray:
        bits |= 1 << refusals.CURRENT
    return bits


def due(state) -> int:
    if state.contactor_failed or state.contactor == state.contactor_closed:
        return NEVER
    return state.contactor_at + FOLLOW_MS
