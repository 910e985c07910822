"""Seals (S1): a loop that was open once is broken until a signed command names new seals.

Also one that was opened without power, if the board has the latch that tells. What follows is
the box's policy: report, refuse after the session, or stop at once.
"""

from micropython import const

from .. import decisions, events, refusals
from . import NEVER, OPEN
from .lifecycle import armed

REPORT = const(0)
PAUSE = const(1)
STOP = const(2)

_OPENED = const(0)
_OPENED_WITHOUT_POWER = const(1)
_CLOSED = const(2)
_SEALED = const(3)
NUMBERS_MAX = const(48)  # bytes
FLICKER_MS = const(60_000)  # a loose contact of a broken seal fills no ledger


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] != decisions.SEAL:
        return
    if fact[3] == _SEALED:
        state.seal_broken = 0
    elif fact[3] != _CLOSED and armed(state):
        state.seal_broken |= fact[4]


def handle(state, event, now: int, out: list) -> None:
    found_off = 0
    if event[0] == events.SEAL:
        found_off = _sensed(state, event[1], event[2])
    elif event[0] == events.SEALED and may_seal(state, event[1]):
        _tell(state, _CLOSED, state.seal_told, b"", out)
        _tell(state, _SEALED, 0, event[1], out)
        state.seal_broken = 0
        state.seal_latched = 0
        state.seal_told = 0
        state.seals_reset = 1
    # also of a box that is put into service with an open loop
    fresh = (state.seal_open | state.seal_latched) & ~state.seal_broken
    if fresh and armed(state):
        state.seal_broken |= fresh
        state.seal_told |= fresh & state.seal_open
        _tell(state, _OPENED, fresh & ~found_off, b"", out)
        _tell(state, _OPENED_WITHOUT_POWER, fresh & found_off, b"", out)
    if state.seal_told != state.seal_open and now >= state.seal_told_at:
        _tell(state, _OPENED, state.seal_open & ~state.seal_told, b"", out)
        _tell(state, _CLOSED, state.seal_told & ~state.seal_open, b"", out)
        state.seal_told = state.seal_open
        state.seal_told_at = now + FLICKER_MS


def may_seal(state, numbers) -> bool:
    """True if all loops are closed and the numbers are some."""
    return state.seals_known == 1 and state.seal_open == 0 and 0 < len(numbers) <= NUMBERS_MAX


def _sensed(state, opened: int, latched: int) -> int:
    """Returns the loops that were open while the power was off, as found at the first look."""
    first = not state.seals_known
    state.seals_known = 1
    state.seal_open = opened
    state.seal_latched |= latched
    if not first:
        return 0
    state.seal_told = opened & state.seal_broken  # what the ledger tells already is no news
    return latched & ~opened


def _tell(state, change: int, loops: int, numbers, out: list) -> None:
    if loops or change == _SEALED:
        register_wh = state.register_wh if state.reading else state.accounted_wh
        out.append((decisions.SEAL, register_wh, state.meter_id, change, loops, numbers))


def refuse(state) -> int:
    if not state.seal_broken or state.seal_policy == REPORT:
        return 0
    if state.seal_policy == PAUSE and state.session_phase == OPEN:
        return 0
    return 1 << refusals.SEAL


def due(state) -> int:
    return state.seal_told_at if state.seal_told != state.seal_open else NEVER
