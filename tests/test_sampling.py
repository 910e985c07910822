"""Which readings the core sees, and that nothing is forgotten when the inbox is full."""

import pytest
from wallbox import sampling
from wallbox.core import events
from wallbox.inbox import Inbox

from tests.meterline import Line


class Feed:
    """Sampling on a simulated line; `seen` are the events that came, as (ms, kind)."""

    def __init__(self) -> None:
        self.line = Line("sdm630")
        self.line.load(3000, 3000, 3000)
        self.inbox = Inbox()
        self.charging = False
        self.meter = self.line.driver("sdm630")
        self.sampling = sampling.Sampling(self.meter, self.inbox, lambda: self.charging)
        self.seen: list[tuple[int, int]] = []

    def run(self, seconds: int, taking: bool = True) -> None:
        until = self.line.now + seconds * 1000
        while self.line.now < until:
            self.sampling.service(self.line.now)
            while taking and self.inbox.take():
                self.seen.append((self.line.now, self.inbox.take()[0]))
                self.inbox.release()
            self.line.now = max(self.line.now + 1, min(self.meter.due, until))

    def kinds(self) -> list[int]:
        return [kind for _, kind in self.seen]

    def gaps_s(self) -> set[int]:
        """Distances between readings, in whole seconds."""
        times = [at for at, kind in self.seen if kind == events.METER_READING]
        return {round((b - a) / 1000) for a, b in zip(times, times[1:], strict=False)}


@pytest.fixture
def feed():
    return Feed()


def test_identity_comes_first_then_a_reading_in_each_minute(feed):
    feed.run(200)
    assert feed.kinds()[:2] == [events.METER_IDENTITY, events.METER_READING]
    assert feed.gaps_s() == {59}


def test_never_ten_seconds_without_one_while_charging(feed):
    feed.charging = True
    feed.run(60)
    assert feed.gaps_s() == {9}


def test_at_once_when_it_is_wanted_or_the_current_moves(feed):
    feed.run(30)
    before = len(feed.seen)
    feed.sampling.want(feed.line.now)
    feed.run(1)
    assert len(feed.seen) == before + 1
    feed.line.load(0, 0, 0)
    feed.run(3)
    assert len(feed.seen) == before + 2


def test_silence_is_told_once_and_the_first_reading_after_it_at_once(feed, capsys):
    feed.run(10)
    feed.line.answer = lambda request, honest: b""
    feed.run(60)
    assert feed.kinds().count(events.METER_SILENT) == 1
    assert capsys.readouterr().out.count("\n") == 1
    feed.line.answer = None
    feed.run(20)
    assert feed.kinds()[-2:] == [events.METER_IDENTITY, events.METER_READING]


def test_what_found_the_inbox_full_is_offered_again(feed):
    while feed.inbox.claim(events.TICK):
        feed.inbox.commit()
    feed.run(5, taking=False)
    feed.line.answer = lambda request, honest: b""
    feed.run(20, taking=False)
    while feed.inbox.take():
        feed.inbox.release()
    feed.run(20)
    assert events.METER_IDENTITY in feed.kinds() and events.METER_SILENT in feed.kinds()
