"""Logins at the service console (S4): every attempt leaves a trace, and a storm fills no ledger.

Whether the answer was right the console has found out, and it lets attempts wait. Each login is a
fact; of the failed ones the first MOST of an hour are, the others of that hour one with their
number. By the console's waits an hour has room for ten wrong ones in a row: more come only from who
has the key and errs on purpose, so no power cut hides a stranger's.
"""

from micropython import const

from .. import decisions, events
from . import NEVER

MOST = const(12)
HOUR_MS = const(3_600_000)

# event of a SECURITY fact, names in codes.py
LOGIN_ACCEPTED = const(4)
LOGIN_FAILED = const(5)
WRONG_ANSWER = const(9)  # its detail

_COUNT_MOST = const(0xFFFF)


def handle(state, event, now: int, out: list) -> None:
    if state.login_told and now >= state.login_at + HOUR_MS:
        state.login_told = 0
        count, state.login_count = state.login_count, 0
        if count:
            _failed(state, count, now, out)
    if event[0] != events.LOGIN:
        return
    if event[1]:
        out.append((decisions.SECURITY, LOGIN_ACCEPTED, 0, event[2]))
    else:
        _failed(state, event[2], now, out)


def _failed(state, count: int, now: int, out: list) -> None:
    if not state.login_told:
        state.login_at = now
    if state.login_told < MOST:
        state.login_told += 1
        out.append((decisions.SECURITY, LOGIN_FAILED, WRONG_ANSWER, count))
    else:
        state.login_count = min(state.login_count + count, _COUNT_MOST)


def due(state) -> int:
    return state.login_at + HOUR_MS if state.login_count else NEVER
