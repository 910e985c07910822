"""The contactor must follow its command; one that does not is a fault until the next boot."""

from micropython import const

from .. import decisions, events, refusals
from . import NEVER

FOLLOW_MS = const(500)  # mechanical time with margin


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.CONTACTOR:
        state.contactor_closed = event[1]
    if state.contactor_failed or state.contactor == state.contactor_closed:
        return
    if now >= state.contactor_at + FOLLOW_MS:
        state.contactor_failed = 1
        out.append((decisions.FAULT, refusals.CONTACTOR, state.contactor_closed))


def refuse(state) -> int:
    return 1 << refusals.CONTACTOR if state.contactor_failed else 0


def due(state) -> int:
    if state.contactor_failed or state.contactor == state.contactor_closed:
        return NEVER
    return state.contactor_at + FOLLOW_MS
