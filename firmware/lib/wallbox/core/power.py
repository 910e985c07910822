"""From the rules' answers to contactor and pilot: when power may flow, and how it is taken away.

A refusal opens the contactor at once. A limit below 6 A asks the car to pause first (pilot at
+12 V) and opens when it has, or after 6 s (IEC 61851-1 allows a car 5 s). After that the
contactor stays open for a while, as cars and contactors want it.
"""

from micropython import const

from . import events
from .rules import NEVER, session

STEADY = const(1000)  # per mille: pilot at +12 V without PWM
LEAST_MA = const(6000)  # IEC 61851-1 has no code below 6 A: pause
PAUSE_MS = const(6000)
RESTART_MS = const(10_000)  # after a refusal
RESUME_MS = const(60_000)  # after a pause: some cars give up after restarts in quick succession


def duty_permille(limit_ma: int) -> int:
    """0.6 A per per cent (IEC 61851-1, 10 % to 85 %), rounded down: never above the limit."""
    return min(limit_ma, 51_000) // 60


def decide(state, now: int) -> None:
    """Sets `want_closed` and `want_duty` from refusals, session, limit and pilot."""
    granted = (
        state.refusals == 0
        and state.session_phase == session.OPEN
        and events.B <= state.letter <= events.C
    )
    if state.letter == events.A or now >= state.restart_at:
        state.restart_at = 0  # the next car waits for nobody
    if not granted:
        state.pause_at = 0
        state.want_duty = STEADY
        state.want_closed = 0
        # a car without a diode is wrong only while it is offered current: not ten times a second
        wrong = state.duty_permille != STEADY and events.D <= state.letter <= events.F
        if wrong or state.contactor and state.letter != events.A:
            state.restart_at = now + RESTART_MS
    elif state.limit_ma < LEAST_MA:
        state.want_duty = STEADY
        _pause(state, now)
    elif now < state.restart_at:
        state.want_duty = STEADY
        state.want_closed = 0
    else:
        state.pause_at = 0
        state.want_duty = duty_permille(state.limit_ma)
        state.want_closed = 1 if state.letter == events.C else 0


def _pause(state, now: int) -> None:
    if not state.contactor:
        state.want_closed = 0
        return
    if not state.pause_at:
        state.pause_at = now
    state.want_closed = 1 if state.letter == events.C and now < state.pause_at + PAUSE_MS else 0
    if not state.want_closed:
        state.pause_at = 0
        state.restart_at = now + RESUME_MS


def due(state) -> int:
    """When the answer may change by time alone."""
    if state.pause_at:
        return state.pause_at + PAUSE_MS
    return state.restart_at if state.restart_at and not state.contactor else NEVER
