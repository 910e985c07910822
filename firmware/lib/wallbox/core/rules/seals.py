"""Seals (S1): a loop that was open once is broken until a signed command names new seals.

Also one that was opened without power, if the board has the latch that tells. What follows is
the box's policy: report, refuse after the session, or stop at once.
"""

from micropython import const

from .. import decisions, events, refusals
from . import OPEN
from .lifecycle import armed

REPORT = const(0)
PAUSE = const(1)
STOP = const(2)

_OPENED = const(0)
_OPENED_WITHOUT_POWER = const(1)
_CLOSED = const(2)
_SEALED = const(3)
NUMBERS_MAX = const(48)  # bytes


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] != decisions.SEAL:
        return
    if fact[3] == _SEALED:
        state.seal_broken = 0
    elif fact[3] != _CLOSED and armed(state):
        state.seal_broken |= fact[4]


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.SEAL:
        _sensed(state, event[1], event[2], out)
    elif event[0] == events.SEALED and may_seal(state, event[1]):
        state.seal_broken = 0
        state.seal_latched = 0
        state.seals_reset = 1
        _tell(state, _SEALED, 0, event[1], out)
    # put into service with an open loop: broken from the beginning
    fresh = (state.seal_open | state.seal_latched) & ~state.seal_broken
    if fresh and armed(state):
        state.seal_broken |= fresh
        if event[0] != events.SEAL:
            _tell(state, _OPENED, fresh, b"", out)


def may_seal(state, numbers) -> bool:
    """True if all loops are closed and the numbers are some."""
    return state.seals_known == 1 and state.seal_open == 0 and 0 < len(numbers) <= NUMBERS_MAX


def _sensed(state, opened: int, latched: int, out: list) -> None:
    newly = opened & ~state.seal_open
    while_off = 0
    missed = latched & ~opened & ~state.seal_latched & ~state.seal_broken
    if state.seals_known:
        newly |= missed  # open for so short that only the latch saw it
    else:
        newly &= ~state.seal_broken  # what the ledger tells already is no news
        while_off = missed
    closed = state.seal_open & ~opened
    state.seals_known = 1
    state.seal_open = opened
    state.seal_latched |= latched
    if newly:
        _tell(state, _OPENED, newly, b"", out)
    if while_off:
        _tell(state, _OPENED_WITHOUT_POWER, while_off, b"", out)
    if closed:
        _tell(state, _CLOSED, closed, b"", out)


def _tell(state, change: int, loops: int, numbers, out: list) -> None:
    register_wh = state.register_wh if state.reading else state.accounted_wh
    out.append((decisions.SEAL, register_wh, state.meter_id, change, loops, numbers))


def refuse(state) -> int:
    if not state.seal_broken or state.seal_policy == REPORT:
        return 0
    if state.seal_policy == PAUSE and state.session_phase == OPEN:
        return 0
    return 1 << refusals.SEAL
