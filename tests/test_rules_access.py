"""Who may charge: tags, the reader's mode, the operator's word."""

import pytest
from wallbox import why
from wallbox.core import decisions, events, leases, power, status
from wallbox.core.rules import access

from tests.player import UTC_S, Player, tag

CONNECTION_S = access.CONNECTION_MS // 1000


def home(**config: int) -> Player:
    return Player(**{"mode": access.REQUIRED, **config}).home()


def charging(name: str = "anna", **told: int) -> Player:
    box = home()
    box.tap(name, **told)
    box.charge()
    box.run(60, power_w=11_000)
    assert box.powered
    return box


def verdict(box: Player) -> tuple[str, str, str]:
    told = box.last(decisions.TAG)
    return told["verdict"], told["reason"], told["action"]


def test_plug_then_tap():
    box = home()
    box.charge()
    assert not box.powered and not box.of_kind(decisions.SESSION_BEGIN)
    box.tap()
    assert verdict(box) == ("Accepted", "none", "start")
    box.read()
    assert box.powered
    begin = box.last(decisions.SESSION_BEGIN)
    assert (begin["authority"], begin["subscription"], begin["tag"]) == ("tag", 1, tag("anna"))


def test_tap_then_plug():
    box = home()
    box.tap()
    assert verdict(box) == ("Accepted", "none", "wait for the car")
    box.now += access.CONNECTION_MS - 1000
    box.charge()
    assert box.powered


def test_a_tap_waits_two_minutes_for_the_car():
    box = home()
    box.tap()
    box.run(CONNECTION_S)
    box.charge()
    assert not box.powered
    box.tap()
    box.read()
    assert box.powered


