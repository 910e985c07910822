"""A session from its first to its last register, and what is told of it."""

import pytest
from wallbox.core import decisions, events
from wallbox.core.rules import session

from tests.player import UTC_S, Player


def charging() -> Player:
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    assert box.powered
    return box


def end(box: Player) -> dict:
    return box.last(decisions.SESSION_END)


@pytest.mark.parametrize(
    ("how", "reason"),
    [
        (lambda box: box.pilot("A"), "EVDisconnected"),
        (lambda box: box.tap("ben"), "Local"),
        (lambda box: box.remote_stop(), "Remote"),
        (lambda box: box.mode("required", UTC_S), "DeAuthorized"),
        (lambda box: box.lifecycle("decommissioned"), "DeAuthorized"),
    ],
)
def test_each_end_has_its_reason_and_takes_the_power_first(how, reason):
    box = charging()
    assert how(box)[0] == (decisions.CONTACTOR, 0)
    assert not end(box), "until the last register is there"
    box.read(add_wh=1)
    assert box.stop_reason() == reason
    assert end(box)["energy_wh"] == box.register_wh - 1_000_000
    assert session.STATUS[end(box)["status"]] == "G"


def test_the_reason_of_one_session_is_not_that_of_the_next():
    box = charging()
    box.remote_stop()
    box.read()
    box.pilot("A")
    box.follow()
    box.pilot("C")
    box.read()
    box.pilot("A")
    box.read()
    assert len(box.of_kind(decisions.SESSION_END)) == 2
    assert box.stop_reason() == "EVDisconnected"


# what the driver said of the meter, and OCMF's letter for the register that is the last known
@pytest.mark.parametrize(
    ("trouble", "letter"),
    [
        ((events.METER_SILENT, 1), "T"),
        ((events.METER_REFUSED, 1), "T"),
        ((events.METER_REFUSED, 2), "F"),
        ((events.METER_REFUSED, 3), "F"),
        ((events.METER_REFUSED, 7), "F"),
        ((events.METER_REFUSED, 8), "O"),
        ((events.METER_REFUSED, 9), "O"),
        ((events.METER_REFUSED, 11), "O"),
        ((events.METER_REFUSED, 12), "E"),
        ((events.METER_REFUSED, 15), "E"),
        ((events.METER_REFUSED, 17), "X"),
        ((events.METER_REFUSED, 18), "X"),
        ((events.METER_IDENTITY, 77, b"another"), "X"),
    ],
)
def test_a_last_register_that_could_not_be_read_has_a_letter_that_says_why(trouble, letter):
    box = charging()
    box.send(*trouble)
    assert not box.powered
    box.pilot("A")
    box.wait(10)
    assert session.STATUS[end(box)["status"]] == letter
    assert end(box)["energy_wh"] == box.register_wh - 1_000_000, "no Wh is invented"


def test_the_first_wh_of_each_subscription_is_a_fact_of_its_own():
    box = Player(mode=1).home()
    for name, subscription in (("anna", 1), ("ben", 2), ("anna", 1)):
        box.tap(name, subscription=subscription)
        box.charge()
        box.run(60, power_w=11_000)
        box.pilot("A")
        box.run(15)
    told = [(fact[3], fact[4]) for fact in box.of_kind(decisions.FIRST_CHARGE)]
    assert told == [(1, 1), (2, 2)]
    again = box.resume()
    again.tap("ben", subscription=2)
    again.charge()
    again.run(60, power_w=11_000)
    assert len(again.of_kind(decisions.FIRST_CHARGE)) == 2


def test_a_session_without_energy_is_no_first_charge():
    box = Player().home()
    box.charge()
    box.run(60)
    box.pilot("A")
    box.read()
    assert end(box) and not box.of_kind(decisions.FIRST_CHARGE)


def test_unplugged_and_plugged_before_the_last_register_are_two_sessions():
    box = charging()
    box.pilot("A")
    box.follow()
    box.pilot("C")
    box.read(add_wh=1)
    assert len(box.of_kind(decisions.SESSION_END)) == 1
    box.run(20)
    begin = box.last(decisions.SESSION_BEGIN)
    assert begin["session"] == 2 and begin["register_wh"] >= end(box)["register_wh"]
    assert box.powered


