"""Why the box does what it does: one answer, the winner and all losers, and a sentence for people.

The sentences are imported when the answer has changed, and forgotten again.
"""

from . import forget
from .core import clock, events, leases, power, refusals, status
from .core.rules import ENDING, OPEN, OVER, access, limits, session

_SOURCES = ("installation", "cable", "tag", "smart", "grid", "protection", "thermal")
_last: list = [None, "", ""]  # the answer that the sentences are of; English, Danish


def why(state, now: int) -> dict:
    """For the status: OCPP's word, the answer's name, what else refuses, who limits to what.

    `until_utc_s` is 0 unless it is known when the answer ends; `limits_ma` has those that limit.
    """
    name, until_utc_s = _answer(state, now)
    by = _SOURCES[state.limit_source]
    limit_ma = state.limit_ma
    _tell(name, by, limit_ma // 1000, until_utc_s)
    return {
        "state": status.NAMES[status.of(state)],
        "why": name,
        "losers": [one for one in refusals.names(state.refusals) if one != name],
        "limit_ma": limit_ma,
        "limit_by": by,
        "limits_ma": {
            _SOURCES[source]: state.limits[source]
            for source in range(limits.SOURCES)
            if state.limits[source] < leases.NONE_MA
        },
        "until_utc_s": until_utc_s,
        "en": _last[1],
        "da": _last[2],
    }


def name(state, now: int) -> str:
    """The answer's name alone."""
    return _answer(state, now)[0]


def line(state, now: int) -> str:
    """The whole answer in one line, for USB."""
    answer = why(state, now)
    also = "; also " + ", ".join(answer["losers"]) if answer["losers"] else ""
    if state.refusals == 0 and state.limit_ma < leases.NONE_MA:
        also += "; %d mA by %s" % (answer["limit_ma"], answer["limit_by"])
    words = (answer["state"], answer["why"], also, answer["en"], answer["da"])
    return "why: %s, %s%s. %s %s" % words


def _answer(state, now: int) -> tuple:
    """(name, until): a refusal wins, the lowest bit first; then what the session waits for."""
    if state.refusals:
        return refusals.names(state.refusals)[0], 0
    if state.session_phase == OPEN:
        return _charging(state, now)
    if state.session_phase == ENDING:
        return "Ending", 0
    if state.letter == events.NONE:
        return "Booting", 0
    if state.letter == events.A:
        if state.grant:
            return "WaitingForCar", 0
        return "Available" if state.mode == access.FREE else "AvailableByTag", 0
    if state.session_phase == OVER and not session.waited(state):
        return "Stopped", 0
    if access.authorised(state):
        return "Starting", 0
    return "ReaderMissing" if state.reader_missing else "WaitingForTag", 0


def _charging(state, now: int) -> tuple:
    if state.limit_ma < power.LEAST_MA:
        return "Paused", _paused_until(state, now)
    if state.restart_at > now:
        return "HoldOff", 0
    if not state.contactor:
        return "WaitingForEV", 0
    if state.limit_source == limits.INSTALLATION:
        return "Charging", 0
    return "Limited", 0


def _paused_until(state, now: int) -> int:
    """When no lease of the winning source pauses any more; 0 if that is not known."""
    if not clock.valid(state):
        return 0
    began_utc_s = until_utc_s = clock.utc_s(state, now)
    lease = [0] * 6
    for _ in range(leases.SLOTS):  # one period may follow another
        before_utc_s = until_utc_s
        for slot in range(leases.SLOTS):
            if leases.get(state.leases, slot, lease) and lease[leases.SOURCE] == state.limit_source:
                pauses = lease[leases.LIMIT_MA] < power.LEAST_MA
                if pauses and lease[leases.FROM_UTC_S] <= until_utc_s < lease[leases.UNTIL_UTC_S]:
                    until_utc_s = lease[leases.UNTIL_UTC_S]
                    if lease[leases.FALLBACK_MA] < power.LEAST_MA:
                        return 0
        if until_utc_s == before_utc_s:
            break
    return until_utc_s if until_utc_s > began_utc_s else 0


def _tell(name: str, by: str, limit_a: int, until_utc_s: int) -> None:
    answer = (name, by, limit_a, until_utc_s)
    if answer == _last[0]:
        return
    from . import why_texts

    _last[0] = answer
    _last[1] = why_texts.sentence(why_texts.ENGLISH, name, by, limit_a, until_utc_s)
    _last[2] = why_texts.sentence(why_texts.DANISH, name, by, limit_a, until_utc_s)
    forget("wallbox", "why_texts")
