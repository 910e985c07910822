"""What cannot be stored is not sold: a full or failed ledger refuses power."""

from micropython import const

from .. import events, refusals
from . import ENDING, OPEN

FAILED = const(1)  # it takes nothing, for a fault
BRIMFUL = const(2)  # it takes nothing, for it is full to the brim


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.LEDGER:
        state.ledger_fill_permille = event[1]
        state.ledger_full = event[2]
        state.ledger_failed = event[3]


def refuse(state) -> int:
    bits = 0
    brimful = state.ledger_failed == BRIMFUL
    if state.ledger_failed and not brimful:
        bits |= 1 << refusals.LEDGER_FAILED
    if brimful or state.ledger_full and not running(state):
        bits |= 1 << refusals.LEDGER_FULL
    return bits


def running(state) -> bool:
    """True while a session runs: it may finish on the reserve that a full ledger keeps."""
    return OPEN <= state.session_phase <= ENDING


def saving(state) -> bool:
    """True while nobody charges and the reserve is for what must be told."""
    return state.ledger_full == 1 and not running(state)
