"""Limits (W1-W3, M7): each source may limit the current, the least counts; below 6 A is a pause.

What the operator limits is a lease: it holds from one time to another, survives a reboot and
dies of old age, after which its fallback holds, if it has one, without an end of its own. Ended
leases of grid and protection tell how fast the box obeyed and what it held back.
"""

from micropython import const

from .. import clock, decisions, events, leases
from . import NEVER, OPEN

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

_NEVER_REACHED = const(0xFFFF)
_VOLTAGE_V = const(230)
_SLACK_W = const(200)
_WITHHELD_MOST_MWH = const(0xFFFFFFFFFF)

SMART_SESSION = const(1)  # flags of SESSION_END
OVERRIDDEN = const(2)


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.LEASE and may_lease(state, event):
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
    elif kind == events.METER_READING and state.lease_id:
        _observe(state, event, now)


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
                slot = _place(state, fact[2])
            for index in range(6):
                state.lease[index] = fact[2 + index]
            if slot >= 0:
                leases.put(state.leases, slot, state.lease)
        elif slot >= 0 and fact[1] == _ENDED:
            leases.end(state.leases, slot, state.lease)
        elif slot >= 0 and fact[1] == _TAKEN_BACK:
            leases.free(state.leases, slot)
        # one that is replaced holds until its successor is in the ledger, too


def may_lease(state, event) -> bool:
    """Whether a LEASE event is one that this box takes: source, times and room."""
    if not SMART <= event[1] <= PROTECTION or not event[2] or event[4] >= event[5]:
        return False
    if clock.valid(state) and event[5] <= state.clock_utc_ms // 1000:
        return False  # it was over before it came
    if event[1] == SMART and event[6] != leases.NONE_MA:
        return False  # a plan goes on with its next period
    lease = state.lease
    if leases.find(state.leases, event[2], lease) >= 0:
        return lease[leases.SOURCE] == event[1]
    return _place(state, event[1]) >= 0


def _prefer(state, out: list) -> None:
    out.append(
        (decisions.PREFERENCE, state.opt_out, state.session_override, state.session_flags)
    )


def _place(state, source: int) -> int:
    """Where a new lease goes; -1 if there is no room. state.lease is overwritten.

    A plan has many leases; of every other source the newest replaces the one before.
    """
    for slot in range(leases.SLOTS):
        if source == SMART:
            break
        if leases.get(state.leases, slot, state.lease) and state.lease[leases.SOURCE] == source:
            return slot
    return leases.vacant(state.leases, state.lease)


def _take(state, event, now: int, out: list) -> None:
    """Replaces what is in its place; what that one did is told, if there is anything to tell."""
    slot = leases.find(state.leases, event[2], state.lease)
    if slot < 0:
        slot = _place(state, event[1])
    if leases.get(state.leases, slot, state.lease):
        if _same(state.lease, event):
            return
        if state.lease[leases.LEASE] == state.lease_id:
            _tell(state, _REPLACED, state.lease, out)
    for index in range(6):
        state.lease[index] = event[1 + index]
    leases.put(state.leases, slot, state.lease)
    _tell(state, _SET, state.lease, out)


def _same(lease: list, event) -> bool:
    for index in range(6):
        if lease[index] != event[1 + index]:
            return False
    return True


def _take_back(state, number: int, out: list) -> None:
    slot = leases.find(state.leases, number, state.lease)
    if slot >= 0:
        _tell(state, _TAKEN_BACK, state.lease, out)
        leases.free(state.leases, slot)


def _tell(state, change: int, lease: list, out: list) -> None:
    reached_s, withheld_wh = 0, 0
    if change != _SET and lease[leases.LEASE] == state.lease_id:
        reached_s, withheld_wh = state.lease_reached_s, state.lease_withheld_mwh // 1000
        state.lease_id = 0
    out.append(
        (
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
    for slot in range(leases.SLOTS):
        if leases.get(state.leases, slot, state.lease):
            _apply(state, slot, state.lease, now, out)
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
    if source >= GRID and not state.lease_id and state.session_phase == OPEN:
        _watch(state, lease, now)


def _watch(state, lease: list, now: int) -> None:
    """Compliance: from the power before to the power that the limit allows; not of a fallback."""
    if lease[leases.UNTIL_UTC_S] == leases.ENDLESS_UTC_S:
        return
    state.lease_id = lease[leases.LEASE]
    state.lease_at = state.lease_read_at = now
    state.lease_before_w = max(0, state.power_w)
    state.lease_reached_s = _NEVER_REACHED
    state.lease_withheld_mwh = 0
    if state.power_w <= _allowed_w(state, lease):
        state.lease_reached_s = 0


def _allowed_w(state, lease: list) -> int:
    limit_ma = lease[leases.LIMIT_MA]
    return (limit_ma * 3 * _VOLTAGE_V // 1000 if limit_ma >= 6000 else 0) + _SLACK_W


def _observe(state, event, now: int) -> None:
    if leases.find(state.leases, state.lease_id, state.lease) < 0:
        state.lease_id = 0
        return
    power_w = event[2]
    elapsed_ms = now - state.lease_read_at
    state.lease_read_at = now
    if state.session_phase != OPEN or _idle(state, now):
        return
    if state.lease_reached_s == _NEVER_REACHED and power_w <= _allowed_w(state, state.lease):
        state.lease_reached_s = min((now - state.lease_at) // 1000, _NEVER_REACHED - 1)
    withheld_w = max(0, state.lease_before_w - max(0, power_w))
    withheld_mwh = state.lease_withheld_mwh + withheld_w * elapsed_ms // 3600
    state.lease_withheld_mwh = min(withheld_mwh, _WITHHELD_MOST_MWH)


def _idle(state, now: int) -> bool:
    """True while the watched lease, in state.lease, does not limit: over, or opted out of."""
    if state.lease[leases.SOURCE] == GRID and state.opt_out:
        return True
    return clock.valid(state) and clock.utc_s(state, now) > state.lease[leases.UNTIL_UTC_S]


def due(state) -> int:
    return state.lease_due
