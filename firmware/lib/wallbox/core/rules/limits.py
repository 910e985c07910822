"""Limits (W1-W3, M7): each source may limit the current, the least counts; below 6 A is a pause.

What the operator limits is a lease: it holds from one time to another, survives a reboot and
dies of old age, after which its fallback holds, if it has one, until another of its source begins.
One of grid or protection that begins at once takes the place of those of its source that hold; one
that begins later waits beside them. Ended ones tell how they were obeyed (compliance.py).
"""

from micropython import const

from .. import clock, decisions, events, leases
from . import NEVER, OPEN, compliance

INSTALLATION = const(0)
CABLE = const(1)
TAG = const(2)
SMART = const(3)
GRID = const(4)
PROTECTION = const(5)
THERMAL = const(6)
SOURCES = const(7)

_SET = const(0)
_ENDED = const(1)
_TAKEN_BACK = const(2)
_REPLACED = const(3)

MOST = const(3)  # leases of grid, and of protection: a plan of 24 always finds room, too

SMART_SESSION = const(1)  # flags of SESSION_END
OVERRIDDEN = const(2)


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.LEASE and may_lease(state, event, now) and has_room(state, event, now):
        _take(state, event, now, out)
    elif kind == events.LEASE_END:
        _take_back(state, event[1], out)
    elif kind == events.OPT_OUT:
        if state.opt_out != (event[1] & 1):
            state.opt_out = event[1] & 1
            _prefer(state, out)
    elif kind == events.CHARGE_NOW:
        if state.session_override != (event[1] & 1):
            state.session_override = event[1] & 1
            _prefer(state, out)
    elif kind == events.LOCAL_LIMIT:
        if event[1] == PROTECTION:
            state.protection_limit_ma = event[2]
        elif event[1] == THERMAL:
            state.thermal_limit_ma = event[2]
    elif kind == events.METER_READING:
        compliance.observe(state, event[2], now)


def settle(state, event, now: int, out: list) -> None:
    """The least limit now; called after the session's rule, whose tag may limit it."""
    if event[0] != events.TICK or now >= state.lease_due:
        _gather(state, now, out)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.PREFERENCE:
        state.opt_out = fact[1]
        state.session_override = fact[2]
        state.session_flags |= fact[3]
    elif fact[0] == decisions.LIMIT:
        slot = leases.find(state.leases, fact[3], state.lease)
        if fact[1] == _SET:
            if slot < 0:
                slot = leases.vacant(state.leases, state.lease)
            for index in range(6):
                state.lease[index] = fact[2 + index]
            if slot >= 0:
                _put(state, slot)
        elif slot >= 0 and fact[1] == _ENDED:
            leases.end(state.leases, slot, state.lease)
        elif slot >= 0 and (fact[1] == _TAKEN_BACK or _same(state.lease, fact, 2)):
            leases.free(state.leases, slot)  # a replaced one only if it has not its number anew


def may_lease(state, event, now: int) -> bool:
    """Whether a LEASE event is one that this box takes: source, times and number."""
    if not SMART <= event[1] <= PROTECTION or not event[2] or event[4] >= event[5]:
        return False
    if clock.valid(state) and event[5] <= clock.utc_s(state, now):
        return False  # it was over before it came
    if event[1] == SMART and event[6] != leases.NONE_MA:
        return False  # a plan goes on with its next period
    lease = state.lease
    return leases.find(state.leases, event[2], lease) < 0 or lease[leases.SOURCE] == event[1]


def has_room(state, event, now: int) -> bool:
    """Whether there is room for a LEASE: of each source but the plan MOST may hold or wait."""
    if leases.find(state.leases, event[2], state.lease) >= 0:
        return True
    count = free = 0
    for slot in range(leases.SLOTS):
        if not leases.get(state.leases, slot, state.lease) or _gives_way(state, event, now):
            free += 1
        elif state.lease[leases.SOURCE] == event[1]:
            count += 1
    return free > 0 and (event[1] == SMART or count < MOST)


def _gives_way(state, event, now: int) -> bool:
    """Whether the lease in state.lease ends as that of the event begins at once.

    One that begins later waits beside it. Without a clock, what began no later gives way.
    """
    lease = state.lease
    if event[1] == SMART or lease[leases.SOURCE] != event[1] or lease[leases.LEASE] == event[2]:
        return False
    from_utc_s = lease[leases.FROM_UTC_S]
    if not clock.valid(state):
        return from_utc_s <= event[4]
    utc_s = clock.utc_s(state, now)
    return event[4] <= utc_s and from_utc_s <= utc_s


def _put(state, slot: int) -> None:
    leases.put(state.leases, slot, state.lease)
    state.lease_slots = max(state.lease_slots, slot + 1)


def _prefer(state, out: list) -> None:
    out.append(
        (decisions.PREFERENCE, state.opt_out, state.session_override, state.session_flags)
    )


def _take(state, event, now: int, out: list) -> None:
    """Sets it, then ends those that give way: a power cut in between leaves both."""
    lease = state.lease
    slot = leases.find(state.leases, event[2], lease)
    before = None
    if slot >= 0:
        if _same(lease, event, 1):
            return
        before = lease[:]
    else:
        slot = leases.vacant(state.leases, lease)
    if slot < 0:  # the table is full
        slot = _end_one(state, event, now, out)
    for index in range(6):
        lease[index] = event[1 + index]
    _put(state, slot)
    out.append(_fact(_SET, lease, 0, 0))
    if before and before[leases.SOURCE] >= GRID:
        _tell(state, _REPLACED, before, out)
    while _end_one(state, event, now, out) >= 0:
        pass


