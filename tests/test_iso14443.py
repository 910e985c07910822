"""One tag among UIDs of every length, noise, refusals, and tags in twos."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from wallbox.drivers import iso14443, tagreader

from hw.sim.tagcards import Card
from tests.tagline import Line

UIDS = st.one_of(*[st.binary(min_size=n, max_size=n) for n in (4, 7, 10)])


@pytest.mark.parametrize(
    "uid",
    [
        b"\x11abc",
        b"\x88abc",  # four bytes; the first is what elsewhere says that more follows
        b"\x04abcdef",
        b"\x88\x88\x88\x88\x88\x88\x88",
        b"\x04abcdefghi",
        bytes(10),
    ],
)
def test_uids_of_every_length(uid):
    assert Line().ready().read(Card(uid)) == uid


@settings(max_examples=40)
@given(uids=st.lists(UIDS, min_size=1, max_size=4))
def test_any_uid_is_read_right(uids):
    line = Line().ready()
    for uid in uids:
        assert line.read(Card(uid)) == uid
        line.leave()


def test_the_counter_of_an_ntag_has_counted_this_very_read():
    line = Line().ready()
    card = Card(b"\x04abcdef", counter=41)
    for expected in (42, 43, 44):
        line.read(card)
        assert line.reader.counter == expected == card.counter
        line.leave()


@pytest.mark.parametrize("card", [Card(b"abcd"), Card(b"\x04abcdef"), Card(b"\x04abcdefghi")])
def test_tags_without_a_counter_are_told_without_one(card):
    line = Line().ready()
    line.read(card)
    assert line.reader.counter == iso14443.NO_COUNTER


def test_a_counter_that_does_not_count_is_told_as_it_is():
    line = Line().ready()
    line.read(Card(b"\x04abcdef", counter=0, counts=False))
    assert line.reader.counter == 0


@pytest.mark.parametrize(("deaf", "counter"), [(1, 8), (2, 8), (7, 8), (8, -1), (50, -1)])
def test_a_tag_that_does_not_hear_the_command_is_asked_again(deaf, counter):
    line = Line().ready()
    card = Card(b"\x04abcdef", counter=7)
    card.deaf = deaf
    began_us = line.us
    assert line.read(card) == card.uid
    assert line.reader.counter == counter
    assert line.us - began_us <= 600_000


def test_a_tag_that_leaves_before_its_counter_was_read_is_not_told():
    """Else it would look like a copy without a counter."""
    line = Line().ready()
    card = Card(b"\x04abcdef", counter=7)
    card.deaf = 1
    line.hold(card)
    while card.deaf:
        line.step()
    line.chip.clear()
    assert line.run(1_000) == []


@pytest.mark.parametrize("byte", range(5))
@pytest.mark.parametrize("mask", [0x01, 0x03, 0x80])
@pytest.mark.parametrize("after", range(7))
def test_noise_in_any_answer_never_makes_another_uid(after, byte, mask):
    line = Line().ready()
    card = Card(b"\x04abcdef", counter=7)
    line.hold(card)
    heard = line.chip.air_us
    for _ in range(after):
        while line.chip.air_us == heard:
            line.step()
        heard = line.chip.air_us
    line.chip.spoil(1, byte, mask)
    line.until(tagreader.TAG, 300)
    assert line.uid == card.uid
    assert line.reader.counter == card.counter == 8


def test_noise_for_ever_is_no_tag_and_takes_a_bounded_time():
    line = Line().ready()
    line.chip.spoil(1_000_000)
    line.hold(Card(b"\x04abcdef", counter=7))
    accesses, began = line.chip.accesses, line.now
    assert line.run(2_000) == []
    polls = (line.now - began) / 100
    assert (line.chip.accesses - accesses) / polls <= 120  # six calls and their answers
    assert line.reader.search.spoiled >= 15


def test_noise_that_spoils_the_counter_alone_makes_no_tag_without_one():
    line = Line().ready()
    card = Card(b"\x04abcdef", counter=7)
    line.hold(card)
    end = line.now + 3_000
    while line.now < end:
        line.chip.spoil(1 if line.reader.search._state == 4 else 0)
        assert line.step() == tagreader.NOTHING
    line.chip.spoil(0)
    line.until(tagreader.TAG, 300)
    assert line.reader.counter == 8


def test_two_tags_are_no_tag():
    line = Line().ready()
    first, second = Card(b"\x04abcdef", counter=7), Card(b"\x04abcdeg", counter=7)
    line.hold(first, second)
    assert line.run(2_000) == []
    assert line.reader.collisions >= 5
    line.hold(second)
    line.until(tagreader.TAG, 400)
    assert line.uid == second.uid


def test_tags_of_two_kinds_are_no_tag():
    line = Line().ready()
    line.hold(Card(b"abcd"), Card(b"\x04abcdefghi"), Card(b"\x04abcdef"))
    assert line.run(1_000) == []


def test_a_tag_and_its_copy_held_together_are_one():
    """They answer as one until their counters differ, and then not at all."""
    line = Line().ready()
    line.hold(Card(b"\x04abcdef", counter=7), Card(b"\x04abcdef", counter=9))
    assert line.run(1_000) == []


@pytest.mark.parametrize("card", [Card(b"\x04abcdef", counter=7), Card(b"\x04abcdefghi")])
def test_a_tag_is_read_in_twelve_ms(card):
    """As it is served, in whole ms, from the call that it answers to its counter."""
    assert Line().ready().time_to_read_ms(card) <= 12
