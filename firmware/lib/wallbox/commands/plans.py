"""The smart schedule: all its periods at once, in place of those of the plan before."""

from ..core import clock, events, leases
from ..core.rules import limits
from . import ACCEPTED, FAILED, REJECTED

_U32 = 0xFFFFFFFF


def replace(box, first: int, periods: list, take) -> tuple:
    """first: lease number of the first period, the others follow.

    All are checked before the first is taken. The old period that holds now ends last, or the
    car would be offered more in between.
    """
    before = 0
    for period in periods:
        if not _good(period, before):
            return REJECTED, "periods: [from_utc_s, until_utc_s, limit_ma], one after the other"
        before = period[1]
    state, now = box.agent.state, box.clock.now()
    table = state.leases
    lease = [0] * 6
    old, room, holds = [], 0, 0
    for slot in range(leases.SLOTS):
        if not leases.get(table, slot, lease):
            room += 1
        elif lease[leases.SOURCE] != limits.SMART:
            if first <= lease[leases.LEASE] < first + len(periods):
                return REJECTED, "lease: %d is a limit's number" % lease[leases.LEASE]
        elif lease[leases.FROM_UTC_S] <= clock.utc_s(state, now) and not holds:
            holds = lease[leases.LEASE]
        else:
            old.append(lease[leases.LEASE])
    room += len(old)
    if len(periods) > room:
        return REJECTED, "periods: room for %d" % room
    for number in old:
        take(box, events.LEASE_END, [number])
    over = 0
    for index in range(len(periods)):
        from_utc_s, until_utc_s, limit_ma = periods[index]
        event = [limits.SMART, first + index, limit_ma, from_utc_s, until_utc_s, leases.NONE_MA]
        if limits.may_lease(state, [events.LEASE] + event, now):
            take(box, events.LEASE, event)
        else:
            over += 1
    if holds and not first <= holds < first + len(periods) - over:
        take(box, events.LEASE_END, [holds])
    if box.agent.halted:
        return FAILED, "the ledger takes nothing; see the status"
    return ACCEPTED, "%d of the periods are over" % over if over else ""


def _good(period, before: int) -> bool:
    if not isinstance(period, list) or len(period) != 3:
        return False
    for value in period:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _U32:
            return False
    return before <= period[0] < period[1] and period[2] <= leases.NONE_MA
