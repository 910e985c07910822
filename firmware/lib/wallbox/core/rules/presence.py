"""Always on, always online (P1-P3): each absence is a fact with its causes, begin and end.

Absent is whoever the operator does not answer: no power, no Wi-Fi, no address, no broker, no
acknowledgement. A short one is not written unless the power was off. After a grace time
offline no new session begins, if the policy says so; a running one finishes.
"""

from micropython import const

from .. import clock, decisions, events, refusals
from . import NEVER, storage

POWER = const(1)
WIFI = const(2)
ADDRESS = const(4)
BROKER = const(8)
ACKNOWLEDGEMENT = const(16)

SHORT_MS = const(60_000)

# codes of the link, from 0 = not tried yet, as causes; 1 connected, 2 delivered
_CAUSES = bytes((BROKER, ACKNOWLEDGEMENT, 0, WIFI, ADDRESS) + (BROKER,) * 6 + (0,))
_CONNECTED = const(1)
_DELIVERED = const(2)
_STORE_FAILED = const(11)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.ABSENCE_BEGIN:
        state.absent = fact[1]
        state.absent_utc_s = fact[3]
        state.absent_quality = fact[4]
        state.absent_planned = fact[2]
    elif fact[0] == decisions.ABSENCE_END:
        state.absent = 0
    elif fact[0] == decisions.ANNOUNCED:
        state.planned_from_utc_s = fact[1]
        state.planned_until_utc_s = fact[2]


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.BOOT and event[2] != events.RESUMED:
        _after_boot(state, event, now, out)
    elif kind == events.LINK:
        _link(state, event[1], now, out)
    elif kind == events.ABSENCE and event[1] < event[2]:
        state.planned_from_utc_s = event[1]
        state.planned_until_utc_s = event[2]
        out.append((decisions.ANNOUNCED, event[1], event[2]))
    connected = state.link == _CONNECTED and state.away
    if connected and now >= state.connected_at + SHORT_MS:
        state.away |= ACKNOWLEDGEMENT
    if state.away and not state.absent and now >= state.away_at + SHORT_MS:
        _begin(state, state.away_utc_s, state.away_quality, out)
    state.grace_over = 1 if _grace_is_over(state, now) else 0


def _after_boot(state, event, now: int, out: list) -> None:
    """Away since the last heartbeat, if it was the power; from now on, if it was a reset."""
    state.away = POWER if event[2] == events.POWER_UP else BROKER
    state.away_at = now
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
        state.away_at = now
        state.away_utc_s = clock.utc_s(state, now)
        state.away_quality = state.clock_quality
    elif code == _CONNECTED:
        state.connected_at = now  # the operator answers soon, or it is a cause of its own
        return
    state.connected_at = now
    state.away |= _CAUSES[code]


def _begin(state, utc_s: int, quality: int, out: list) -> None:
    state.absent = state.away
    state.absent_utc_s = utc_s
    state.absent_quality = quality
    state.absent_planned = _planned(state)
    out.append((decisions.ABSENCE_BEGIN, state.away, state.absent_planned, utc_s, quality))


def _back(state, out: list) -> None:
    if state.absent:
        out.append(
            (
                decisions.ABSENCE_END,
                state.absent | state.away,
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
    """By the clock if it is known, else by the time since the boot, which is shorter."""
    grace_ms = state.offline_grace_h * 3_600_000
    if not state.away or not grace_ms:
        return False
    if now - state.away_at >= grace_ms:
        return True
    if not clock.valid(state) or state.absent_quality < events.RELATIVE or not state.absent:
        return False
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
    at = min(at, state.away_at + state.offline_grace_h * 3_600_000)
    if clock.valid(state) and state.absent_quality >= events.RELATIVE:
        at = min(at, clock.when(state, state.absent_utc_s + state.offline_grace_h * 3600))
    return at
