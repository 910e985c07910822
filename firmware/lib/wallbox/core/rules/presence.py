"""Always on, always online (P1-P3): each absence is a fact with its causes, begin and end.

Absent is whoever the operator does not answer: no power, no Wi-Fi, no address, no broker, no
acknowledgement. A short one is not written unless the power was off. After a grace time
offline no new session begins, if the policy says so; a running one finishes. Each hour offline is
counted in the ledger, and one that a reset cuts off counts as a whole one: who takes the power away
again and again, so that the box never knows the time, gains nothing.
"""

from micropython import const

from .. import clock, decisions, events, refusals
from . import NEVER, storage

POWER = const(1)
WIFI = const(2)
ADDRESS = const(4)
BROKER = const(8)
ACKNOWLEDGEMENT = const(16)

_CAUSES = const(31)
_UNTOLD = const(128)  # away, and the link has not told why

SHORT_MS = const(60_000)
_HOUR_MS = const(3_600_000)
_HOURS_MOST = const(0xFFFF)

# codes of the link, from 0 = not tried yet, as causes; 1 connected, 2 delivered
_OF_LINK = bytes((BROKER, ACKNOWLEDGEMENT, 0, WIFI, ADDRESS) + (BROKER,) * 6 + (0,))
_CONNECTED = const(1)
_DELIVERED = const(2)
_STORE_FAILED = const(11)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.ABSENCE_BEGIN:
        state.absent = fact[1]
        state.absent_utc_s = fact[3]
        state.absent_quality = fact[4]
        state.absent_planned = fact[2]
        state.offline_h = 0
    elif fact[0] == decisions.ABSENCE_END:
        state.absent = 0
    elif fact[0] == decisions.OFFLINE:
        state.offline_h = fact[1]
    elif fact[0] == decisions.BOOT:
        _count_boot(state)
    elif fact[0] == decisions.ANNOUNCED:
        state.planned_from_utc_s = fact[1]
        state.planned_until_utc_s = fact[2]


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.BOOT and event[2] != events.RESUMED:
        _after_boot(state, event, now, out)
    elif kind == events.LINK:
        _link(state, event[1], now, out)
    elif kind == events.ABSENCE and may_announce(state, event[1], event[2], now):
        state.planned_from_utc_s = event[1]
        state.planned_until_utc_s = event[2]
        out.append((decisions.ANNOUNCED, event[1], event[2]))
    connected = state.link == _CONNECTED and state.away
    if connected and now >= state.connected_at + SHORT_MS:
        state.away |= ACKNOWLEDGEMENT
    if state.away and not state.absent and now >= state.away_at + SHORT_MS:
        _begin(state, state.away_utc_s, state.away_quality, out)
    _count_hours(state, now, out)
    state.grace_over = 1 if _grace_is_over(state, now) else 0


def may_announce(state, from_utc_s: int, until_utc_s: int, now: int) -> bool:
    """One is remembered: another may change it, if they touch; 0, 0 takes it back."""
    if from_utc_s >= until_utc_s:
        return from_utc_s == until_utc_s == 0 and state.planned_until_utc_s > 0
    planned_until_utc_s = state.planned_until_utc_s
    if not planned_until_utc_s or clock.utc_s(state, now) > planned_until_utc_s:
        return True  # there is none, or it is over
    return from_utc_s <= planned_until_utc_s and until_utc_s >= state.planned_from_utc_s


def _count_boot(state) -> None:
    if state.absent:
        state.offline_h = min(state.offline_h + 1, _HOURS_MOST)


def _count_hours(state, now: int, out: list) -> None:
    """A fact an hour, until the grace is over; none from a full ledger's reserve."""
    if not state.absent or not state.away or now < state.hour_at + _HOUR_MS:
        return
    if state.grace_over or not state.offline_grace_h:
        return
    hours = (now - state.hour_at) // _HOUR_MS
    state.hour_at += hours * _HOUR_MS
    state.offline_h = min(state.offline_h + hours, _HOURS_MOST)
    if not storage.saving(state):
        out.append((decisions.OFFLINE, state.offline_h))


