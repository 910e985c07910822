"""Logins at the service console: each is known, and a storm of them fills no ledger."""

from wallbox.core import decisions, engine, events
from wallbox.core.rules import maintenance

HOUR_MS = 3_600_000
FAILED = (decisions.SECURITY, maintenance.LOGIN_FAILED, maintenance.WRONG_ANSWER, 1)


def login(state, accepted: int, now: int, count: int = 1) -> list:
    out = engine.step(state, [events.LOGIN, accepted, count], now)
    return [one for one in out if one[0] == decisions.SECURITY]


def test_every_login_is_a_fact():
    state = engine.State()
    for second in range(30):
        out = login(state, 1, second * 1000)
        assert out == [(decisions.SECURITY, maintenance.LOGIN_ACCEPTED, 0, 1)]


def test_of_failed_ones_the_first_of_an_hour_are_facts_and_the_others_are_counted():
    state = engine.State()
    facts = []
    for second in range(3600):
        facts += login(state, 0, 10_000 + second * 1000)
    assert facts == [FAILED] * maintenance.MOST
    assert state.due == 10_000 + HOUR_MS
    out = engine.step(state, [events.TICK], state.due)
    assert FAILED[:3] + (3600 - maintenance.MOST,) in out
    out = engine.step(state, [events.TICK], state.due + 2 * HOUR_MS)
    assert not [one for one in out if one[0] == decisions.SECURITY]


def test_a_right_one_is_told_amid_a_storm_of_wrong_ones():
    state = engine.State()
    for second in range(100):
        login(state, 0, second * 1000)
    assert login(state, 1, 100_000)[0][1] == maintenance.LOGIN_ACCEPTED


def test_what_was_counted_while_no_agent_ran_is_told_at_once():
    assert login(engine.State(), 0, 0, count=5) == [FAILED[:3] + (5,)]


def test_each_attempt_of_a_stranger_is_a_fact_of_its_own():
    """At every moment that docs/console.md leaves: none is only counted, which a cut would hide."""
    state, now, told, tried = engine.State(), 0, 0, 0
    waits_s = [0, 0, 0, 10, 30, 60, 120, 240, 480, 960, 1920, *[3600] * 60]
    for wait_s in waits_s:
        now += wait_s * 1000
        tried += 1
        told += len(login(state, 0, now))
        assert told == tried and not state.login_count
