"""How limits of grid and protection were obeyed (W2): time to reach them, Wh withheld.

Of each of the two, one lease at a time is watched, while a session runs; of one that never was,
NOT_OBSERVED is told. Watched is from the power before to the power that the limit allows. While
both hold, each is told of the whole: what was withheld is not divided between them.
"""

from micropython import const

from .. import clock, leases
from . import OPEN

NEVER_REACHED = const(0xFFFF)
NOT_OBSERVED = const(0xFFFE)
_GRID = const(4)  # the first of the sources that are watched
_VOLTAGE_V = const(230)
_SLACK_W = const(200)
_WITHHELD_MOST_MWH = const(0xFFFFFFFFFF)

# of a watch
_LEASE = const(0)  # 0 = it watches none
_SINCE = const(1)
_BEFORE_W = const(2)
_REACHED_S = const(3)
_WITHHELD_MWH = const(4)
_READ_AT = const(5)
FIELDS = const(6)


def begin(state, lease: list, now: int) -> None:
    """A lease limits now: it is watched, if none of its source is; not a fallback."""
    watch = state.watches[lease[leases.SOURCE] - _GRID]
    if watch[_LEASE] or state.session_phase != OPEN:
        return
    if lease[leases.UNTIL_UTC_S] == leases.ENDLESS_UTC_S:
        return
    watch[_LEASE] = lease[leases.LEASE]
    watch[_SINCE] = watch[_READ_AT] = now
    watch[_BEFORE_W] = max(0, state.power_w)
    watch[_REACHED_S] = 0 if state.power_w <= _allowed_w(lease) else NEVER_REACHED
    watch[_WITHHELD_MWH] = 0


def end(state, lease: list) -> tuple:
    """(reached_s, withheld_wh) of a lease that is over; a fallback was not watched."""
    watch = state.watches[lease[leases.SOURCE] - _GRID]
    if watch[_LEASE] != lease[leases.LEASE]:
        return NOT_OBSERVED, 0
    watch[_LEASE] = 0
    return watch[_REACHED_S], watch[_WITHHELD_MWH] // 1000


def observe(state, power_w: int, now: int) -> None:
    """A reading of the power; state.lease is overwritten."""
    for watch in state.watches:
        if watch[_LEASE]:
            _observe(state, watch, power_w, now)


def _observe(state, watch: list, power_w: int, now: int) -> None:
    lease = state.lease
    if leases.find(state.leases, watch[_LEASE], lease) < 0:
        watch[_LEASE] = 0
        return
    elapsed_ms = now - watch[_READ_AT]
    watch[_READ_AT] = now
    if state.session_phase != OPEN or _idle(state, lease, now):
        return
    if watch[_REACHED_S] == NEVER_REACHED and power_w <= _allowed_w(lease):
        watch[_REACHED_S] = min((now - watch[_SINCE]) // 1000, NOT_OBSERVED - 1)
    withheld_w = max(0, watch[_BEFORE_W] - max(0, power_w))
    withheld_mwh = watch[_WITHHELD_MWH] + withheld_w * elapsed_ms // 3600
    watch[_WITHHELD_MWH] = min(withheld_mwh, _WITHHELD_MOST_MWH)


def _allowed_w(lease: list) -> int:
    limit_ma = lease[leases.LIMIT_MA]
    return (limit_ma * 3 * _VOLTAGE_V // 1000 if limit_ma >= 6000 else 0) + _SLACK_W


def _idle(state, lease: list, now: int) -> bool:
    """True while a watched lease does not limit: it is over, or opted out of."""
    if lease[leases.SOURCE] == _GRID and state.opt_out:
        return True
    return clock.valid(state) and clock.utc_s(state, now) > lease[leases.UNTIL_UTC_S]
