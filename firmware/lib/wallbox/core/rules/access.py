"""Who may charge (A1-A5): by tag, by the operator's remote start, or freely, as the mode says.

A grant waits for the car for CONNECTION_MS, the car for a tag for TAG_MS. A tag that charges
stops by its own tag or another one of its subscription. Blocking beats everything. A remote start
in a tag's name heeds what the list says then, and later a block alone. Asked after all that refuse.
"""

from micropython import const

from .. import clock, decisions, events
from . import ENDING, NEVER, OPEN, OVER, PENDING, commands
from .lifecycle import decommissioning

FREE = const(0)
REQUIRED = const(1)

# authority of a session
NOBODY = const(0)
ANYBODY = const(1)  # the reader is not required
BY_TAG = const(2)
BY_OPERATOR = const(3)

# status of a tag, its kind
ACCEPTED = const(0)
BLOCKED = const(1)
EXPIRED = const(2)
INVALID = const(3)
CONCURRENT = const(4)
PAY_PER_USE = const(1)

# reason and action of a TAG fact, names in codes.py
_UNKNOWN = const(1)
_TOO_MANY = const(2)
_OTHER = const(3)
_READER_OFF = const(4)
_COPIED = const(5)
_EXPIRED = const(6)
_BLOCKED = const(7)
_REFUSED = const(8)
_ENDING = const(9)
_BY_LIST = const(10)
_START = const(1)
STOP = const(2)
_WAIT = const(3)

CONNECTION_MS = const(120_000)
TAG_MS = const(3_600_000)
DEAD_MS = const(3000)  # a tag held too long is no second tap
_REFUSED_MOST = const(5)  # taps that lead to nothing fill no ledger
_REFUSED_MS = const(60_000)
_DELIVERED = const(2)


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.MODE:
        state.mode_next = fact[1]
        state.mode_from_utc_s = fact[2]
        if fact[2] == 0:
            state.mode = fact[1]
    elif fact[0] == decisions.SESSION_BEGIN:
        state.session_authority = fact[4]
        state.session_subscription = fact[5]
        state.session_limit_ma = fact[6]
        state.session_tag_a, state.session_tag_b = _halves(fact[7])


def handle(state, event, now: int, out: list) -> None:
    """Sets `grant`, and `session_stop` to a reason + 1 where a running session is to end."""
    kind = event[0]
    state.session_stop = 0
    if state.refused_taps and now >= state.refused_at + _REFUSED_MS:
        _minute_over(state, out)
    if kind == events.MODE and event[1] <= REQUIRED:
        _mode(state, event, out)
    elif kind == events.CONFIG and state.mode > REQUIRED:
        state.mode = event[6]  # the operator has not told another one yet
    elif kind == events.TAG:
        _tap(state, event, now, out)
    elif kind == events.TAG_STATUS:
        _status(state, event, now)
    elif kind == events.READER:
        state.reader_missing = 0 if event[1] else 1
    elif kind == events.REMOTE_START:
        _remote_start(state, event, now, out)
    elif kind == events.REMOTE_STOP:
        if may_stop(state, event[1]):
            state.session_stop = decisions.REASON_REMOTE + 1
    elif kind == events.PILOT and event[1] == events.A and state.session_phase:
        state.grant = NOBODY  # unplugging locks again
    if decommissioning(state):
        _deauthorise(state)
    _switch(state, now, out)
    if state.grant and now >= state.grant_due:
        state.grant = NOBODY


def may_start(state) -> bool:
    """Whether a remote start would be taken, its tag apart."""
    return state.session_phase != OPEN and state.session_phase != ENDING and state.refusals == 0


def listed(state, status: int, kind: int, expires_utc_s: int, now: int) -> int:
    """A tag's status, as the list has it, with its date and its kind heeded."""
    if status != ACCEPTED:
        return min(status, CONCURRENT)
    if _expired(state, expires_utc_s, now):
        return EXPIRED
    return INVALID if kind == PAY_PER_USE and state.mode == FREE else ACCEPTED


def may_stop(state, session: int) -> bool:
    """Whether a remote stop means the session that runs; 0 means any."""
    return state.session_phase == OPEN and session in (0, state.session)


def authorised(state) -> bool:
    """Whether the plugged car may begin a session now."""
    return state.grant != NOBODY or state.mode == FREE


def _mode(state, event, out: list) -> None:
    state.mode_next = event[1]
    state.mode_from_utc_s = event[2]
    if event[2] == 0:
        state.mode = event[1]
    out.append((decisions.MODE, event[1], event[2]))


def _switch(state, now: int, out: list) -> None:
    """A mode takes effect by a clock that is known; also late, and then for what began since."""
    if state.mode_from_utc_s and clock.valid(state):
        from_utc_s = state.mode_from_utc_s
        if clock.utc_s(state, now) < from_utc_s:
            return
        state.mode = state.mode_next
        state.mode_from_utc_s = 0
        out.append((decisions.MODE, state.mode, 0))
        late = state.session_quality >= events.RELATIVE and state.session_utc_s >= from_utc_s
        if late and state.mode == REQUIRED and state.session_authority == ANYBODY:
            _deauthorise(state)


def _deauthorise(state) -> None:
    if state.session_phase == OPEN:
        state.session_stop = decisions.REASON_DEAUTHORIZED + 1


