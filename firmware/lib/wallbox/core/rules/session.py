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
        state.session_carried_wh = 0
    elif fact[0] == decisions.SESSION_END:
        state.session_phase = NONE
    elif fact[0] == decisions.METER_ROLLOVER:
        _carry(state, fact[4])


def handle(state, event, now: int, out: list) -> None:
    """Called after all other rules, since it begins only if none refuses."""
    if state.meter_full_wh:
        _carry(state, state.meter_full_wh)
    if state.meter_left or event[0] == events.BOOT and state.meter_next:
        _leave(state, out)
    if event[0] == events.BOOT:
        _after_reset(state, event[2])
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


def _after_reset(state, cause: int) -> None:
    """A session of the ledger is open; whether its car is still here, the pilot will tell."""
    if state.session_phase != OPEN:
        return
    if cause == events.RESUMED:
        state.session_reason = decisions.REASON_EV_DISCONNECTED
    elif cause == events.POWER_UP:
        state.session_reason = decisions.REASON_POWER_LOSS
    else:
        state.session_reason = decisions.REASON_REBOOT


def _carry(state, full_wh: int) -> None:
    """The meter's register has rolled over at full_wh."""
    if state.session_phase >= OPEN:
        state.session_carried_wh += full_wh - state.session_begin_wh
        state.session_begin_wh = 0


def _leave(state, out: list) -> None:
    """The meter is another one from now on: what it measured up to here ends here."""
    if state.session_phase >= OPEN:
        state.session_reason = decisions.REASON_OTHER
        _end(state, _TIMEOUT, out)


def energy_wh(state, register_wh: int) -> int:
    """What the running session has taken, by a register of its meter."""
    return state.session_carried_wh + register_wh - state.session_begin_wh


def _plug(state, letter: int, now: int) -> None:
    if letter == events.A:
        if state.session_phase == OPEN:
            state.session_phase = ENDING
            state.session_due = now + _END_MS
        elif state.session_phase == PENDING:
            state.session_phase = NONE
    elif letter <= events.D:
        state.session_reason = decisions.REASON_EV_DISCONNECTED
        if state.session_phase == NONE:
            state.session_phase = PENDING


def _begin(state, out: list) -> None:
    state.session += 1
    state.session_phase = OPEN
    state.session_begin_wh = state.register_wh
    state.session_utc_s = state.reading_utc_s
    state.session_quality = state.reading_quality
    state.session_carried_wh = 0
    out.append((decisions.SESSION_BEGIN, state.register_wh, state.meter_id, state.session))


def _end(state, status: int, out: list) -> None:
    register_wh = state.register_wh
    if not state.reading:
        register_wh = max(state.accounted_wh, state.session_begin_wh)
    out.append(
        (
            decisions.SESSION_END,
            register_wh,
            state.meter_id,
            state.session,
            energy_wh(state, register_wh),
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
