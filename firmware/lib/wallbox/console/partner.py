"""The partner's steps in the box's life; core/rules/lifecycle.py says which there are."""

from .. import lock
from ..commands import ACCEPTED, FAILED, REJECTED, SCHEDULED
from ..core import codes, events
from ..core.rules import OPEN
from ..core.rules import lifecycle as life

_INSTALLATION = 1


def lifecycle(box, name: str) -> tuple:
    """Into service only with all loops closed; back to factory the lock goes."""
    if name not in codes.LIFECYCLES[:3]:
        return REJECTED, "after: factory, commissioned or in service", {}
    state = box.agent.state
    after = codes.LIFECYCLES.index(name)
    if state.lifecycle_next or not life.may(state.lifecycle, after, life.PARTNER):
        before = codes.LIFECYCLES[state.lifecycle]
        return REJECTED, "from %s the partner cannot do this" % before, {}
    if after == life.IN_SERVICE and state.seal_open:
        return REJECTED, "a seal loop is open; close lid and terminal cover", {}
    if not _take(box, after, _INSTALLATION):
        return FAILED, "the ledger takes nothing; see the status", {}
    if after == life.FACTORY:
        lock.put(0)
    return ACCEPTED, "", {}


def decommission(box, reason: str) -> tuple:
    if reason not in codes.LIFECYCLE_REASONS:
        return REJECTED, "reason: see the list of codes", {}
    state = box.agent.state
    if state.session_phase == OPEN:
        return REJECTED, "a session runs; unplug the car", {}
    if state.lifecycle_next or not life.may(state.lifecycle, life.DECOMMISSIONED, life.PARTNER):
        before = codes.LIFECYCLES[state.lifecycle]
        return REJECTED, "from %s the partner cannot do this" % before, {}
    if not _take(box, life.DECOMMISSIONED, codes.LIFECYCLE_REASONS.index(reason)):
        return FAILED, "the ledger takes nothing; see the status", {}
    if state.lifecycle_next:
        return SCHEDULED, "after the final register, within 10 s", {}
    return ACCEPTED, "", {}


def _take(box, after: int, reason: int) -> bool:
    box.agent.take([events.LIFECYCLE, after, life.PARTNER, reason], box.clock.now())
    return not box.agent.halted