def test_an_approved_exchange_ends_the_session_at_the_last_register_of_the_old_meter():
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    box.clock(UTC_S + 10**6)  # a jump: a gap is open, and stays so without a reading
    last_wh = box.register_wh
    box.identity(77)
    box.approve_meter(77)
    exchange = box.last(decisions.METER_EXCHANGE)
    assert end(box)["register_wh"] == exchange["register_wh"] == last_wh
    assert box.stop_reason() == "Other"


def test_after_an_approved_exchange_all_is_as_before():
    box = charging()
    box.identity(77)
    box.run(60)
    box.approve_meter(77)
    box.identity(77)
    gaps = len(box.of_kind(decisions.GAP_BEGIN))
    box.run(3600, power_w=11_000)
    assert box.powered and len(box.of_kind(decisions.GAP_BEGIN)) == gaps
    assert len(box.of_kind(decisions.SESSION_BEGIN)) == 2


def test_a_car_that_stayed_through_a_power_cut_and_leaves_later_ends_by_leaving():
    box = charging().resume()
    box.pilot("C")
    box.run(60, power_w=11_000)
    box.pilot("A")
    box.read()
    assert box.stop_reason() == "EVDisconnected"


def test_a_stopped_session_is_over_until_the_car_is_unplugged():
    box = charging()
    box.remote_stop()
    box.run(3600)
    assert box.status == "Finishing" and not box.powered
    box.pilot("A")
    box.charge()
    assert box.powered


# the contactor


def test_current_through_an_open_contactor_is_a_fault_until_the_next_boot():
    box = Player().home()
    box.now += 6000
    stray(box, 2000)
    assert not box.refused, "one reading may be a mean of the last seconds"
    stray(box, 2000)
    assert box.refused == ["CurrentWithoutContactor"] and box.status == "Faulted"
    fault = box.last(decisions.FAULT)
    assert (fault["refusal"], fault["detail"]) == (15, 2000)
    stray(box, 0)
    box.charge()
    assert box.refused == ["CurrentWithoutContactor"] and not box.powered
    assert len(box.of_kind(decisions.FAULT)) == 1
    assert not box.resume().refused


@pytest.mark.parametrize("current_ma", [0, 300, 999])
def test_a_meters_noise_is_no_stray_current(current_ma):
    box = Player().home()
    box.now += 6000
    for _ in range(5):
        stray(box, current_ma)
    assert not box.refused


def test_the_current_that_was_is_no_stray_current():
    box = charging()
    box.pilot("B")
    box.follow()
    box.now += 2000
    for _ in range(3):
        stray(box, 16_000)
    assert not box.refused


def test_two_stray_readings_count_in_a_row_alone():
    box = Player().home()
    box.now += 6000
    stray(box, 2000)
    box.charge()
    box.run(15)
    box.pilot("B")
    box.follow()
    box.now += 6000
    stray(box, 2000)
    assert not box.refused


def stray(box: Player, current_ma: int) -> None:
    box.send(events.METER_READING, box.register_wh, 0, 0, 0, 0, current_ma, 0, 0, 0, 0, 0, 0)


# the meter


def test_a_meter_that_says_nothing_for_150_s_counts_as_silent():
    box = charging()
    box.wait(149)
    assert box.powered
    box.wait(1)
    assert box.refused == ["PowerMeterSilent"] and not box.powered


def test_a_register_that_leaps_is_not_believed():
    box = charging()
    box.register_wh += 300_000_000
    box.read()
    assert box.refused == ["PowerMeterFailure"]
    assert box.last(decisions.FAULT)["detail"] == 14
    box.register_wh -= 300_000_000
    box.read()
    assert not box.refused


@pytest.mark.parametrize("correction_s", [-1, 0, 1])
def test_a_clock_that_is_right_is_no_news(correction_s):
    box = charging()
    for _ in range(3):
        box.run(500, power_w=11_000)
        before = len(box.facts)
        box.clock(box.utc_s + correction_s)
        assert len(box.facts) == before


def test_a_clock_from_another_age_is_not_believed():
    box = charging()
    for utc_s, quality in ((2**32, 3), (2**38, 3), (UTC_S + 9999, 4), (UTC_S + 9999, 200)):
        assert box.clock(utc_s, quality) == []
    assert box.utc_s == UTC_S + 60
