"""Intervals and gaps (M2, M4, M5): at any cut, the sum of all parts is register end - start.

Intervals end at UTC multiples of interval_s, with the register as read there.
Where power, meter or clock were missing, or a full ledger has no room for idle
intervals, a gap takes their place: from the last known register to the first
new one, nothing spread, nothing invented.
"""

from micropython import const

from .. import clock, decisions, events
from . import NEVER, storage
from .metering import LEAP_WH, read_now, want

_GRACE_MAX_S = const(30)  # how late the reading at a boundary may come


def recall(state, fact, utc_s: int, quality: int) -> None:
    kind = fact[0]
    if kind == decisions.METER:
        _take_meter(state, fact[1], utc_s, quality)
    elif kind == decisions.INTERVAL:
        _account(state, fact[1], fact[4], fact[5])
    elif kind == decisions.METER_ROLLOVER:
        _settle(state, fact[1], fact[5], fact[6])
    elif kind == decisions.GAP_CAUSE:
        state.gap_cause = fact[1]
    elif kind == decisions.GAP_BEGIN:
        state.gap_open = 1
        state.gap_utc_s = fact[3]
        state.gap_quality = fact[4]
        state.gap_cause = fact[5]
    elif kind == decisions.GAP_END:
        _account(state, fact[1], utc_s, quality)


def handle(state, event, now: int, out: list) -> None:
    if event[0] == events.BOOT:
        _after_power_cut(state, event, out)
    elif state.meter_left:
        _lose(state, decisions.GAP_EXCHANGE, out)
    elif state.gap_open == 0 and state.boundary_utc_s:  # an interval runs, since before no cut
        if state.clock_jumped:
            _lose(state, decisions.GAP_CLOCK, out)
        elif storage.saving(state):
            _lose(state, decisions.GAP_STORAGE, out)
        elif clock.utc_s(state, now) >= state.boundary_utc_s + _grace_s(state):
            _lose(state, decisions.GAP_METER, out)
    if read_now(state, event, now):
        _reading(state, out)
    _ask(state, now)
    _tell_cause(state, out)


def _lose(state, cause: int, out: list) -> None:
    if state.gap_open:
        state.gap_cause |= cause
        return
    _open_gap(state, cause, state.known_wh, state.known_utc_s, state.known_quality, out)


def _ask(state, now: int) -> None:
    """Asks for the reading that is due, or says what a gap still waits for."""
    if state.gap_open:
        if not clock.valid(state):
            state.gap_cause |= decisions.GAP_CLOCK
        elif storage.saving(state):
            state.gap_cause |= decisions.GAP_STORAGE
        elif state.meter_silent:
            state.gap_cause |= decisions.GAP_METER
        elif state.reading:
            want(state)
    elif clock.utc_s(state, now) >= state.boundary_utc_s:
        want(state)


def _tell_cause(state, out: list) -> None:
    """A cause that joins an open gap is a fact of its own; after a power cut no clock is news."""
    cause = state.gap_cause
    if cause & decisions.GAP_POWER:
        cause &= ~decisions.GAP_CLOCK
    if not state.gap_open or not state.accounted or storage.saving(state):
        return
    if cause & ~state.gap_cause_told:
        out.append((decisions.GAP_CAUSE, state.gap_cause))
        state.gap_cause_told = state.gap_cause