def _after_boot(state, event, now: int, out: list) -> None:
    """Away since the last heartbeat, if it was the power; from now on, if it was a reset."""
    _count_boot(state)
    state.away = POWER if event[2] == events.POWER_UP else _UNTOLD
    state.away_at = state.hour_at = now
    state.away_utc_s = 0
    state.away_quality = events.UNKNOWN
    if event[2] != events.POWER_UP or not state.accounted:
        return
    utc_s, quality = state.accounted_utc_s, state.accounted_quality
    if event[3] and event[5] >= utc_s:
        utc_s, quality = event[5], event[6]
    state.away_utc_s = utc_s
    state.away_quality = quality
    if not state.absent:
        _begin(state, utc_s, quality, out)
    else:
        state.absent |= POWER


def _link(state, code: int, now: int, out: list) -> None:
    if code >= _STORE_FAILED:
        return
    state.link = code
    if code == _DELIVERED:
        _back(state, out)
        return
    if not state.away:
        state.away_at = state.hour_at = now
        state.away_utc_s = clock.utc_s(state, now)
        state.away_quality = state.clock_quality
    elif code == _CONNECTED:
        state.connected_at = now  # the operator answers soon, or it is a cause of its own
        return
    state.connected_at = now
    state.away |= _OF_LINK[code]


def _begin(state, utc_s: int, quality: int, out: list) -> None:
    if not state.away & _CAUSES:
        state.away |= ACKNOWLEDGEMENT if state.link == _CONNECTED else BROKER
    state.offline_h = 0
    state.absent = state.away & _CAUSES
    state.absent_utc_s = utc_s
    state.absent_quality = quality
    state.absent_planned = _planned(state)
    out.append((decisions.ABSENCE_BEGIN, state.absent, state.absent_planned, utc_s, quality))


def _back(state, out: list) -> None:
    if state.absent:
        out.append(
            (
                decisions.ABSENCE_END,
                (state.absent | state.away) & _CAUSES,
                state.absent_planned,
                state.absent_utc_s,
                state.absent_quality,
            )
        )
    state.absent = 0
    state.away = 0


def _planned(state) -> int:
    """1 if the absence, which begins now, does so within the announced time."""
    begin_utc_s = state.absent_utc_s
    if not state.planned_until_utc_s or state.absent_quality < events.RELATIVE:
        return 0
    return 1 if state.planned_from_utc_s <= begin_utc_s <= state.planned_until_utc_s else 0


def _grace_is_over(state, now: int) -> bool:
    """By the clock if it is known, else by the hours that were counted."""
    grace_ms = state.offline_grace_h * 3_600_000
    if not state.away or not grace_ms:
        return False
    if now - state.away_at >= grace_ms:
        return True
    if not clock.valid(state) or state.absent_quality < events.RELATIVE or not state.absent:
        return state.offline_h * _HOUR_MS + now - state.hour_at >= grace_ms
    return (clock.utc_s(state, now) - state.absent_utc_s) * 1000 >= grace_ms


def refuse(state) -> int:
    if state.grace_over and not storage.running(state):
        return 1 << refusals.OFFLINE
    return 0


def due(state) -> int:
    if not state.away:
        return NEVER
    if not state.absent:
        return state.away_at + SHORT_MS
    at = NEVER
    if state.link == _CONNECTED and not state.away & ACKNOWLEDGEMENT:
        at = state.connected_at + SHORT_MS
    if state.grace_over or not state.offline_grace_h:
        return at
    at = min(at, state.hour_at + _HOUR_MS)
    if clock.valid(state) and state.absent_quality >= events.RELATIVE:
        at = min(at, clock.when(state, state.absent_utc_s + state.offline_grace_h * 3600))
    return at
