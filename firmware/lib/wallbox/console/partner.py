"""The partner's steps in the box's life; core/rules/lifecycle.py says which there are."""

from .. import lock
from ..commands import ACCEPTED, FAILED, REJECTED, SCHEDULED
from ..core import events
from ..core.rules import OPEN
from ..core.rules import lifecycle as life

_INSTALLATION = 1
_NOT_FROM_HERE: tuple = (REJECTED, "not from where it is; see lifecycle in the identity", {})
_HALTED: tuple = (FAILED, "the ledger takes nothing; see the status", {})


def lifecycle(box, after: int) -> tuple:
    """Into service only with all loops closed; back to factory the lock goes."""
    state = box.agent.state
    if state.leaving or not life.may(state.lifecycle, after, life.PARTNER):
        return _NOT_FROM_HERE
    if after == life.IN_SERVICE and state.seal_open:
        return REJECTED, "a seal loop is open; close lid and terminal cover", {}
    if not _take(box, after, _INSTALLATION):
        return _HALTED
    if after == life.FACTORY:
        lock.put(0)
    return ACCEPTED, "", {}


def decommission(box, reason: int) -> tuple:
    state = box.agent.state
    if state.session_phase == OPEN:
        return REJECTED, "a session runs; unplug the car", {}
    if state.leaving or not life.may(state.lifecycle, life.DECOMMISSIONED, life.PARTNER):
        return _NOT_FROM_HERE
    if not _take(box, life.DECOMMISSIONED, reason):
        return _HALTED
    if state.leaving:
        return SCHEDULED, "after the final register, within 10 s", {}
    return ACCEPTED, "", {}


def _take(box, after: int, reason: int) -> bool:
    box.agent.take([events.LIFECYCLE, after, life.PARTNER, reason], box.clock.now())
    return not box.agent.halted
