"""A session (M6-M8): from the grant to unplugging or a stop; its kWh is a difference of registers.

It begins with the first believed register after the car is plugged in and authorised, if nothing
refuses, and ends with the first one after unplugging, a second tap, the operator's stop, or the
loss of its authority. A power cut does not end it: if the car is still plugged in afterwards it
goes on under the authority it had, else it ends with PowerLoss; either way its register at the
begin stands. A stop is in the ledger before its last register is, so no power cut undoes it. After
a stop, the car must be unplugged or authorised anew.
"""

from micropython import const

from .. import decisions, events
from . import ENDING, NEVER, NONE, OPEN, OVER, PENDING, access
from .metering import read_now, want

_STOPPED = const(1)  # why it is over; also 0, after a boot
_WAITED = const(2)  # for a tag, and in vain
_END_MS = const(10_000)  # how long the end waits for a fresh register
_AFTER_BOOT_MS = const(30_000)  # and after a boot, when the meter has to be found first

# how the last register of a session was read, letters of OCMF
STATUS = "GTXOFE"
_GOOD = const(0)
_TIMEOUT = const(1)
_EXCHANGED = const(2)
# letters by the driver's reasons from 1 on: no answer T, bus F, value O, register E, exchange X
_LETTERS = bytes((1, 4, 4, 4, 4, 4, 4, 3, 3, 3, 3, 5, 5, 5, 5, 5, 2, 2))

_CHARGED_MOST = const(0xFFFFFFFE)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.SESSION_BEGIN:
        state.session = fact[3]
        state.session_phase = OPEN
        state.session_begin_wh = fact[1]
        state.session_utc_s = utc_s
        state.session_quality = quality
        state.session_carried_wh = 0
        state.session_flags = 0
        state.session_stopped = 0
    elif fact[0] == decisions.SESSION_STOP:
        _stopped(state, fact[2])
    elif fact[0] == decisions.TAG and fact[3] == access.STOP:
        _stopped(state, decisions.REASON_LOCAL)
    elif fact[0] == decisions.SESSION_END:
        state.session_stopped = 0
        state.session_override = 0
        state.session_limit_ma = 0
        state.session_phase = OVER if _is_stop(fact[7]) else NONE
    elif fact[0] == decisions.METER_ROLLOVER:
        _carry(state, fact[4])
    elif fact[0] == decisions.FIRST_CHARGE:
        _charged(state, fact[4])


def _stopped(state, reason: int) -> None:
    if state.session_phase == OPEN:
        state.session_phase = ENDING
        state.session_stopped = reason + 1


def _is_stop(reason: int) -> bool:
    return decisions.REASON_LOCAL <= reason <= decisions.REASON_DEAUTHORIZED


def handle(state, event, now: int, out: list) -> None:
    """Called after all other rules, since it begins only if none refuses."""
    if state.meter_full_wh:
        _carry(state, state.meter_full_wh)
    if state.meter_left or event[0] == events.BOOT and state.meter_next:
        _leave(state, out)
    if event[0] == events.BOOT:
        _after_reset(state, event[2], now)
    elif event[0] == events.PILOT:
        _plug(state, event[1], now, out)
    if state.session_stop and state.session_phase == OPEN:
        _stop(state, state.session_stop - 1, now, out)
    if state.session_phase == OVER and (state.grant or _needs_no_tag(state)):
        state.session_phase = PENDING
        state.plugged_at = now
    if state.session_phase == PENDING and now >= _waits_until(state):
        state.session_phase = OVER
        state.session_over = _WAITED
    fresh = read_now(state, event, now)
    if state.session_phase == OPEN and fresh:
        _first_charge(state, out)
    ended = state.session_phase == ENDING
    if ended:
        if fresh or 0 < state.session_due <= now:
            _end(state, _GOOD if fresh else _status(state), out)
        else:
            want(state)
    if state.session_phase == PENDING and state.refusals == 0 and access.authorised(state):
        if fresh and not ended:  # what refuses a new session is asked first, at the next event
            _begin(state, out)
        else:
            want(state)


def _after_reset(state, cause: int, now: int) -> None:
    """A session of the ledger is open; whether its car is still here, the pilot will tell."""
    if state.session_phase == ENDING:
        state.session_reason = state.session_stopped - 1
        state.session_over = _STOPPED
        state.session_due = now + _AFTER_BOOT_MS
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
    if state.session_phase == OPEN or state.session_phase == ENDING:
        state.session_carried_wh += full_wh - state.session_begin_wh
        state.session_begin_wh = 0


def _leave(state, out: list) -> None:
    """The meter is another one from now on: what it measured up to here ends here."""
    if state.session_phase == OPEN or state.session_phase == ENDING:
        state.session_reason = decisions.REASON_OTHER
        _end(state, _EXCHANGED, out)


