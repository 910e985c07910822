"""The sub-meter (M1): no believed register, no charge; its identity is pinned in the ledger."""

from micropython import const

from .. import clock, decisions, events, refusals
from . import NEVER

# the meter's driver gives a reading every 10 s (contactor closed) or 60 s, and says when it can't
STALE_MS = const(150_000)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.METER:
        state.meter_id = fact[2]


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.METER_READING:
        _reading(state, event, now, out)
    elif kind == events.METER_IDENTITY:
        _identity(state, event)
    elif kind == events.METER_SILENT:
        state.meter_silent = 1
    elif kind == events.METER_REFUSED:
        if state.meter_refused != event[1] + 1:
            state.meter_refused = event[1] + 1
            out.append((decisions.FAULT, refusals.METER_REFUSED, event[1]))
    if state.reading and now >= state.reading_at + STALE_MS:
        state.meter_silent = 1


def _identity(state, event) -> None:
    if state.meter_id == 0:
        state.meter_id = event[1]
        state.identity = event[2]
    state.meter_exchanged = 0 if state.meter_id == event[1] else 1


def _reading(state, event, now: int, out: list) -> None:
    if state.meter_id == 0 or state.meter_exchanged:
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
    if state.identity is not None:
        out.append((decisions.METER, state.register_wh, state.meter_id, state.identity))
        state.identity = None


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
