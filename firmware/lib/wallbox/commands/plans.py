"""The smart schedule: all its periods at once, in place of those of the plan before."""

from ..core import events, leases
from ..core.rules import limits
from . import ACCEPTED, REJECTED

_U32 = 0xFFFFFFFF


def replace(box, first: int, periods: list, take) -> tuple:
    """first: lease number of the first period, the others follow. All of them, or none."""
    before = 0
    for period in periods:
        if not _good(period, before):
            return REJECTED, "periods: [from_utc_s, until_utc_s, limit_ma], one after the other"
        before = period[1]
    table = box.agent.state.leases
    lease = [0] * 6
    old, free = [], 0
    for slot in range(leases.SLOTS):
        if not leases.get(table, slot, lease):
            free += 1
        elif lease[leases.SOURCE] == limits.SMART:
            old.append(lease[leases.LEASE])
        elif first <= lease[leases.LEASE] < first + len(periods):
            return REJECTED, "lease: %d is a limit's number" % lease[leases.LEASE]
    if len(periods) > free + len(old):
        return REJECTED, "periods: room for %d" % (free + len(old))
    answer = (ACCEPTED, "")
    for number in old:
        answer = take(box, events.LEASE_END, [number])
    for index in range(len(periods)):
        from_utc_s, until_utc_s, limit_ma = periods[index]
        event = [limits.SMART, first + index, limit_ma, from_utc_s, until_utc_s, leases.NONE_MA]
        answer = take(box, events.LEASE, event)
    return answer


def _good(period, before: int) -> bool:
    if not isinstance(period, list) or len(period) != 3:
        return False
    for value in period:
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _U32:
            return False
    return before <= period[0] < period[1] and period[2] <= leases.NONE_MA
