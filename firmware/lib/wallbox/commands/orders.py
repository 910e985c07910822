"""What each verb does: orders(box, arguments) -> (status, info), None if the answer comes later.

A verb's function has its name, with _.
"""

from ..core import events
from ..core.rules import OPEN, access, limits, presence, seals
from ..core.rules import lifecycle as life
from . import ACCEPTED, FAILED, NOT_SUPPORTED, REJECTED, SCHEDULED

_DONE = (ACCEPTED, "")
_VERDICTS = "Accepted,Blocked,Expired,Invalid,ConcurrentTx"
_NO_READER = (NOT_SUPPORTED, "no tag reader is fitted")


def _take(box, kind: int, values) -> tuple:
    """Lets the core have an event; what it writes is in flash afterwards."""
    event = [kind]
    event.extend(values)
    box.agent.take(event, box.clock.now())
    if box.agent.halted:
        return FAILED, "the ledger takes nothing; see the status"
    return _DONE


def status(box, _given) -> tuple:
    box.link.status_changed()
    return _DONE


def block_tag(box, given) -> tuple:
    if not box.tags:
        return _NO_READER
    try:
        box.tags.tags.block(given[0])
    except OSError as error:
        return FAILED, "the file system refuses (%s)" % error
    box.recheck()
    return _DONE


def forget_counter(box, given) -> tuple:
    if not box.tags:
        return _NO_READER
    try:
        box.tags.counters.forget(given[0])
    except OSError as error:
        return FAILED, "the file system refuses (%s)" % error
    return _DONE


def reader_mode(box, given) -> tuple:
    answer = _take(box, events.MODE, given)
    if answer is _DONE and box.agent.state.mode_from_utc_s:
        return SCHEDULED, "from %d on" % given[1]
    return answer


def start(box, given) -> tuple:
    if not access.may_start(box.agent.state):
        return REJECTED, "a session runs, or the box refuses; see the status"
    listed = 0  # the operator may name a tag that is not on the list
    if given[2] and box.tags and box.tags.tags.look_up(given[2]):
        tag = box.tags.tags
        now = box.clock.now()
        listed = access.listed(
            box.agent.state, tag.status, tag.kind, tag.expires_utc_s, now
        )
    answer = _take(box, events.REMOTE_START, [listed] + given)
    if listed and answer is _DONE:
        return REJECTED, "the list says %s of this tag" % _VERDICTS.split(",")[listed]
    return answer


def stop(box, given) -> tuple:
    if not access.may_stop(box.agent.state, given[0]):
        return REJECTED, "this session does not run"
    return _take(box, events.REMOTE_STOP, given)


def limit(box, given) -> tuple:
    event = [limits.GRID + given[0]] + given[1:]
    told = [events.LEASE] + event
    if not limits.may_lease(box.agent.state, told, box.clock.now()):
        return REJECTED, "it ends before it begins, is over, or has the number of another source"
    if not limits.has_room(box.agent.state, told, box.clock.now()):
        return REJECTED, "%d of this source hold or wait; take one back first" % limits.MOST
    return _take(box, events.LEASE, event)


def limit_end(box, given) -> tuple:
    return _take(box, events.LEASE_END, given)


def plan(box, given) -> tuple:
    from . import plans

    return plans.replace(box, given[0], given[1], _take)


def opt_out(box, given) -> tuple:
    return _take(box, events.OPT_OUT, [int(given[0])])


def charge_now(box, given) -> tuple:
    return _take(box, events.CHARGE_NOW, [int(given[0])])


def lifecycle(box, given) -> tuple:
    state = box.agent.state
    if state.leaving or not life.may(state.lifecycle, given[0], life.OPERATOR):
        return REJECTED, "not from where it is; see lifecycle in the status"
    answer = _take(box, events.LIFECYCLE, [given[0], life.OPERATOR, given[1]])
    if answer is _DONE and state.leaving:
        return SCHEDULED, "after the final register, within 10 s"
    return answer


def absence(box, given) -> tuple:
    if presence.may_announce(box.agent.state, given[0], given[1], box.clock.now()):
        return _take(box, events.ABSENCE, given)
    if given[0] >= given[1]:
        return REJECTED, "until_utc_s: above from_utc_s; 0 and 0 take back what is announced"
    return REJECTED, "another one is announced; take it back first (absence --none)"


def seal(box, given) -> tuple:
    numbers = given[0].encode()
    if not seals.may_seal(box.agent.state, numbers):
        return REJECTED, "a loop is open; see seals in the status"
    return _take(box, events.SEALED, [numbers])


def approve_place(box, _given) -> tuple:
    return _take(box, events.PLACE_APPROVED, [])


def approve_meter(box, given) -> tuple:
    state = box.agent.state
    if given[0] != state.meter_seen:
        return REJECTED, "the meter that is there now has the id %d" % state.meter_seen
    return _take(box, events.METER_APPROVED, given)


def configure(box, given) -> tuple:
    from . import settings

    return settings.change(box, given[0], given[1], _take)


def trace(box, given) -> tuple:
    from . import trace_stream

    return trace_stream.begin(box, given[0], given[1])


def reboot(box, given) -> tuple:
    if box.agent.state.session_phase == OPEN and not given[0]:
        return REJECTED, "a session runs; force it, or wait"
    box.restart()
    return SCHEDULED, "within 3 s"
