"""The sub-meter (M1, S2, U2): no believed register, no charge.

Its identity is pinned in the ledger. A register that rolls over is accounted across its end.
Another meter, or a register that went back, is refused until the operator approves it; then a
METER begins a new account.
"""

from micropython import const

from .. import clock, decisions, events, refusals
from . import NEVER

# the meter's driver gives a reading every 10 s (contactor closed) or 60 s, and says when it can't
STALE_MS = const(150_000)
_REGRESS = const(12)  # as in the drivers' meter_reasons.py
_IMPOSSIBLE_SLOPE = const(14)
_LEAST_FULL_WH = const(100_000_000)  # registers have 5 to 8 digits of kWh
_FULL_SIZES = const(4)
LEAP_WH = const(0xFFFFFFF)  # more than any box draws between two facts; energies have four bytes


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.METER:
        state.meter_id = fact[2]
        state.meter_next = 0
    elif fact[0] == decisions.METER_EXCHANGE:
        state.meter_next = fact[3]


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    state.meter_left = 0
    state.meter_taken = 0
    state.meter_full_wh = 0
    if kind == events.METER_READING:
        _reading(state, event, now, out)
    elif kind == events.METER_IDENTITY:
        _identity(state, event)
    elif kind == events.METER_SILENT:
        state.meter_silent = 1
    elif kind == events.METER_REFUSED:
        _refused(state, min(event[1], 254), out)
    elif kind == events.METER_APPROVED:
        _approved(state, event[1], out)
    if state.reading and now >= state.reading_at + STALE_MS:
        state.meter_silent = 1


def _approved(state, meter_id: int, out: list) -> None:
    """The operator takes the meter, and its register, that are there now."""
    if state.meter_id == 0 or meter_id == 0 or meter_id != state.meter_seen:
        return
    if not state.meter_exchanged and not state.meter_refused:
        return
    known_wh = max(state.known_wh, state.accounted_wh)
    out.append((decisions.METER_EXCHANGE, known_wh, state.meter_id, meter_id))
    state.meter_next = meter_id
    state.meter_left = 1
    state.meter_accept = 1
    state.meter_exchanged = 0
    state.meter_refused = 0
    state.reading = 0
    state.identity = None


def _refused(state, reason: int, out: list) -> None:
    if state.meter_refused != reason + 1:
        state.meter_refused = reason + 1
        out.append((decisions.FAULT, refusals.METER_REFUSED, reason))


def _identity(state, event) -> None:
    state.meter_seen = event[1]
    expected = state.meter_next or state.meter_id
    if expected == 0:
        expected = state.meter_next = event[1]
    if state.meter_next == event[1]:
        state.identity = event[2]
    state.meter_exchanged = 0 if expected == event[1] else 1


def _reading(state, event, now: int, out: list) -> None:
    if state.meter_exchanged or state.meter_id == 0 and state.identity is None:
        return
    if state.meter_next:
        if state.identity is None:
            return
    else:
        reason = _objection(state, event[1])
        if reason:
            _refused(state, reason, out)
            return
    state.reading = 1
    state.meter_silent = 0
    state.meter_refused = 0
    state.register_wh = event[1]
    state.power_w = event[2]
    state.reading_at = now
    state.reading_utc_s = clock.utc_s(state, now)
    state.reading_quality = state.clock_quality
    state.wanted = 0
    if state.meter_next:
        state.meter_id = state.meter_next
        state.meter_next = 0
        state.meter_taken = 1
        out.append((decisions.METER, state.register_wh, state.meter_id, state.identity))
        state.identity = None


def _objection(state, register_wh: int) -> int:
    """0 if the register did not fall, or only because it rolled over; else the reason."""
    last_wh = state.accounted_wh if state.accounted else 0
    if state.accounted and register_wh > last_wh + LEAP_WH:
        return _IMPOSSIBLE_SLOPE
    if state.reading:
        last_wh = max(last_wh, state.register_wh)
    if register_wh >= last_wh:
        return 0
    full_wh = _LEAST_FULL_WH
    for _ in range(_FULL_SIZES):
        if full_wh - full_wh // 100 <= last_wh < full_wh and register_wh < full_wh // 100:
            state.meter_full_wh = full_wh
            return 0
        full_wh *= 10
    return _REGRESS


def read_now(state, event, now: int) -> bool:
    """True if this event brought a believed register."""
    return event[0] == events.METER_READING and state.reading == 1 and state.reading_at == now


def want(state) -> None:
    """Asks the driver for a reading at once; it comes as an event."""
    if state.wanted == 0:
        state.wanted = 1


def refuse(state) -> int:
    bits = 0
    if state.meter_silent or not state.reading:
        bits |= 1 << refusals.METER_SILENT
    if state.meter_refused:
        bits |= 1 << refusals.METER_REFUSED
    if state.meter_exchanged:
        bits |= 1 << refusals.METER_EXCHANGED
    return bits


def due(state) -> int:
    return state.reading_at + STALE_MS if state.reading and not state.meter_silent else NEVER
