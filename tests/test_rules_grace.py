"""Offline for too long: no new session begins, and no power cut stops the clock of that."""

import pytest
from wallbox.core import decisions

from tests.player import Player

HOUR_S = 3600


def test_offline_for_three_days_no_new_session_begins_and_the_running_one_finishes():
    box = Player().home()
    box.charge()
    box.link("no wifi")
    box.run(72 * HOUR_S, power_w=100, read_s=140)
    assert box.powered, "it began when all was well"
    box.pilot("A")
    box.run(20)
    box.charge()
    assert box.refused == ["Offline"] and not box.powered
    box.link("connected")
    assert box.refused == ["Offline"]
    box.link("delivered")
    box.read()
    assert box.powered


def test_offline_begins_no_session_by_a_quick_unplugging_either():
    box = Player(offline_grace_h=1).home()
    box.charge()
    box.link("no wifi")
    box.run(2 * HOUR_S, power_w=100)
    box.pilot("A")
    box.follow()
    box.pilot("C")
    box.read()
    box.read()
    assert len(box.of_kind(decisions.SESSION_BEGIN)) == 1 and box.refused == ["Offline"]


def test_before_the_grace_is_over_sessions_begin():
    box = Player().home()
    box.link("no wifi")
    box.run(72 * HOUR_S - 60, read_s=140)
    box.charge()
    assert box.powered


def test_a_grace_of_zero_never_refuses():
    box = Player(offline_grace_h=0).home()
    box.link("no wifi")
    box.run(500 * HOUR_S, read_s=140)
    box.charge()
    assert box.powered


def test_power_cuts_do_not_begin_the_grace_anew_where_the_clock_is_known():
    box = Player(offline_grace_h=10).home()
    box.link("no wifi")
    box.run(6 * HOUR_S, read_s=140)
    after = box.resume(seconds=3 * HOUR_S)
    after.charge()
    assert after.powered
    after.pilot("A")
    after.run(HOUR_S + 60, read_s=140)
    after.charge()
    assert after.refused == ["Offline"]


def test_without_a_clock_the_grace_counts_the_hours_so_far():
    box = Player(offline_grace_h=4).home()
    box.link("no wifi")
    box.run(HOUR_S + 100)
    after = box.resume(clock=False)  # one hour was counted, the reset counts as another
    after.run(2 * HOUR_S - 10, read_s=140)
    assert not after.refused
    after.run(20)
    assert after.refused == ["Offline"]
    assert [fact[1] for fact in after.of_kind(decisions.OFFLINE)] == [1, 3, 4]


@pytest.mark.parametrize("hours", [23, 0.9])
def test_who_cuts_the_power_again_and_again_gains_no_time_offline(hours):
    box = Player().home()
    box.link("no wifi")
    box.run(HOUR_S)
    boots = 0
    while "Offline" not in box.refused and boots < 100:
        boots += 1
        box = box.resume(600, clock=False)
        box.pilot("A")
        box.link("no wifi")
        box.run(int(hours * HOUR_S), read_s=140)
    assert "Offline" in box.refused and boots <= 72
    again = box.resume(clock=False)
    again.charge()
    assert again.refused == ["Offline"], "at once"
    again.link("delivered")
    again.read()
    assert not again.refused and again.state.offline_h <= 73
    again.link("no wifi")
    again.run(2 * HOUR_S, read_s=140)
    assert again.state.offline_h == 2, "the next absence begins anew"


def test_the_hours_that_are_told_end_with_the_grace():
    box = Player(offline_grace_h=5).home()
    box.link("no wifi")
    box.run(20 * HOUR_S, read_s=140)
    assert len(box.of_kind(decisions.OFFLINE)) == 5
    never = Player(offline_grace_h=0).home()
    never.link("no wifi")
    never.run(20 * HOUR_S, read_s=140)
    assert not never.of_kind(decisions.OFFLINE)