def _grace_s(state) -> int:
    return min(_GRACE_MAX_S, (state.interval_s + 1) // 2)


def _after_power_cut(state, event, out: list) -> None:
    """The last heartbeat, if younger than the last record, is the best known begin of the gap.

    One that is younger than its interval can be comes from before the clock was put right.
    """
    state.boundary_utc_s = 0
    state.interval_s = state.interval_next_s  # the configuration is told before the boot
    if not state.accounted:
        return
    cause = decisions.GAP_RESTART
    if event[2] == events.POWER_UP:
        cause = decisions.GAP_POWER
    elif event[2] == events.RESUMED:
        cause = decisions.GAP_STORAGE
    if state.gap_open:
        state.gap_cause |= cause
        return
    register_wh, utc_s, quality = state.accounted_wh, state.accounted_utc_s, state.accounted_quality
    likely = register_wh <= event[4] <= register_wh + LEAP_WH
    if event[3] and likely and utc_s < event[5] <= utc_s + state.interval_s + _grace_s(state):
        register_wh, utc_s, quality = event[4], event[5], event[6]
    _open_gap(state, cause, register_wh, utc_s, quality, out)


def _open_gap(state, cause: int, register_wh: int, utc_s: int, quality: int, out: list) -> None:
    if register_wh != state.accounted_wh or utc_s != state.accounted_utc_s:
        _close_interval(state, register_wh, utc_s, quality, decisions.PARTIAL, out)
    state.gap_open = 1
    state.gap_cause = cause
    state.gap_cause_told = cause
    state.gap_utc_s = utc_s
    state.gap_quality = quality
    state.boundary_utc_s = 0
    out.append((decisions.GAP_BEGIN, register_wh, state.meter_id, utc_s, quality, cause))


def _reading(state, out: list) -> None:
    state.known_wh = state.register_wh
    state.known_utc_s = state.reading_utc_s
    state.known_quality = state.reading_quality
    if state.meter_full_wh:
        _roll_over(state, out)
    if state.meter_taken and state.accounted:
        state.accounted_wh = state.register_wh
    if not state.accounted:
        _account(state, state.known_wh, state.known_utc_s, state.known_quality)
        if clock.valid(state):
            _begin_interval(state, decisions.PARTIAL)
        else:
            _open_gap(state, decisions.GAP_CLOCK, state.known_wh, 0, events.UNKNOWN, out)
    elif state.gap_open:
        if clock.valid(state) and not storage.saving(state):
            _close_gap(state, out)
    elif state.known_utc_s >= state.boundary_utc_s:
        partial = state.interval_partial
        _close_interval(
            state, state.known_wh, state.boundary_utc_s, state.known_quality, partial, out
        )
        aligned = state.accounted_utc_s % state.interval_next_s == 0
        _begin_interval(state, 0 if aligned else decisions.PARTIAL)


def _roll_over(state, out: list) -> None:
    """What the register counted up to its end and from 0 on, in one piece."""
    end_utc_s, quality = state.reading_utc_s, state.reading_quality
    energy_wh = state.meter_full_wh - state.accounted_wh + state.register_wh
    out.append(
        (
            decisions.METER_ROLLOVER,
            state.register_wh,
            state.meter_id,
            energy_wh,
            state.meter_full_wh,
            end_utc_s,
            quality,
        )
    )
    _settle(state, state.register_wh, end_utc_s, quality)
    state.interval_partial = decisions.PARTIAL


def _take_meter(state, register_wh: int, utc_s: int, quality: int) -> None:
    """The account begins, or goes on with another register; an open gap stays open."""
    if state.accounted:
        state.accounted_wh = register_wh
    else:
        _account(state, register_wh, utc_s, quality)


def _close_gap(state, out: list) -> None:
    out.append(
        (
            decisions.GAP_END,
            state.register_wh,
            state.meter_id,
            state.register_wh - state.accounted_wh,
            state.gap_utc_s,
            state.gap_quality,
            state.gap_cause,
        )
    )
    _account(state, state.register_wh, state.reading_utc_s, state.reading_quality)
    _begin_interval(state, decisions.PARTIAL)


def _close_interval(
    state, register_wh: int, utc_s: int, quality: int, flags: int, out: list
) -> None:
    out.append(
        (
            decisions.INTERVAL,
            register_wh,
            state.meter_id,
            register_wh - state.accounted_wh,
            utc_s,
            quality,
            state.interval_s,
            flags,
        )
    )
    _account(state, register_wh, utc_s, quality)


def _account(state, register_wh: int, utc_s: int, quality: int) -> None:
    _settle(state, register_wh, utc_s, quality)
    state.gap_open = 0
    state.gap_cause = 0


def _settle(state, register_wh: int, utc_s: int, quality: int) -> None:
    """Everything up to this register is in the ledger."""
    state.accounted = 1
    state.accounted_wh = register_wh
    state.accounted_utc_s = utc_s
    state.accounted_quality = quality


def _begin_interval(state, partial: int) -> None:
    utc_s = state.reading_utc_s
    interval_s = state.interval_s = state.interval_next_s
    if utc_s % interval_s == 0:
        partial = 0
    state.boundary_utc_s = utc_s - utc_s % interval_s + interval_s
    state.interval_partial = partial


def due(state) -> int:
    if state.gap_open or state.boundary_utc_s == 0:
        return NEVER
    if state.wanted == 0:
        return clock.when(state, state.boundary_utc_s)
    return clock.when(state, state.boundary_utc_s + _grace_s(state))
