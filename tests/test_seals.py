"""Seal loops: spikes, bounces, lost interrupts, latches; an interrupt opens the contactor."""

import pytest
from wallbox import senses
from wallbox.core import events
from wallbox.drivers import seals
from wallbox.drivers.contactor import Contactor
from wallbox.drivers.seals import Seals
from wallbox.inbox import Inbox

LID, COVER = 1, 2


class Pin:
    """A pin in the test's hands; `set` calls the interrupt's handler as the edge asks for."""

    IRQ_RISING, IRQ_FALLING = 1, 2

    def __init__(self, level: int = 0) -> None:
        self.level = level
        self.handler = None
        self.trigger = 0
        self.pulses = 0
        self.masked = False  # interrupts are lost
        self.levels: list[int] = []  # what the next readings see instead
        self.before_write = self.on_write = lambda: None

    def irq(self, handler, trigger: int) -> None:
        self.handler, self.trigger = handler, trigger

    def value(self, level: int | None = None) -> int:
        if level is not None:
            self.before_write()
            self.pulses += level
            self.level = level
            self.on_write()
        return self.levels.pop(0) if self.levels else self.level

    def set(self, level: int, *readings: int) -> None:
        """An edge to `level`; its first readings see `readings`."""
        rises = level > self.level
        self.level = level
        self.levels = list(readings)
        if self.handler and not self.masked and self.trigger == (1 if rises else 2):
            self.handler(self)


