"""Always on and online: each absence with its causes, begin and end; and what comes of it."""

import pytest
from wallbox.core import decisions, events
from wallbox.core.rules import presence

from tests.player import UTC_S, Player

HOUR_S = 3600
SHORT_S = presence.SHORT_MS // 1000


def begun(box: Player) -> dict:
    return box.last(decisions.ABSENCE_BEGIN)


def ended(box: Player) -> dict:
    return box.last(decisions.ABSENCE_END)


@pytest.mark.parametrize(
    ("code", "cause"),
    [
        ("no wifi", "wifi"),
        ("no address", "address"),
        ("no broker", "broker"),
        ("refused", "broker"),
        ("no trust", "broker"),
        ("lost", "broker"),
        ("late", "broker"),
        ("malformed", "broker"),
    ],
)
def test_each_outage_has_its_cause(code, cause):
    box = Player().home()
    box.run(100)
    left_utc_s = box.utc_s
    box.link(code)
    box.run(SHORT_S)
    assert begun(box)["cause"] == [cause] and begun(box)["planned"] == 0
    assert (begun(box)["from_utc_s"], begun(box)["from_quality"]) == (left_utc_s, 3)
    box.run(500)
    box.link("connected")
    assert not ended(box), "not back until the operator has answered"
    box.link("delivered")
    assert ended(box)["cause"] == [cause] and ended(box)["from_utc_s"] == left_utc_s
    assert box.fact_times[-1] == (box.utc_s, 3), "the record's own time is the end"


def test_a_short_outage_is_not_written():
    box = Player().home()
    before = len(box.facts)
    box.link("lost")
    box.run(SHORT_S - 1)
    box.link("connected")
    box.link("delivered")
    box.run(10 * SHORT_S)
    assert not [fact for fact in box.facts[before:] if fact[0] == decisions.ABSENCE_BEGIN]


def test_each_absence_is_told_once_and_the_next_one_anew():
    box = Player().home()
    for number in (1, 2, 3):
        box.link("lost")
        box.run(100)
        left_utc_s = box.utc_s - 100
        box.link("delivered")
        box.link("delivered")
        told = (len(box.of_kind(decisions.ABSENCE_BEGIN)), len(box.of_kind(decisions.ABSENCE_END)))
        assert told == (number, number) and begun(box)["from_utc_s"] == left_utc_s
        box.run(1000)


def test_a_power_cut_after_an_absence_that_had_ended_is_one_of_its_own():
    box = Player().home()
    box.link("lost")
    box.run(100)
    box.link("delivered")
    box.run(1000)
    after = box.resume()
    assert len(after.of_kind(decisions.ABSENCE_BEGIN)) == 2
    after.link("delivered")
    assert ended(after)["cause"] == ["power"]


def test_causes_that_follow_each_other_are_one_absence():
    box = Player().home()
    box.link("no wifi")
    box.run(100)
    box.link("no address")
    box.run(100)
    box.link("delivered")
    assert ended(box)["cause"] == ["wifi", "address"]
    assert len(box.of_kind(decisions.ABSENCE_BEGIN)) == len(box.of_kind(decisions.ABSENCE_END))


def test_a_broker_behind_which_nobody_answers_is_an_absence_too():
    box = Player().home()
    box.link("lost")
    box.run(10)
    box.link("connected")
    box.run(2 * SHORT_S)
    box.link("delivered")
    assert ended(box)["cause"] == ["broker", "acknowledgement"]


def test_what_the_box_itself_could_not_store_is_no_absence():
    box = Player().home()
    box.link("store failed")
    box.run(3600)
    assert not box.of_kind(decisions.ABSENCE_BEGIN)


def test_a_power_cut_is_an_absence_since_the_last_heartbeat_however_short():
    box = Player().home()
    box.run(1000)
    cut_utc_s = box.utc_s
    after = box.resume(seconds=5)
    assert begun(after)["cause"] == ["power"] and begun(after)["from_utc_s"] == cut_utc_s
    after.link("connected")
    after.link("delivered")
    assert ended(after)["cause"] == ["power"]


def test_a_heartbeat_that_is_older_than_the_ledger_does_not_count():
    box = Player().home()
    box.run(1000)
    told_utc_s = box.state.accounted_utc_s
    after = box.survivor()
    after.boot(2, (box.register_wh, told_utc_s - 300, 3))
    assert begun(after)["from_utc_s"] == told_utc_s


