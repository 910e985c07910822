"""Whatever happens, in whatever order: what the rules promise holds after every single step.

Who does the steps: a seeded walker (tests/lane.py, which both interpreters also play) 200,000 in
eight stories and 24,000 in two wild ones; they find what needs a long story. Hypothesis does less
than 10,000, in 200 short stories of some fifty steps; it finds what is near a boot, and shrinks it.
"""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wallbox.core import decisions, engine, events, fields, leases
from wallbox.core import state as memory

from host.years.on_box.rules_model import DENIALS, Model
from tests.lane import Lane, Random

STEPS = 25_000  # of each of the eight stories
WILD_STEPS = 12_000
SELDOM = {"the pilot", "configuration", "a foreign chip"}  # the second and third are wild
RARE = {"STATE", "WATERMARK", "PLACE", "METER_ROLLOVER"}  # the store's own, and what is seldom
LASTING = fields.names(memory.LASTING)
# what the ledger does not tell to the letter: a limit that the tag's list changed in mid-session,
# flags that are told at the next step, a mode by configuration alone, a phase that no fact has
UNTOLD = {"session_limit_ma", "session_flags", "mode", "session_phase", "session_utc_s"}
UNTOLD |= {
    "command_counter",  # of what changes nothing that lasts
    "session_quality",
    "absent",
    "meter_next",
    "accounted_utc_s",
    "accounted_quality",
    "gap_cause",
}


class Watched(Lane):
    """A lane with an onlooker who objects."""

    def __init__(self, random, wildness=200):
        super().__init__(random, wildness)
        self.model = Model()
        self.steps = self.idle = self.cuts = self.closings = 0

    def take(self):
        model, state, now = self.model, self.state, self.now
        events.pack_into(self.packed, 0, self.event)
        model.event(self.event, state, now)
        out = list(engine.step(state, self.event, now))
        for decision in out:
            if decision[0] < decisions.LEVELS:
                self.fact(decision)
                model.fact(decision, now)
        model.check(state, self.event, out, now)
        self.steps += 1
        self.closings += (decisions.CONTACTOR, 1) in out
        if self.steps % 16 == 0:
            engine.pack(state, self.packed)
        self._is_not_busy(out)

    def _is_not_busy(self, out):
        """A TICK that is due at once and then changes nothing would come for ever."""
        idle = self.event[0] == events.TICK and not out and self.state.due <= self.now
        self.idle = self.idle + 1 if idle else 0
        assert self.idle < 2, "a TICK without end"
        if self.state.due <= self.now and self.idle == 1:
            self.send(events.TICK)

    def note(self, length):
        pass  # no digest

    def forget(self):
        before = self.state
        super().forget()
        self.cuts += 1
        self.model.power_off()
        state = self.state
        for name in LASTING:
            if name not in UNTOLD:
                assert getattr(state, name) == getattr(before, name), name
        assert (state.session_phase in (2, 3)) == (self.model.session is not None)
        assert (state.session_phase == 3) == self.model.stopped
        assert sorted(slots(state)) == sorted(slots(before))


def slots(state):
    at = range(0, len(state.leases), leases.SIZE)
    return [bytes(state.leases[slot : slot + leases.SIZE]) for slot in at]


@pytest.mark.parametrize("story", range(8))
def test_the_rules_hold_in_any_order_of_events(seed, story):
    lane = Watched(Random(seed + story))
    lane.boot(1)
    while lane.steps < STEPS:
        lane.step()
    assert lane.cuts > STEPS // 2000 and lane.closings > STEPS // 250, "a story worth telling"
    unmet = set(DENIALS) - lane.model.met
    assert len(unmet - SELDOM) <= 1, unmet  # each comes about six times a story
    never = [fact[0] for kind, fact in decisions.facts().items() if kind not in lane.model.counts]
    assert not set(never) - RARE, never


@pytest.mark.parametrize("story", range(2))
def test_no_event_in_no_state_is_without_an_answer(seed, story):
    """Each third event has any kind, and anything that its fields can hold."""
    lane = Watched(Random(seed + story), wildness=3)
    lane.boot(1)
    while lane.steps < WILD_STEPS:
        lane.step()
    assert len(lane.model.counts) > 18


class Drawn:
    """Random numbers that hypothesis draws, and shrinks."""

    def __init__(self, numbers):
        self.numbers = numbers
        self.at = 0

    def below(self, limit):
        if self.at == len(self.numbers):
            raise StopIteration
        self.at += 1
        return self.numbers[self.at - 1] % limit

    def one_in(self, chances):
        return self.below(chances) == chances - 1


@settings(max_examples=200, deadline=None)
@given(st.lists(st.integers(0, 999), min_size=200, max_size=400), st.sampled_from([5, 40]))
def test_the_rules_hold_in_short_stories_that_shrink(numbers, wildness):
    lane = Watched(Drawn(numbers), wildness)
    try:
        lane.boot(1)
        while True:
            lane.step()
    except StopIteration:
        assert lane.steps > 10, "a story that ends before it has begun"
