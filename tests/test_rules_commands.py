"""Commands: each once, in its time; what is refused leaves a trace and fills no ledger."""

from hypothesis import given
from hypothesis import strategies as st
from wallbox.core import decisions, engine, events
from wallbox.core.rules import commands

UTC_S = 1_800_000_000
LIMIT = 6
STATUS = commands.LIGHT
WRONG_MAC = 4
HOUR_MS = 3_600_000


def box(clock: bool = True) -> engine.State:
    state = engine.State()
    engine.step(state, [events.BOOT, 1, 5, 0, 0, 0, 0, b"1"], 0)
    if clock:
        engine.step(state, [events.CLOCK, UTC_S * 1000, 3], 0)
    return state


def command(state, counter: int, now: int = 1000, verb: int = LIMIT, at_s: int = UTC_S):
    """(what became of it, the facts)."""
    event = [events.COMMAND, counter, at_s - 60, at_s + 60, verb]
    facts = [one for one in engine.step(state, event, now) if one[0] < decisions.LEVELS]
    return state.command_answer, facts


def refuse(state, now: int, count: int = 1) -> list:
    event = [events.MESSAGE_REFUSED, WRONG_MAC, count]
    return [one for one in engine.step(state, event, now) if one[0] == decisions.SECURITY]


def test_a_command_is_taken_once_and_is_a_fact():
    state = box()
    assert command(state, 7) == (commands.TAKEN, [(decisions.COMMAND, 7, LIMIT)])
    answer, facts = command(state, 7)
    assert answer == commands.REPLAYED
    assert facts == [(decisions.SECURITY, commands.REPLAY_ATTACKS, 0, 1)]
    assert command(state, 6)[0] == commands.REPLAYED
    assert command(state, 8)[0] == commands.TAKEN


def test_a_command_outside_its_time_has_no_effect_and_does_not_use_up_its_counter():
    state = box()
    for at_s in (UTC_S - 61, UTC_S + 62):
        answer, facts = command(state, 7, at_s=at_s)
        assert answer == commands.STALE
        assert facts == [(decisions.SECURITY, commands.INVALID_MESSAGES, commands.OUT_OF_TIME, 1)]
    assert command(state, 7)[0] == commands.TAKEN


def test_without_a_clock_the_counter_alone_guards():
    state = box(clock=False)
    assert command(state, 7, at_s=5)[0] == commands.TAKEN
    assert command(state, 7, at_s=5)[0] == commands.REPLAYED


def test_the_counter_outlives_a_power_cut():
    state = box()
    _, facts = command(state, 4_000_000_000)
    for again in (facts, [(decisions.STATE, _snapshot(state))]):
        after = engine.State()
        for fact in again:
            engine.recall(after, fact, UTC_S, 3)
        assert command(after, 4_000_000_000)[0] == commands.REPLAYED


def _snapshot(state) -> bytes:
    buf = bytearray(engine.SNAPSHOT_SIZE)
    return bytes(buf[: engine.snapshot(state, buf)])


def test_what_changes_nothing_leaves_no_fact_but_uses_its_counter():
    state = box()
    assert command(state, 7, verb=STATUS) == (commands.TAKEN, [])
    assert command(state, 7, verb=STATUS)[0] == commands.REPLAYED


def test_a_flood_of_refused_messages_is_three_facts_an_hour():
    state = box()
    facts = []
    for second in range(3600):
        facts += refuse(state, 10_000 + second * 1000)
    assert facts == [(decisions.SECURITY, commands.INVALID_MESSAGES, WRONG_MAC, 1)] * 2
    assert state.due == 10_000 + HOUR_MS
    out = engine.step(state, [events.TICK], state.due)
    assert (decisions.SECURITY, commands.INVALID_MESSAGES, WRONG_MAC, 3598) in out
    # a quiet hour says nothing more
    out = engine.step(state, [events.TICK], state.due + 2 * HOUR_MS)
    assert not [one for one in out if one[0] == decisions.SECURITY]


@given(st.lists(st.integers(1, 600), max_size=300), st.integers(1, 500))
def test_every_refusal_is_counted_whenever_it_came(gaps_s, count):
    state = box()
    now, facts = 1000, []
    for gap_s in gaps_s:
        now += gap_s * 1000
        facts += refuse(state, now, count)
    for _ in range(2):
        now += HOUR_MS
        out = engine.step(state, [events.TICK], now)
        facts += [one for one in out if one[0] == decisions.SECURITY]
    assert sum(fact[3] for fact in facts) == min(len(gaps_s) * count, sum(f[3] for f in facts))
    if len(gaps_s) * count < 0xFFFF:
        assert sum(fact[3] for fact in facts) == len(gaps_s) * count
    hours = now // HOUR_MS + 1
    assert len(facts) <= hours * (commands.MOST + 1)


def test_a_broker_that_cannot_be_trusted_is_a_fact():
    out = engine.step(box(), [events.LINK, 7], 1000)
    assert (decisions.SECURITY, commands.INVALID_CERTIFICATE, 0, 1) in out
