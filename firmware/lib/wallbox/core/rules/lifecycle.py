"""The box's life (I1, I4, I5, P2, A6): power flows in service alone.

Each move has those who may do it. On leaving service the power goes first, then LEAVING is written,
so that no power cut undoes it, then a final register is read, then the fact is written.
"""

from micropython import const

from .. import decisions, events, refusals
from . import NEVER
from .metering import read_now, want

FACTORY = const(0)
COMMISSIONED = const(1)
IN_SERVICE = const(2)
SUSPENDED = const(3)
ON_HOLD = const(4)
DECOMMISSIONED = const(5)

PARTNER = const(1)
OPERATOR = const(2)
_INSTALLATION = const(1)  # reasons, names in codes.py
_NEW_RESIDENT = const(7)
_FINAL_MS = const(10_000)  # how long the final register is waited for
_AFTER_BOOT_MS = const(30_000)  # and after a boot, when the meter has to be found first

# before, after, who: bits of 1 << PARTNER and 1 << OPERATOR
MOVES = bytes(
    (FACTORY, COMMISSIONED, 2)
    + (COMMISSIONED, FACTORY, 2)
    + (COMMISSIONED, IN_SERVICE, 6)
    + (IN_SERVICE, SUSPENDED, 4)
    + (SUSPENDED, IN_SERVICE, 4)
    + (IN_SERVICE, ON_HOLD, 4)
    + (ON_HOLD, IN_SERVICE, 4)
    + (SUSPENDED, ON_HOLD, 4)
    + (ON_HOLD, SUSPENDED, 4)
    + (COMMISSIONED, DECOMMISSIONED, 6)
    + (IN_SERVICE, DECOMMISSIONED, 6)
    + (SUSPENDED, DECOMMISSIONED, 6)
    + (ON_HOLD, DECOMMISSIONED, 6)
    + (DECOMMISSIONED, FACTORY, 2)
)


def may(before: int, after: int, by: int) -> bool:
    """Whether `by` may take the box from one state to the other."""
    for at in range(0, len(MOVES), 3):
        if MOVES[at] == before and MOVES[at + 1] == after:
            return MOVES[at + 2] >> by & 1 == 1
    return False


def armed(state) -> bool:
    """True while the box is in the subscriber's hands: seals count."""
    return IN_SERVICE <= state.lifecycle <= ON_HOLD


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.LIFECYCLE:
        _enter(state, fact[4], fact[6])
    elif fact[0] == decisions.LEAVING:
        state.leaving = _packed(fact[1], fact[2], fact[3])


def _packed(after: int, by: int, reason: int) -> int:
    """A move in a byte: there is little room for what outlives a power cut."""
    return after - IN_SERVICE | by << 2 | min(reason, 15) << 4


def heading(state) -> int:
    """The state that the box is in, or goes to once the final register is read."""
    return (state.leaving & 3) + IN_SERVICE if state.leaving else state.lifecycle


def decommissioning(state) -> bool:
    """True from the order until the final register is read: a running session ends with it."""
    return state.leaving != 0 and heading(state) == DECOMMISSIONED


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if state.leaving:  # what is asked for meanwhile comes too late
        if kind == events.BOOT:
            state.lifecycle_due = now + _AFTER_BOOT_MS
            want(state)
    elif kind == events.CONFIG and state.lifecycle == FACTORY and FACTORY < event[9] <= IN_SERVICE:
        _move(state, event[9], PARTNER, _INSTALLATION, out)
    elif kind == events.LIFECYCLE and may(state.lifecycle, event[1], event[2]):
        if state.lifecycle == IN_SERVICE or armed(state) and event[1] == DECOMMISSIONED:
            state.leaving = _packed(event[1], event[2], event[3])
            state.lifecycle_due = now + _FINAL_MS
            out.append((decisions.LEAVING, event[1], event[2], event[3]))
            want(state)
        else:
            _move(state, event[1], event[2], event[3], out)
    over = 0 < state.lifecycle_due <= now  # 0 = not before the boot is told
    if state.leaving and (over or read_now(state, event, now)):
        _move(state, heading(state), state.leaving >> 2 & 3, state.leaving >> 4, out)


def _move(state, after: int, by: int, reason: int, out: list) -> None:
    register_wh = state.register_wh if state.reading else state.accounted_wh
    before = state.lifecycle
    out.append(
        (decisions.LIFECYCLE, register_wh, state.meter_id, before, after, by, reason)
    )
    _enter(state, after, reason)


def _enter(state, after: int, reason: int) -> None:
    state.lifecycle = after
    state.leaving = state.lifecycle_due = 0
    if after == FACTORY or after == DECOMMISSIONED or reason == _NEW_RESIDENT:
        state.charged_a = state.charged_b = 0


def refuse(state) -> int:
    after = heading(state)
    if after == IN_SERVICE:
        return 0
    if after == SUSPENDED:
        return 1 << refusals.SUSPENDED
    if after == ON_HOLD:
        return 1 << refusals.ON_HOLD
    return 1 << refusals.NOT_IN_SERVICE


def due(state) -> int:
    return state.lifecycle_due or NEVER if state.leaving else NEVER