def _tap(state, event, now: int, out: list) -> None:
    tag_a, tag_b = _halves(event[8])
    again = tag_a == state.tap_a and tag_b == state.tap_b and now < state.tap_at + DEAD_MS
    state.tap_a, state.tap_b, state.tap_at = tag_a, tag_b, now
    if again:
        return
    verdict, reason = _verdict(state, event, now)
    action = 0
    if verdict == ACCEPTED:
        verdict, reason, action = _act(state, event, tag_a, tag_b, now)
    if not action and _too_many(state, now):
        if state.refused_taps > _REFUSED_MOST + 1:
            return
        reason = _TOO_MANY
    _tell(state, verdict, reason, action, event[7], event[8], out)


def _tell(state, verdict: int, reason: int, action: int, version: int, tag, out: list) -> None:
    online = 1 if state.link == _DELIVERED else 0
    out.append((decisions.TAG, verdict, reason, action, online, version, tag))


def _remote_start(state, event, now: int, out: list) -> None:
    if event[1] != ACCEPTED:
        _tell(state, min(event[1], CONCURRENT), _BY_LIST, 0, 0, event[4], out)
    elif may_start(state):
        _grant(state, BY_OPERATOR, event[2], event[3], event[4], now)


def _verdict(state, event, now: int) -> tuple:
    """By the list, by the clock if it is known, by the tag's counter. Blocking comes first."""
    status = event[1]
    if status == BLOCKED:
        return BLOCKED, _BLOCKED
    if event[6]:
        return INVALID, _COPIED
    if status > CONCURRENT:
        status = INVALID
    if status != ACCEPTED:
        return status, _EXPIRED if status == EXPIRED else _UNKNOWN
    if _charges(state, event[8]):
        return ACCEPTED, 0  # whatever has changed since: it may stop what it has started
    if _expired(state, event[5], now):
        return EXPIRED, _EXPIRED
    if event[2] == PAY_PER_USE and state.mode == FREE:
        return INVALID, _READER_OFF
    return ACCEPTED, 0


def _charges(state, tag) -> bool:
    tag_a, tag_b = _halves(tag)
    same = tag_a == state.session_tag_a and tag_b == state.session_tag_b
    return state.session_phase == OPEN and same


def _expired(state, expires_utc_s: int, now: int) -> bool:
    """By a clock that is known alone; 0 is never."""
    return expires_utc_s > 0 and clock.valid(state) and clock.utc_s(state, now) >= expires_utc_s


def _too_many(state, now: int) -> bool:
    if not state.refused_taps:
        state.refused_at = now
    state.refused_taps = min(state.refused_taps + 1, 255)
    return state.refused_taps > _REFUSED_MOST


def _minute_over(state, out: list) -> None:
    """Of the taps that were not told one by one, the number."""
    if state.refused_taps > _REFUSED_MOST + 1:
        count = state.refused_taps - _REFUSED_MOST - 1
        out.append((decisions.SECURITY, commands.REFUSED_TAPS, 0, count))
    state.refused_taps = 0


def _act(state, event, tag_a: int, tag_b: int, now: int) -> tuple:
    """(verdict, reason, action) of an accepted tag."""
    if state.session_phase == ENDING:
        return CONCURRENT, _ENDING, 0
    if state.session_phase == OPEN:
        same = tag_a == state.session_tag_a and tag_b == state.session_tag_b
        related = event[3] != 0 and event[3] == state.session_subscription
        if not same and not related and state.session_authority != ANYBODY:
            return CONCURRENT, _OTHER, 0
        state.session_stop = decisions.REASON_LOCAL + 1
        return ACCEPTED, 0, STOP
    if state.refusals:
        return ACCEPTED, _REFUSED, 0
    _grant(state, BY_TAG, event[3], event[4], event[8], now)
    plugged = state.session_phase == PENDING or state.session_phase == OVER
    return ACCEPTED, 0, _START if plugged else _WAIT


def _grant(state, authority: int, subscription: int, limit_ma: int, tag, now: int) -> None:
    state.grant = authority
    state.grant_subscription = subscription
    state.grant_limit_ma = limit_ma
    state.grant_tag_a, state.grant_tag_b = _halves(tag)
    state.grant_due = now + CONNECTION_MS


def _status(state, event, now: int) -> None:
    """The list has changed: a running session, or a waiting grant, of that tag heeds it."""
    if len(event[4]) != 8:
        return
    tag_a, tag_b = _halves(event[4])
    refused = event[1] != ACCEPTED or _expired(state, event[3], now)
    if tag_a == state.grant_tag_a and tag_b == state.grant_tag_b:
        if event[1] == BLOCKED or refused and state.grant == BY_TAG:
            state.grant = NOBODY
    if tag_a != state.session_tag_a or tag_b != state.session_tag_b:
        return
    if event[1] == BLOCKED or refused and state.session_authority == BY_TAG:
        _deauthorise(state)
    elif state.session_authority == BY_TAG and state.session_phase == OPEN:
        state.session_limit_ma = event[2]


def _halves(tag) -> tuple:
    """A hash of 8 bytes as two numbers, 0, 0 for none."""
    if len(tag) != 8:
        return 0, 0
    a = b = 0
    for index in range(4):
        a |= tag[index] << (8 * index)
        b |= tag[4 + index] << (8 * index)
    return a, b


def tag(tag_a: int, tag_b: int) -> bytes:
    """The hash from its halves, b"" for none."""
    if not tag_a and not tag_b:
        return b""
    return bytes(
        [tag_a >> (8 * index) & 0xFF for index in range(4)]
        + [tag_b >> (8 * index) & 0xFF for index in range(4)]
    )


def due(state) -> int:
    at = state.grant_due if state.grant else NEVER
    if state.mode_from_utc_s and clock.valid(state):
        at = min(at, clock.when(state, state.mode_from_utc_s))
    if state.refused_taps > _REFUSED_MOST + 1:
        at = min(at, state.refused_at + _REFUSED_MS)
    return at
