"""The box's state in OCPP 1.6 words, for lamp, USB and MQTT alike."""

from micropython import const

from . import events
from .rules import session

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

_FAULTS = const(0xFF)  # bits of refusals.py that mean a fault
_WAITING = const(1 << 7)  # LedgerFull is no fault of the box


def of(state) -> int:
    """The index into NAMES."""
    if state.refusals & _FAULTS & ~_WAITING:
        return FAULTED
    if state.letter == events.A or state.letter == events.NONE:
        if state.session_phase >= session.OPEN:
            return FINISHING
        return UNAVAILABLE if state.refusals else AVAILABLE
    if state.contactor:
        return CHARGING
    if state.session_phase != session.OPEN:
        return SUSPENDED_EVSE if state.refusals else PREPARING
    if state.refusals or state.duty_permille == 1000:
        return SUSPENDED_EVSE
    return SUSPENDED_EV
