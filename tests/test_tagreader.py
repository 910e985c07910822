"""Who is at the reader: appearing, staying, leaving; and a reader that fails and comes back."""

from __future__ import annotations

import pytest
from wallbox.drivers import tagreader
from wallbox.drivers.tagreader import GONE, TAG

from hw.sim.tagcards import Card
from tests.tagline import Line

FIRST, SECOND = b"\x04abcdef", b"\x88xyz"


def test_an_empty_poll_needs_two_calls_and_at_most_twelve_accesses():
    line = Line().ready()
    before, calls = line.chip.accesses, 0
    end = line.now + 60_000
    while line.now < end:
        line.step()
        calls += 1
    polls = 600
    assert (line.chip.accesses - before) / polls <= 9  # a look at the chip's health included
    assert calls <= 2 * polls + 2


def test_one_call_never_takes_long():
    line = Line().ready()
    line.hold(Card(FIRST, counter=7))
    most = 0
    for _ in range(500):
        before = line.chip.accesses
        line.step()
        most = max(most, line.chip.accesses - before)
    assert most <= 40  # an answer read, the next frame sent


def test_a_tag_that_stays_is_told_once():
    line = Line().ready()
    line.read(Card(FIRST, counter=7))
    assert line.run(60_000) == []
    line.chip.clear()
    assert line.run(1_000) == [GONE]


@pytest.mark.parametrize(("away_ms", "told"), [(100, []), (350, []), (700, [GONE, TAG])])
def test_only_a_tag_that_was_away_for_long_is_told_again(away_ms, told):
    line = Line().ready()
    card = Card(FIRST)
    line.read(card)
    line.run(250)
    line.chip.clear()
    codes = line.run(away_ms)
    line.hold(card)
    assert codes + line.run(2_000) == told


def test_another_tag_is_told_at_once():
    line = Line().ready()
    line.read(Card(FIRST))
    line.run(1_000)
    line.hold(Card(SECOND))
    line.until(TAG, 400)
    assert line.uid == SECOND
    line.hold(Card(FIRST[:6] + b"F"))
    line.until(TAG, 400)
    assert line.uid == FIRST[:6] + b"F"


def test_a_tag_stays_when_another_comes_and_goes():
    line = Line().ready()
    first, second = Card(FIRST, counter=7), Card(SECOND)
    line.read(first)
    line.chip.put(second)
    assert line.run(3_000) == []
    line.hold(first)
    assert line.run(3_000) == []


def test_between_two_reports_a_tag_has_always_counted():
    """Also one that never left the field, while another was told."""
    line = Line().ready()
    first, second = Card(FIRST, counter=7), Card(b"\x04uvwxyz", counter=100)
    line.read(first)
    assert line.reader.counter == 8
    seen = {first.uid: 8, second.uid: 100}
    for turn in range(10):
        # only one of both is heard, the other keeps its power
        line.chip.cards[:] = [second if turn % 2 == 0 else first]
        line.until(TAG)
        assert line.reader.counter == seen[line.uid] + 1
        seen[line.uid] += 1


def test_no_reader_is_known_soon_and_looked_for_in_vain_ever_more_rarely():
    line = Line()
    line.chip.unplug()
    line.run(1_000)
    assert line.reader.works == 0
    before = line.chip.accesses
    line.run(3_600_000)
    assert line.chip.accesses - before <= 3 * 70


@pytest.mark.parametrize("level", [0, 1])
def test_a_reader_that_is_unplugged_is_told_and_comes_back(level):
    line = Line().ready()
    line.chip.unplug(level)
    line.run(400)
    assert line.reader.works == 0
    line.run(5_000)
    line.chip.plug()
    line.run(8_100)
    assert line.reader.works == 1
    assert line.read(Card(FIRST)) == FIRST


def test_a_reader_that_hangs_is_reset():
    line = Line().ready()
    line.chip.hang()
    line.run(400)
    assert line.reader.works == 0
    line.run(1_200)
    assert line.reader.works == 1
    assert line.read(Card(FIRST)) == FIRST


def test_a_reader_that_always_hangs_is_not_called_working():
    line = Line()
    works = set()
    for _ in range(3_000):
        line.chip.hang()
        line.step()
        works.add(line.reader.works)
    assert works == {-1, 0}


def test_a_reader_that_lost_its_supply_for_a_moment_is_set_up_again():
    line = Line().ready()
    line.chip.plug()  # all registers are as after a reset
    line.run(1_600)
    assert line.reader.works == 1
    assert line.read(Card(FIRST)) == FIRST


def test_a_field_that_went_off_by_itself_is_noticed():
    line = Line().ready()
    line.chip.write(0x14, 0x80)
    line.run(tagreader.POLL_MS * 64 + 1_200)
    assert line.chip.field


def test_a_tag_that_lies_on_a_failing_reader_is_not_told_again():
    line = Line().ready()
    line.read(Card(FIRST, counter=7))
    for _ in range(3):
        line.chip.hang()
        assert line.run(10_000) == []
        assert line.reader.works == 1


def test_a_loop_that_was_late_loses_nothing():
    line = Line().ready()
    line.hold(Card(FIRST, counter=7))
    for _ in range(40):
        line.us += 400_000
        if line.reader.service(line.now) == TAG:
            break
    assert line.uid == FIRST
    assert line.reader.works == 1
