"""Taps and remote starts that lead to nothing: which, why, and how much of it the ledger tells."""

import pytest
from wallbox import why
from wallbox.core import decisions, events
from wallbox.core.rules import access, metering

from tests.player import UTC_S, tag
from tests.test_rules_access import charging, home, verdict

TOO_MANY = 2


def refused_at_this_step(box):
    """The meter has been silent for just too long, and nobody has told the core so."""
    box.now = box.state.reading_at + metering.STALE_MS
    assert box.refused == []


def test_a_tap_heeds_what_refuses_at_that_very_moment():
    box = home()
    refused_at_this_step(box)
    box.tap()
    assert box.refused == ["PowerMeterSilent"]
    assert verdict(box) == ("Accepted", "box refuses", "none") and not box.state.grant


def test_a_remote_start_does_too():
    box = home()
    refused_at_this_step(box)
    box.remote_start()
    assert not box.state.grant


def test_a_tap_heeds_what_refuses_no_more():
    box = home()
    box.lifecycle("suspended")
    box.read()
    box.lifecycle("in service")
    box.tap()
    assert verdict(box) == ("Accepted", "none", "wait for the car")


def test_a_tap_while_a_session_ends_says_so():
    box = charging()
    box.pilot("A")
    box.tap("ben", subscription=2)
    assert verdict(box) == ("ConcurrentTx", "a session is ending", "none")


@pytest.mark.parametrize("names", [["anna", "ben"], ["anna"], ["a", "b", "c", "d", "e"]])
@pytest.mark.parametrize("told", [{"status": "Blocked"}, {"copied": True}, {"status": "Expired"}])
def test_refused_tags_fill_no_ledger_however_they_take_turns(names, told):
    box = home()
    for number in range(200):
        box.tap(names[number % len(names)], **told)
        box.now += 50 if len(names) > 1 else access.DEAD_MS
        box.read()
    facts = box.of_kind(decisions.TAG)
    assert len(facts) <= 6 * (1 + box.now // 60_000)
    assert facts[5][2] == TOO_MANY and TOO_MANY not in [fact[2] for fact in facts[:5]]


def test_those_that_are_not_told_one_by_one_are_counted_when_the_minute_is_over():
    box = home()
    for number in range(9):
        box.tap(f"unknown {number}", status="Invalid")
        box.now += 4000
    box.tap("lost", status="Blocked")
    assert len(box.of_kind(decisions.TAG)) == 6 and not box.of_kind(decisions.SECURITY)
    box.run(60)
    told = box.last(decisions.SECURITY)
    assert (told["event"], told["count"]) == ("RefusedTaps", 4), "every tap leaves a trace"
    box.run(600)
    assert len(box.of_kind(decisions.SECURITY)) == 1
    box.tap("lost", status="Blocked")
    assert box.last(decisions.TAG)["verdict"] == "Blocked", "the next minute begins anew"


def test_few_refused_taps_are_told_and_not_counted():
    box = home()
    for number in range(6):
        box.tap(f"unknown {number}", status="Invalid")
    box.run(120)
    assert len(box.of_kind(decisions.TAG)) == 6 and not box.of_kind(decisions.SECURITY)


def test_nor_do_good_tags_at_a_box_that_refuses_or_that_another_uses():
    box = home()
    box.lifecycle("suspended")
    other = charging("ben", subscription=2)
    for number in range(100):
        for one in (box, other):
            one.tap(f"anna {number}")
    assert len(box.of_kind(decisions.TAG)) == 6
    assert len(other.of_kind(decisions.TAG)) == 1 + 6


def test_a_tap_that_starts_or_stops_is_always_told():
    box = home()
    for number in range(20):
        box.tap(f"unknown {number}", status="Invalid")
    box.charge()
    box.tap("anna")
    assert verdict(box) == ("Accepted", "none", "start")
    box.read()
    box.tap("anna's spare")
    assert verdict(box) == ("Accepted", "none", "stop")


# what the list says now


@pytest.mark.parametrize(
    ("expires_s", "quality", "ends"),
    [(-1, events.SYNCHRONISED, True), (100, events.SYNCHRONISED, False), (-1, 1, False)],
)
def test_a_tag_that_has_expired_ends_its_session_by_a_clock_that_is_known(expires_s, quality, ends):
    box = charging()
    if quality < events.RELATIVE:
        box = box.resume(clock=False)
        box.clock(UTC_S + 1000, quality)
        box.pilot("C")
    box.tag_status("anna", "Accepted", expires_utc_s=box.utc_s + expires_s)
    assert box.powered != ends
    if ends:
        box.read()
        assert box.stop_reason() == "DeAuthorized"


def test_a_waiting_tap_of_a_tag_that_has_expired_is_forgotten():
    box = home()
    box.tap()
    box.tag_status("anna", "Accepted", expires_utc_s=UTC_S - 1)
    box.charge()
    assert not box.powered


@pytest.mark.parametrize("status", ["Blocked", "Expired", "Invalid"])
def test_a_remote_start_of_a_tag_that_the_list_refuses_is_refused_and_told(status):
    box = home()
    box.remote_start(name="lost", status=status)
    assert verdict(box) == (status, "remote start, refused by the list", "none")
    assert box.last(decisions.TAG)["tag"] == tag("lost")
    box.charge()
    assert not box.powered


@pytest.mark.parametrize("status", ["Accepted", "Expired", "Invalid"])
def test_what_the_operator_started_is_ended_by_a_block_alone(status):
    box = home()
    box.remote_start(name="a tag that is not listed")
    box.charge()
    box.tag_status("a tag that is not listed", status)
    assert box.powered, "as after each boot, when the list is asked again"
    box.tag_status("a tag that is not listed", "Blocked")
    assert not box.powered, "but a block does"


# a car that waits


def test_a_car_that_waited_for_too_long_starts_when_no_tag_is_needed_any_more():
    box = home()
    box.charge()
    box.run(access.TAG_MS // 1000 + 60, read_s=60)
    box.mode("free")
    box.read()
    assert box.powered


def test_a_session_that_was_stopped_is_finishing_until_the_car_leaves_also_after_a_reset():
    box = charging()
    box.mode("free")
    box.remote_stop()
    box.read()
    for one in (box, box.resume(), box.resume(cause=5), box.resume(cause=0)):
        one.pilot("C")
        one.read()
        assert one.status == "Finishing" and not one.powered
        assert why.why(one.state, one.now)["why"] == "Stopped"
        one.pilot("A")
        one.charge()
        assert one.powered