class Loops:
    def __init__(self, monkeypatch, latches: tuple[int, int] = (0, 0)) -> None:
        self.slept_us = 0
        monkeypatch.setattr(seals.time, "sleep_us", self.sleep, raising=False)
        self.lid, self.cover = Pin(), Pin()
        self.reset = Pin()
        self.latches = tuple(Pin(level) for level in latches)
        self.seals = Seals((self.lid, self.cover), self.latches, self.reset, closed_level=0)
        self.openings = 0
        self.seals.watch(self.opened)
        self.seals.news = False
        self.now = 0

    def sleep(self, us: int) -> None:
        self.slept_us += us

    def opened(self) -> None:
        self.openings += 1

    def later(self, ms: int) -> None:
        """Level polls every 20 ms."""
        for _ in range(ms // 20):
            self.now += 20
            self.seals.service(self.now)


@pytest.fixture
def loops(monkeypatch):
    return Loops(monkeypatch)


def test_an_opening_is_told_by_its_interrupt_within_half_a_millisecond(loops):
    loops.lid.set(1)
    assert loops.openings == 1 and loops.seals.open == LID and loops.seals.news
    assert loops.slept_us < 500


def test_a_spike_opens_nothing_and_is_counted(loops):
    loops.lid.set(1, 1, 1, 0)  # closed again at the third reading
    loops.lid.level = 0
    assert loops.openings == 0 and loops.seals.open == 0 and loops.seals.spikes == 1
    loops.later(200)
    assert loops.openings == 0 and not loops.seals.news


def test_a_lost_interrupt_is_found_by_the_next_level_poll(loops):
    loops.cover.masked = True
    loops.cover.set(1)
    assert loops.openings == 0
    loops.later(20)
    assert loops.openings == 1 and loops.seals.open == COVER


def test_a_closing_counts_after_a_tenth_of_a_second_of_rest(loops):
    loops.lid.set(1)
    loops.later(100)
    loops.seals.news = False
    for _ in range(3):  # it bounces: 60 ms closed, then open again
        loops.lid.set(0)
        loops.later(60)
        assert loops.seals.open == LID
        loops.lid.set(1)
        loops.later(20)
    assert not loops.seals.news and loops.openings == 1
    loops.lid.set(0)
    loops.later(80)
    assert loops.seals.open == LID
    loops.later(40)
    assert loops.seals.open == 0 and loops.seals.news


def test_both_loops_at_once_and_one_after_the_other(loops):
    loops.lid.set(1)
    loops.cover.set(1)
    assert loops.seals.open == LID | COVER
    loops.lid.set(0)
    loops.later(140)
    assert loops.seals.open == COVER


def test_what_is_open_at_the_start_is_known_before_anybody_watches(monkeypatch):
    monkeypatch.setattr(seals.time, "sleep_us", lambda us: None, raising=False)
    found = Seals((Pin(1), Pin(0)), (Pin(1), Pin(1)), Pin(), closed_level=0)
    assert found.open == LID and found.latched == LID | COVER


def test_loops_that_are_closed_when_high(monkeypatch):
    monkeypatch.setattr(seals.time, "sleep_us", lambda us: None, raising=False)
    lid, cover = Pin(1), Pin(1)
    found = Seals((lid, cover), (Pin(), Pin()), Pin(), closed_level=1)
    found.watch(lambda: None)
    assert found.open == 0
    lid.set(0)
    assert found.open == LID


def test_the_latches_are_reset_by_a_pulse(monkeypatch):
    loops = Loops(monkeypatch, latches=(1, 0))
    assert loops.seals.latched == LID
    loops.seals.reset()
    assert (loops.reset.pulses, loops.reset.level, loops.seals.latched) == (1, 0, 0)


class Agent:
    """Hears the events that go past the inbox; `taking` happens while it does."""

    def __init__(self) -> None:
        self.events: list[list] = []
        self.taking = lambda: None

    def take(self, event, now) -> None:
        self.events.append(list(event[:3]))
        self.taking()


class Still:
    """The drivers that have nothing to say."""

    quality = letter = looked = due = 0


@pytest.fixture
def box(loops):
    """Loops, contactor and senses as in the box; `stops` is the policy."""
    loops.coil = Pin()
    loops.contactor = Contactor(loops.coil, Pin(1), 0)
    loops.senses = senses.Senses(
        Inbox(), loops.contactor, Still(), loops.seals, Still(), Still()
    )
    loops.agent = Agent()
    loops.stops = True
    loops.senses.watch_seals(lambda: loops.stops)
    loops.contactor.set(1)
    return loops


def test_the_interrupt_opens_the_contactor_before_anybody_hears_of_it(box):
    box.lid.set(1)
    assert box.coil.level == 0 and not box.agent.events
    pulses = box.coil.pulses
    box.contactor.set(1)  # a step that was under way grants what it had decided before
    assert box.coil.level == 0 and box.coil.pulses == pulses
    box.contactor.set(0)
    box.senses.tell_seals(box.agent, 0)
    assert box.agent.events == [[events.SEAL, LID, 0]]
    assert box.coil.level == 0


@pytest.mark.parametrize("moment", ["before_write", "on_write"])
def test_between_two_instructions_of_a_grant_too(box, moment):
    def open_lid() -> None:
        setattr(box.coil, moment, lambda: None)
        box.lid.set(1)

    box.contactor.set(0)
    setattr(box.coil, moment, open_lid)
    box.contactor.set(1)
    assert box.coil.level == 0


def test_between_the_last_look_and_the_release_too(box):
    release = box.contactor.release

    def opened_just_before() -> None:
        box.cover.set(1)
        release()

    box.contactor.release = opened_just_before
    box.lid.set(1)
    box.senses.tell_seals(box.agent, 0)
    assert box.coil.level == 0 and box.seals.news, "and it is told at the next turn"


def test_where_the_policy_is_another_the_core_alone_decides(box):
    box.stops = False
    box.lid.set(1)
    assert box.coil.level == 1
    box.senses.tell_seals(box.agent, 0)
    assert box.coil.level == 1 and len(box.agent.events) == 1


def test_once_the_core_has_heard_its_command_counts_again(box):
    box.lid.set(1)
    assert box.coil.level == 0
    box.senses.tell_seals(box.agent, 0)  # and leaves it closed: the box was not in service
    assert box.coil.level == 1


def test_an_opening_while_the_core_hears_of_another_is_not_lost(box):
    box.agent.taking = lambda: box.cover.set(1) if len(box.agent.events) == 1 else None
    box.lid.set(1)
    box.senses.tell_seals(box.agent, 0)
    assert [event[1] for event in box.agent.events] == [LID, LID | COVER]
    box.coil.on_write = lambda: box.lid.set(1) if box.coil.level else None
    box.lid.level = 0
    box.later(120)
    box.senses.tell_seals(box.agent, 0)
    assert box.coil.level == 0 and box.seals.news, "opened at the moment of the release"
