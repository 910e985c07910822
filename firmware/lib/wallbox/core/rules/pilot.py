"""The control pilot (S4, IEC 61851-1): power only in C. D wants ventilation; E, F are faults."""

from .. import events, refusals


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.PILOT and event[1] <= events.NONE:
        state.letter = event[1]


def refuse(state) -> int:
    letter = state.letter
    if letter == events.D or letter == events.E or letter == events.F:
        return 1 << refusals.PILOT
    return 0
