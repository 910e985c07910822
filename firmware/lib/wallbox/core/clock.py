"""UTC as the core knows it: the last CLOCK event plus the time that went by since."""

from . import events


def valid(state) -> bool:
    """True once the clock may be acted upon (set from a trusted source in this boot)."""
    return state.clock_quality >= events.RELATIVE


def utc_s(state, now: int) -> int:
    """Seconds since 1970 at `now`, 0 while nothing is known."""
    if state.clock_quality == events.UNKNOWN:
        return 0
    return (state.clock_utc_ms + now - state.clock_at) // 1000


def when(state, utc_seconds: int) -> int:
    """The `now` at which utc_seconds is reached."""
    return utc_seconds * 1000 - state.clock_utc_ms + state.clock_at