def test_an_absence_across_a_power_cut_stays_one_and_adds_its_cause():
    box = Player().home()
    box.link("no wifi")
    box.run(1000)
    after = box.resume(seconds=600)
    assert len(after.of_kind(decisions.ABSENCE_BEGIN)) == 1
    after.link("delivered")
    assert ended(after)["cause"] == ["power", "wifi"]
    assert ended(after)["from_utc_s"] == begun(box)["from_utc_s"]


def test_a_reset_that_is_soon_over_is_not_written():
    box = Player().home()
    before = len(box.of_kind(decisions.ABSENCE_BEGIN))
    after = box.resume(cause=3)
    after.link("delivered")
    after.run(300)
    assert len(after.of_kind(decisions.ABSENCE_BEGIN)) == before


def test_without_a_clock_the_begin_is_unknown_and_not_invented():
    box = Player()
    box.boot()
    box.link("no wifi")
    box.wait(SHORT_S)
    assert (begun(box)["from_utc_s"], begun(box)["from_quality"]) == (0, events.UNKNOWN)


# announced


@pytest.mark.parametrize(
    ("from_s", "until_s", "planned"), [(-10, 10, 1), (0, 600, 1), (10, 600, 0), (-600, -10, 0)]
)
def test_an_absence_that_begins_within_the_announced_time_is_planned(from_s, until_s, planned):
    box = Player().home()
    box.run(1000)
    leaves = box.utc_s
    box.announce(leaves + from_s, leaves + until_s)
    assert box.last(decisions.ANNOUNCED)["from_utc_s"] == leaves + from_s
    after = box.resume(seconds=7 * 86_400)
    after.link("delivered")
    assert begun(after)["planned"] == ended(after)["planned"] == planned


def test_what_is_announced_afterwards_was_not_planned():
    box = Player().home()
    box.run(1000)
    box.link("no wifi")
    box.run(1000)
    left_utc_s = begun(box)["from_utc_s"]
    box.link("connected")
    box.announce(left_utc_s - 100, left_utc_s + 5000)
    box.link("delivered")
    assert ended(box)["planned"] == 0


def test_an_announcement_that_ends_before_it_begins_changes_nothing():
    box = Player().home()
    assert box.announce(UTC_S + 100, UTC_S) == []


def test_a_second_announcement_does_not_overwrite_the_first():
    box = Player().home()
    begin = box.utc_s + HOUR_S
    box.announce(begin, begin + HOUR_S)
    assert box.announce(begin + 86_400, begin + 90_000) == []
    assert not presence.may_announce(box.state, begin + 86_400, begin + 90_000, box.now)
    box.now += (HOUR_S + 100) * 1000
    box.link("no wifi")
    box.wait(200)
    assert begun(box)["planned"] == 1


def test_an_announcement_is_changed_by_one_that_meets_it_and_taken_back_by_0_0():
    box = Player().home()
    begin = box.utc_s + HOUR_S
    box.announce(begin, begin + HOUR_S)
    assert box.announce(begin - 600, begin + 2 * HOUR_S), "longer"
    assert box.announce(0, 0) and box.announce(0, 0) == []
    assert box.announce(begin + 86_400, begin + 90_000)
    assert box.resume().state.planned_from_utc_s == begin + 86_400


def test_after_one_that_is_over_another_may_be_announced():
    box = Player().home()
    box.announce(box.utc_s, box.utc_s + 600)
    box.run(700)
    assert box.announce(box.utc_s + 86_400, box.utc_s + 90_000)


def test_an_announcement_outlives_another_power_cut():
    box = Player().home()
    box.run(100)
    box.announce(box.utc_s, box.utc_s + 600)
    once = box.resume(seconds=10)
    assert begun(once)["planned"] == 1
    twice = once.resume(seconds=10)
    twice.link("delivered")
    assert ended(twice)["planned"] == 1


# after a reset


@pytest.mark.parametrize(
    ("codes", "cause"),
    [(["no wifi"], "wifi"), (["connected"], "acknowledgement"), ([], "broker")],
)
def test_after_a_reset_the_cause_is_what_the_link_tells(codes, cause):
    box = Player().home().resume(5, cause=3)
    for code in codes:
        box.link(code)
    box.run(200)
    assert begun(box)["cause"] == [cause]
    box.link("connected")
    box.link("delivered")
    assert ended(box)["cause"] == [cause]