def test_a_car_that_waited_an_hour_still_starts_by_tap():
    box = home()
    box.charge()
    box.run(access.TAG_MS // 1000 + 1, read_s=60)
    assert box.status == "Preparing", "nothing has begun that could finish"
    assert status.lamp(box.state) == status.WAITS_FOR_TAG
    assert why.why(box.state, box.now)["why"] == "WaitingForTag"
    box.tap()
    box.read()
    assert box.powered


def test_the_hour_of_waiting_begins_with_the_plug():
    box = home()
    box.run(2 * access.TAG_MS // 1000, read_s=140)
    box.charge()
    box.run(60)
    assert box.status == "Preparing"


def test_a_tag_held_too_long_is_no_second_tap():
    box = home()
    box.charge()
    for _ in range(10):
        box.tap()
        box.read()
        box.follow()
        box.now += access.DEAD_MS - 1
    assert box.powered and len(box.of_kind(decisions.TAG)) == 1


@pytest.mark.parametrize("name", ["anna", "anna's spare"])
def test_the_same_tag_or_another_of_its_subscription_stops(name):
    box = charging()
    assert box.tap(name)[0] == (decisions.CONTACTOR, 0)
    assert verdict(box) == ("Accepted", "none", "stop")
    box.follow()
    box.read(add_wh=1)
    assert box.stop_reason() == "Local"
    box.run(60)
    assert not box.powered, "the car is still plugged in, and must be authorised anew"
    box.tap("anna")
    box.run(15)
    assert box.powered and box.state.session == 2


def test_the_tag_of_another_subscription_stops_nothing():
    box = charging()
    box.tap("ben", subscription=2)
    assert verdict(box) == ("ConcurrentTx", "another tag charges", "none")
    assert box.powered


def test_a_tag_without_subscription_is_related_to_none():
    box = charging(subscription=0)
    box.tap("ben", subscription=0)
    assert verdict(box)[0] == "ConcurrentTx" and box.powered


def test_any_accepted_tag_stops_what_anybody_started():
    box = Player().home()
    box.charge()
    box.tap("ben", subscription=2)
    box.read()
    assert box.stop_reason() == "Local" and not box.powered


def test_a_blocked_tag_starts_nothing():
    box = home()
    box.charge()
    box.tap("lost", status="Blocked")
    box.read()
    assert verdict(box) == ("Blocked", "blocked", "none") and not box.powered


def test_blocking_the_charging_tag_takes_the_power_at_once():
    box = charging()
    assert box.tag_status("anna", "Blocked")[0] == (decisions.CONTACTOR, 0)
    box.read()
    assert box.stop_reason() == "DeAuthorized"


def test_blocking_also_ends_a_remote_start_for_that_tag_and_a_waiting_tap():
    box = home()
    box.charge()
    box.remote_start(name="anna")
    box.read()
    assert box.powered
    box.tag_status("ben", "Blocked")
    assert box.powered
    box.tag_status("anna", "Blocked")
    box.read()
    assert box.stop_reason() == "DeAuthorized"
    box = home()
    box.tap()
    box.tag_status("anna", "Blocked")
    box.charge()
    assert not box.powered


def test_a_remote_start_without_a_tag_is_ended_by_no_tag():
    box = home()
    box.charge()
    box.remote_start()
    box.read()
    box.send(events.TAG_STATUS, access.BLOCKED, 0, 0, b"")
    assert box.powered


@pytest.mark.parametrize(
    ("expires_s", "quality", "told"),
    [
        (-1, events.SYNCHRONISED, "Expired"),
        (1, events.SYNCHRONISED, "Accepted"),
        (-1, events.RELATIVE, "Expired"),
        (-1, events.INFORMATIVE, "Accepted"),
    ],
)
def test_a_tag_expires_by_a_clock_that_is_known_alone(expires_s, quality, told):
    box = Player(mode=access.REQUIRED)
    box.boot()
    box.clock(UTC_S, quality)
    box.identity()
    box.read()
    box.tap(expires_utc_s=UTC_S + expires_s)
    assert verdict(box)[0] == told


@pytest.mark.parametrize(
    ("mode", "told"), [(access.REQUIRED, "Accepted"), (access.FREE, "Invalid")]
)
def test_pay_per_use_works_with_the_reader_required_alone(mode, told):
    box = home(mode=mode)
    box.tap("visitor", kind=access.PAY_PER_USE, subscription=0)
    assert verdict(box)[0] == told
    if mode == access.FREE:
        assert verdict(box)[1] == "pay-per-use needs the reader on"


def test_unknown_tags_fill_no_ledger():
    box = home()
    for number in range(200):
        box.tap(f"unknown {number}", status="Invalid")
        box.now += 100
    told = [fact[2] for fact in box.of_kind(decisions.TAG)]
    assert told == [1] * 5 + [2], "five as unknown, one as too many, then silence"
    box.now += 60_000
    box.tap("unknown", status="Invalid")
    assert verdict(box)[1] == "unknown tag"
    box.tap("anna")
    assert verdict(box) == ("Accepted", "none", "wait for the car"), "who is known never waits"


def test_each_tap_is_a_fact_with_hash_list_and_whether_the_operator_was_reached():
    box = home()
    box.tap(version=12)
    told = box.last(decisions.TAG)
    assert (told["tag"], told["list_version"], told["online"]) == (tag("anna"), 12, 1)
    box.link("lost")
    box.now += 5000
    box.tap(version=12)
    assert box.last(decisions.TAG)["online"] == 0


def test_a_copied_tag_is_not_believed():
    box = home()
    box.tap(copied=True)
    assert verdict(box) == ("Invalid", "its counter went back: a copy", "none")


def test_a_good_tag_at_a_box_that_refuses_starts_nothing_later_either():
    box = home()
    box.lifecycle("suspended")
    box.read()
    box.charge()
    box.tap()
    assert verdict(box) == ("Accepted", "box refuses", "none")
    box.lifecycle("in service")
    box.read()
    assert not box.powered


def test_the_tags_limit_holds_from_the_first_moment_on():
    box = home()
    box.tap(limit_ma=10_000)
    box.pilot("C")
    begun = box.read()
    duties = [decision[1] for decision in begun if decision[0] == decisions.PILOT_DUTY]
    assert duties == [power.duty_permille(10_000)]
    box.tag_status("anna", "Accepted", limit_ma=8000)
    assert box.state.limit_ma == 8000
    box.pilot("A")
    box.read()
    assert box.state.limit_ma == 16_000 and box.sources.get("tag") is None


# the reader's mode


def test_the_mode_switches_at_once_and_from_a_time_on():
    box = Player().home()
    box.mode("required", UTC_S + 600)
    box.charge()
    assert box.powered, "not yet"
    box.pilot("A")
    box.run(700)
    box.charge()
    assert not box.powered
    assert [fact[1:] for fact in box.of_kind(decisions.MODE)] == [(1, UTC_S + 600), (1, 0)]
    box.mode("free")
    box.read()
    assert box.powered


def test_a_late_command_holds_for_what_began_since():
    box = Player().home()
    box.run(1000)
    box.charge()
    box.run(1000, power_w=11_000)
    begun_utc_s = box.state.session_utc_s
    box.mode("required", begun_utc_s + 1)
    assert box.powered, "it began before"
    box.pilot("A")
    box.read()
    box.mode("free")
    box.charge()
    box.run(500, power_w=11_000)
    assert box.mode("required", box.state.session_utc_s)[0] == (decisions.CONTACTOR, 0)
    box.read()
    assert box.stop_reason() == "DeAuthorized"


def test_a_mode_waits_for_the_clock():
    box = Player()
    box.boot()
    box.identity()
    box.read()
    box.mode("required", UTC_S)
    box.charge()
    assert box.powered
    box.clock(UTC_S - 100)
    assert box.powered and box.state.mode == access.FREE
    box.run(101)
    assert box.state.mode == access.REQUIRED
    assert box.powered, "begun when nobody knew the time"


def test_the_operators_mode_outlives_power_cuts_and_configurations():
    box = Player().home()
    box.mode("required", UTC_S + 5000)
    again = box.resume()
    assert again.state.mode == access.FREE
    again.run(5000)
    assert again.state.mode == access.REQUIRED
    assert again.resume().state.mode == access.REQUIRED, "though the configuration says free"


# the operator's word


def test_remote_start_and_stop():
    box = home()
    box.remote_start(subscription=5, limit_ma=10_000)
    box.charge()
    begin = box.last(decisions.SESSION_BEGIN)
    assert (begin["authority"], begin["subscription"]) == ("operator", 5)
    assert box.powered and box.state.limit_ma == 10_000
    box.remote_stop(7)
    assert box.powered, "that is another session"
    assert box.remote_stop(1)[0] == (decisions.CONTACTOR, 0)
    box.read()
    assert box.stop_reason() == "Remote"


def test_a_remote_start_waits_for_the_car_and_not_for_the_end_of_a_refusal():
    box = home()
    box.remote_start()
    box.run(CONNECTION_S)
    box.charge()
    assert not box.powered
    box.seal(opened=1)
    assert not access.may_start(box.state)
    box.remote_start()
    box.seal()
    box.sealed()
    box.read()
    assert not box.powered


def test_remote_stop_without_a_number_means_whatever_runs():
    box = charging()
    box.remote_stop()
    box.read()
    assert box.stop_reason() == "Remote"


# unplugging, power cuts


def test_unplugging_locks_again():
    box = charging()
    box.pilot("A")
    box.follow()
    box.read()
    box.charge()
    assert not box.powered


def test_unplugging_before_the_session_has_begun_locks_too():
    box = home()
    box.pilot("B")
    box.tap()
    box.pilot("A")
    box.charge()
    assert not box.powered, "the next car needs a tap of its own"


def test_a_session_keeps_its_authority_through_a_power_cut():
    box = charging("anna").resume()
    box.pilot("C")
    assert box.powered, "nobody needs to tap again"
    box.follow()
    box.tap("ben", subscription=2)
    assert verdict(box)[0] == "ConcurrentTx"
    box.tap("anna")
    box.read()
    assert box.stop_reason() == "Local"
    assert len(box.of_kind(decisions.SESSION_BEGIN)) == 1


def test_the_tags_limit_outlives_a_power_cut():
    box = charging("anna", limit_ma=10_000).resume()
    assert box.sources["tag"] == 10_000
    box.pilot("A")
    box.read()
    assert box.resume().sources.get("tag", leases.NONE_MA) == leases.NONE_MA