def _end_one(state, event, now: int, out: list) -> int:
    """The slot of one that gave way to the event's lease, -1 if there is none."""
    for slot in range(leases.SLOTS):
        if leases.get(state.leases, slot, state.lease) and _gives_way(state, event, now):
            _tell(state, _REPLACED, state.lease, out)
            leases.free(state.leases, slot)
            return slot
    return -1


def _same(lease: list, values, first: int) -> bool:
    for index in range(6):
        if lease[index] != values[first + index]:
            return False
    return True


def _take_back(state, number: int, out: list) -> None:
    slot = leases.find(state.leases, number, state.lease)
    if slot >= 0:
        _tell(state, _TAKEN_BACK, state.lease, out)
        leases.free(state.leases, slot)


def _tell(state, change: int, lease: list, out: list) -> None:
    """Of a lease that is over."""
    reached_s, withheld_wh = 0, 0
    if lease[leases.SOURCE] >= GRID:
        reached_s, withheld_wh = compliance.end(state, lease)
    out.append(_fact(change, lease, reached_s, withheld_wh))


def _fact(change: int, lease: list, reached_s: int, withheld_wh: int) -> tuple:
    return (
        decisions.LIMIT,
        change,
        lease[leases.SOURCE],
        lease[leases.LEASE],
        lease[leases.LIMIT_MA],
        lease[leases.FROM_UTC_S],
        lease[leases.UNTIL_UTC_S],
        lease[leases.FALLBACK_MA],
        reached_s,
        withheld_wh,
    )


def _gather(state, now: int, out: list) -> None:
    """The limit of each source now, then the least of them and who set it."""
    limits = state.limits
    limits[INSTALLATION] = state.installation_limit_ma
    limits[CABLE] = state.cable_limit_ma or leases.NONE_MA
    limits[TAG] = state.session_limit_ma or leases.NONE_MA
    limits[SMART] = limits[GRID] = leases.NONE_MA
    limits[PROTECTION] = state.protection_limit_ma
    limits[THERMAL] = state.thermal_limit_ma
    state.lease_due = NEVER
    table = state.leases
    used = 0
    for slot in range(state.lease_slots):  # at each step, and mostly there is none
        if table[slot * leases.SIZE]:
            leases.get(table, slot, state.lease)
            _apply(state, slot, state.lease, now, out)
            used = slot + 1
    state.lease_slots = used
    if state.session_flags != state.session_flags_told and state.session_phase == OPEN:
        _prefer(state, out)
    state.session_flags_told = state.session_flags
    state.limit_ma = leases.NONE_MA
    for source in range(SOURCES):
        if limits[source] < state.limit_ma:
            state.limit_ma = limits[source]
            state.limit_source = source


def _apply(state, slot: int, lease: list, now: int, out: list) -> None:
    source = lease[leases.SOURCE]
    limit_ma = lease[leases.LIMIT_MA]
    fallback_ma = lease[leases.FALLBACK_MA]
    from_utc_s, until_utc_s = lease[leases.FROM_UTC_S], lease[leases.UNTIL_UTC_S]
    if clock.valid(state):
        utc_s = clock.utc_s(state, now)
        if utc_s < from_utc_s:
            state.lease_due = min(state.lease_due, clock.when(state, from_utc_s))
            return
        if utc_s < until_utc_s:
            state.lease_due = min(state.lease_due, clock.when(state, until_utc_s))
        else:
            _tell(state, _ENDED, lease, out)
            leases.end(state.leases, slot, lease)
            if fallback_ma == leases.NONE_MA:
                return
            limit_ma = fallback_ma
        if _is_fallback(lease) and _succeeded(state, source, utc_s):
            _tell(state, _REPLACED, lease, out)
            leases.free(state.leases, slot)
            return
    elif source == SMART:
        return  # a plan without a clock would be a guess
    else:
        over_at = NEVER
        if state.accounted_quality >= events.RELATIVE:
            over_at = (until_utc_s - state.accounted_utc_s) * 1000
        if now >= over_at:
            limit_ma = fallback_ma  # over for certain: the box has been up since before for so long
        else:
            limit_ma = min(limit_ma, fallback_ma)
            state.lease_due = min(state.lease_due, over_at)
    if source == SMART:
        state.session_flags |= SMART_SESSION
        if state.session_override:
            state.session_flags |= OVERRIDDEN
            return
    elif source == GRID and state.opt_out:
        return
    if limit_ma < state.limits[source]:
        state.limits[source] = limit_ma
    if source >= GRID:
        compliance.begin(state, lease, now)


def _is_fallback(lease: list) -> bool:
    endless = lease[leases.UNTIL_UTC_S] == leases.ENDLESS_UTC_S
    return endless and lease[leases.LIMIT_MA] == lease[leases.FALLBACK_MA]


def _succeeded(state, source: int, utc_s: int) -> bool:
    """Whether another lease of the source holds now, which is no fallback."""
    other = [0] * 6
    for slot in range(leases.SLOTS):
        if leases.get(state.leases, slot, other) and other[leases.SOURCE] == source:
            holds = other[leases.FROM_UTC_S] <= utc_s < other[leases.UNTIL_UTC_S]
            if holds and not _is_fallback(other):
                return True
    return False


def due(state) -> int:
    return state.lease_due