def energy_wh(state, register_wh: int) -> int:
    """What the running session has taken, by a register of its meter."""
    return state.session_carried_wh + register_wh - state.session_begin_wh


def _plug(state, letter: int, now: int, out: list) -> None:
    if letter == events.A:
        if state.session_phase == OPEN:
            state.session_phase = ENDING
            state.session_due = now + _END_MS
        elif state.session_phase != ENDING:
            state.session_phase = NONE
            if state.session_override:  # of a session that never began
                state.session_override = 0
                out.append((decisions.PREFERENCE, state.opt_out, 0, 0))
        state.session_over = 0
    elif letter <= events.D:
        if state.session_phase == OPEN:
            state.session_reason = decisions.REASON_EV_DISCONNECTED
        if state.session_phase == NONE:
            state.session_phase = PENDING
            state.plugged_at = now


def waited(state) -> bool:
    """Whether it is over before it began: a car waited too long for a tag; it may still start."""
    return state.session_phase == OVER and state.session_over == _WAITED


def _needs_no_tag(state) -> bool:
    """Whether a car that waited too long for a tag needs none any more."""
    return waited(state) and access.authorised(state)


def _waits_until(state) -> int:
    """Until when a plugged car waits for a tag; afterwards a tap still starts it."""
    return NEVER if access.authorised(state) else state.plugged_at + access.TAG_MS


def _stop(state, reason: int, now: int, out: list) -> None:
    if reason != decisions.REASON_LOCAL:  # of which the TAG tells
        out.append((decisions.SESSION_STOP, state.session, reason))
    state.session_stopped = reason + 1
    state.session_reason = reason
    state.session_phase = ENDING
    state.session_over = _STOPPED
    state.session_due = now + _END_MS


def _begin(state, out: list) -> None:
    authority = state.grant or access.ANYBODY
    state.session += 1
    state.session_phase = OPEN
    state.session_begin_wh = state.register_wh
    state.session_utc_s = state.reading_utc_s
    state.session_quality = state.reading_quality
    state.session_carried_wh = 0
    state.session_flags = 0
    state.session_over = 0
    state.session_stopped = 0
    state.session_reason = decisions.REASON_EV_DISCONNECTED
    state.session_authority = authority
    state.session_subscription = state.grant_subscription if state.grant else 0
    state.session_limit_ma = state.grant_limit_ma if state.grant else 0
    state.session_tag_a = state.grant_tag_a if state.grant else 0
    state.session_tag_b = state.grant_tag_b if state.grant else 0
    state.grant = access.NOBODY
    out.append(
        (
            decisions.SESSION_BEGIN,
            state.register_wh,
            state.meter_id,
            state.session,
            authority,
            state.session_subscription,
            state.session_limit_ma,
            access.tag(state.session_tag_a, state.session_tag_b),
        )
    )


def _first_charge(state, out: list) -> None:
    """M8: a subscription begins with its first Wh here, whoever charges."""
    subscription = min(state.session_subscription, _CHARGED_MOST)
    known = subscription + 1
    if known == state.charged_a or known == state.charged_b:
        return
    if energy_wh(state, state.register_wh) > 0:
        _charged(state, subscription)
        out.append(
            (
                decisions.FIRST_CHARGE,
                state.register_wh,
                state.meter_id,
                state.session,
                subscription,
            )
        )


def _charged(state, subscription: int) -> None:
    """Two subscriptions share a box at most (A4); of more, the latest two are known."""
    state.charged_b = state.charged_a
    state.charged_a = subscription + 1


def _status(state) -> int:
    """Why there is no fresh register, as an index into STATUS."""
    reason = state.meter_refused - 1
    if 1 <= reason <= len(_LETTERS):
        return _LETTERS[reason - 1]
    return _EXCHANGED if state.meter_exchanged else _TIMEOUT


def _end(state, status: int, out: list) -> None:
    register_wh = state.register_wh
    if not state.reading:
        register_wh = max(state.accounted_wh, state.known_wh, state.session_begin_wh)
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
            state.session_flags,
        )
    )
    state.session_phase = NONE
    if state.letter != events.A and state.session_over:
        state.session_phase = OVER  # also before the first look at the pilot after a boot
    elif state.letter != events.A and state.letter <= events.D:
        state.session_phase = PENDING
        state.plugged_at = state.session_due
    state.session_stopped = 0
    state.session_limit_ma = 0
    state.session_override = 0
    state.lease_due = 0  # the limits are another session's now


def due(state) -> int:
    if state.session_phase == PENDING:
        return _waits_until(state)
    return state.session_due or NEVER if state.session_phase == ENDING else NEVER
