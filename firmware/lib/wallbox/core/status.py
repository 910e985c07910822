"""The box's state in OCPP 1.6 words, for lamp, USB and MQTT alike."""

from micropython import const

from . import events, refusals
from .rules import access, session

AVAILABLE = const(0)
PREPARING = const(1)
CHARGING = const(2)
SUSPENDED_EVSE = const(3)
SUSPENDED_EV = const(4)
FINISHING = const(5)
UNAVAILABLE = const(6)
FAULTED = const(7)

NAMES = (
    "Available",
    "Preparing",
    "Charging",
    "SuspendedEVSE",
    "SuspendedEV",
    "Finishing",
    "Unavailable",
    "Faulted",
)

# patterns of the lamp beyond these, docs/lamp.md
SEAL_BROKEN = const(8)
SUSPENDED = const(9)
WAITS_FOR_TAG = const(10)
WAITS_FOR_CAR = const(11)
PATTERNS = const(12)

_FAULTS = const(0x837F)  # bits of refusals.py that mean a fault of the box, not of the times


def of(state) -> int:
    """The index into NAMES."""
    if state.refusals & _FAULTS:
        return FAULTED
    if state.letter == events.A or state.letter == events.NONE:
        if session.OPEN <= state.session_phase <= session.ENDING:
            return FINISHING
        return UNAVAILABLE if state.refusals else AVAILABLE
    if state.contactor:
        return CHARGING
    if state.session_phase >= session.ENDING and not session.waited(state):
        return FINISHING
    if state.session_phase != session.OPEN:
        return SUSPENDED_EVSE if state.refusals else PREPARING
    if state.refusals or state.duty_permille == 1000:
        return SUSPENDED_EVSE
    return SUSPENDED_EV


def lamp(state) -> int:
    """The lamp's pattern: the status, or what tells the customer more."""
    if state.refusals >> refusals.SEAL & 1:
        return SEAL_BROKEN
    found = of(state)
    if found == UNAVAILABLE or found == SUSPENDED_EVSE:
        if state.refusals & (1 << refusals.SUSPENDED | 1 << refusals.ON_HOLD):
            return SUSPENDED
    elif found == AVAILABLE and state.grant:
        return WAITS_FOR_CAR
    elif found == PREPARING and not access.authorised(state):
        return WAITS_FOR_TAG
    return found
