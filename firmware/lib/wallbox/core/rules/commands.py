"""Commands (S4): the operator's word, each once and in its time; what is refused leaves a trace.

Whether a message is authentic the driver has found out. Here its counter must rise, and the clock,
if it is known, must lie in its window. Of what is refused, the first MOST of an hour are facts, the
others of that hour one fact with their number: a hostile broker fills no ledger.
"""

from micropython import const

from .. import clock, decisions, events
from . import NEVER

LIGHT = const(64)  # verbs from here on change nothing that lasts, and are no facts
MOST = const(2)
HOUR_MS = const(3_600_000)

# what became of a COMMAND, in `command_answer` for one step
TAKEN = const(1)
REPLAYED = const(2)
STALE = const(3)

# event of a SECURITY fact, names in codes.py
INVALID_MESSAGES = const(0)
REPLAY_ATTACKS = const(1)
INVALID_CERTIFICATE = const(2)
REFUSED_TAPS = const(3)  # of access.py
OUT_OF_TIME = const(8)  # its detail

_TLS_FAILED = const(7)  # code of the link
_COUNT_MOST = const(0xFFFF)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.COMMAND:
        state.command_counter = fact[1]


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    state.command_answer = 0
    if state.security_told and now >= state.security_at + HOUR_MS:
        _hour_over(state, now, out)
    if kind == events.COMMAND:
        _take(state, event, now, out)
    elif kind == events.MESSAGE_REFUSED:
        _note(state, INVALID_MESSAGES, event[1], event[2], now, out)
    elif kind == events.LINK and event[1] == _TLS_FAILED:
        _note(state, INVALID_CERTIFICATE, 0, 1, now, out)


def _take(state, event, now: int, out: list) -> None:
    counter = event[1]
    if counter <= state.command_counter:
        state.command_answer = REPLAYED
        _note(state, REPLAY_ATTACKS, 0, 1, now, out)
    elif clock.valid(state) and not event[2] <= clock.utc_s(state, now) < event[3]:
        state.command_answer = STALE
        _note(state, INVALID_MESSAGES, OUT_OF_TIME, 1, now, out)
    else:
        state.command_answer = TAKEN
        state.command_counter = counter
        if event[4] < LIGHT:
            out.append((decisions.COMMAND, counter, event[4]))


def _note(state, what: int, detail: int, count: int, now: int, out: list) -> None:
    if not state.security_told:
        state.security_at = now
    if state.security_told < MOST:
        state.security_told += 1
        out.append((decisions.SECURITY, what, detail, count))
        return
    state.security_event = what
    state.security_detail = detail
    state.security_count = min(state.security_count + count, _COUNT_MOST)


def _hour_over(state, now: int, out: list) -> None:
    state.security_told = 0
    if state.security_count:
        count, state.security_count = state.security_count, 0
        _note(state, state.security_event, state.security_detail, count, now, out)


def due(state) -> int:
    return state.security_at + HOUR_MS if state.security_count else NEVER
