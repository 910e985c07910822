"""The clock: when it is set or jumps, a fact ties ms since boot to UTC."""

from micropython import const

from .. import clock, decisions, events

JUMP_MS = const(2000)  # smaller corrections are adopted without a word
_LATEST_MS = const(4_000_000_000_000)  # 2096; seconds have four bytes in the ledger


def handle(state, event, now: int, out: list) -> None:
    state.clock_jumped = 0
    if event[0] != events.CLOCK or event[1] > _LATEST_MS or event[2] > events.SYNCHRONISED:
        return
    before_utc_s = clock.utc_s(state, now)
    before_quality = state.clock_quality
    was_valid = clock.valid(state)
    if was_valid and event[2] < events.RELATIVE:
        return  # a guess never replaces a known time
    jump_ms = event[1] - (state.clock_utc_ms + now - state.clock_at)
    state.clock_utc_ms = event[1]
    state.clock_at = now
    state.clock_quality = event[2]
    if not clock.valid(state):
        return
    jumped = not -JUMP_MS < jump_ms < JUMP_MS
    if jumped or not was_valid:
        out.append((decisions.CLOCK, event[1], before_utc_s, before_quality))
        state.clock_jumped = 1 if was_valid else 0
