"""A session (M6) runs from plug-in to unplugging; its kWh is a difference of registers.

It begins with the first believed register after plugging in, if nothing refuses,
and ends with the first one after unplugging. A power cut does not end it: if the
car is still plugged in afterwards it goes on, else it ends with PowerLoss; either
way its register at the begin stands.
"""

from micropython import const

from .. import decisions, events
from . import NEVER
from .metering import read_now, want

NONE = const(0)
PENDING = const(1)
OPEN = const(2)
ENDING = const(3)

_END_MS = const(10_000)  # how long the end waits for a fresh register

# how the last register of a session was read, letters of OCMF
STATUS = "GT"
_GOOD = const(0)
_TIMEOUT = const(1)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.SESSION_BEGIN:
        state.session = fact[3]
        state.session_phase = OPEN
        state.session_begin_wh = fact[1]
        state.session_utc_s = utc_s
        state.session_quality = quality
    elif fact[0] == decisions.SESSION_END:
        state.session_phase = NONE


def handle(state, event, now: int, out: list) -> None:
    """Called after all other rules, since it begins only if none refuses."""
    if event[0] == events.BOOT:
        _after_power_cut(state, now)
    elif event[0] == events.PILOT:
        _plug(state, event[1], now)
    fresh = read_now(state, event, now)
    if state.session_phase == ENDING:
        if fresh or now >= state.session_due:
            _end(state, _GOOD if fresh else _TIMEOUT, out)
        else:
            want(state)
    if state.session_phase == PENDING and state.refusals == 0:
        if fresh:
            _begin(state, out)
        else:
            want(state)


def _after_power_cut(state, now: int) -> None:
    if state.session_phase == OPEN:
        state.session_resumed = 1
    elif state.session_phase == ENDING:
        state.session_due = now + _END_MS
    else:
        state.session_phase = NONE


def _plug(state, letter: int, now: int) -> None:
    if letter == events.A:
        if state.session_phase == OPEN:
            state.session_phase = ENDING
            state.session_due = now + _END_MS
            state.session_reason = (
                decisions.REASON_POWER_LOSS
                if state.session_resumed
                else decisions.REASON_EV_DISCONNECTED
            )
        elif state.session_phase == PENDING:
            state.session_phase = NONE
    elif letter <= events.D:
        state.session_resumed = 0
        if state.session_phase == NONE:
            state.session_phase = PENDING


def _begin(state, out: list) -> None:
    state.session += 1
    state.session_phase = OPEN
    state.session_begin_wh = state.register_wh
    state.session_utc_s = state.reading_utc_s
    state.session_quality = state.reading_quality
    state.session_resumed = 0
    out.append((decisions.SESSION_BEGIN, state.register_wh, state.meter_id, state.session))


def _end(state, status: int, out: list) -> None:
    register_wh = state.register_wh if state.reading else state.accounted_wh
    out.append(
        (
            decisions.SESSION_END,
            register_wh,
            state.meter_id,
            state.session,
            register_wh - state.session_begin_wh,
            state.session_utc_s,
            state.session_quality,
            state.session_reason,
            status,
        )
    )
    plugged = state.letter != events.A and state.letter <= events.D
    state.session_phase = PENDING if plugged else NONE


def due(state) -> int:
    return state.session_due if state.session_phase == ENDING else NEVER
