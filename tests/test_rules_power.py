"""From answers to power: pilot, contactor, pauses and rests, as cars and contactors want them."""

import pytest
from wallbox.core import decisions, events, power

from tests.player import Player

PAUSE_S = power.PAUSE_MS // 1000
RESTART_S = power.RESTART_MS // 1000
RESUME_S = power.RESUME_MS // 1000


def charging() -> Player:
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    assert box.powered
    return box


def grid(box: Player, limit_ma: int, number: int = 1) -> list[tuple]:
    return box.lease("grid", number, limit_ma, box.utc_s, box.utc_s + 3600)


@pytest.mark.parametrize(
    ("limit_ma", "permille"),
    [(6000, 100), (10_000, 166), (16_000, 266), (32_000, 533), (51_000, 850), (63_000, 850)],
)
def test_the_pilot_tells_the_limit_and_never_more(limit_ma, permille):
    assert power.duty_permille(limit_ma) == permille
    assert permille * 60 <= limit_ma


@pytest.mark.parametrize("letter", "ABDEF")
def test_only_a_car_that_asks_is_fed(letter):
    box = Player().home()
    box.pilot(letter)
    box.read()
    box.read()
    assert not box.powered


def test_a_new_limit_moves_the_pilot_and_not_the_contactor():
    box = charging()
    told = grid(box, 10_000)
    assert (decisions.PILOT_DUTY, 166) in told and box.powered


def test_below_six_amperes_the_car_is_asked_first():
    box = charging()
    told = grid(box, 5999)
    assert told[0] == (decisions.PILOT_DUTY, power.STEADY) and box.powered
    box.now += 3000
    assert box.pilot("B")[0] == (decisions.CONTACTOR, 0), "it has stopped drawing"


def test_a_car_that_does_not_obey_loses_its_power_after_six_seconds():
    box = charging()
    grid(box, 0)
    box.now += power.PAUSE_MS - 1
    box.tick()
    assert box.powered
    box.now += 1
    assert box.state.due <= box.now
    assert box.tick()[0] == (decisions.CONTACTOR, 0)


def test_a_pause_that_ends_in_time_opens_nothing():
    box = charging()
    grid(box, 0)
    box.now += 3000
    told = box.lease_end(1)
    assert (decisions.PILOT_DUTY, 266) in told and box.powered
    box.run(60, power_w=11_000)
    assert len([one for _, one in box.log if one == (decisions.CONTACTOR, 0)]) == 0


def test_after_a_pause_the_contactor_rests_a_minute():
    box = charging()
    grid(box, 0)
    box.wait(PAUSE_S)
    opened_at = box.now
    assert not box.powered
    box.lease_end(1)
    box.wait(RESUME_S - 1)
    assert not box.powered and box.state.duty_permille == power.STEADY
    box.wait(1)
    assert box.powered and box.now == opened_at + power.RESUME_MS


def test_after_a_refusal_it_rests_ten_seconds():
    box = charging()
    assert box.lifecycle("suspended")[0] == (decisions.CONTACTOR, 0)
    opened_at = box.now
    box.follow()
    box.read()
    box.lifecycle("in service")
    box.wait(RESTART_S - 1)
    assert not box.powered
    box.wait(1)
    assert box.powered and box.now == opened_at + power.RESTART_MS


def test_each_level_is_told_once():
    box = charging()
    kinds = [decision[0] for decision in box.lifecycle("suspended")]
    assert kinds.count(decisions.PILOT_DUTY) == kinds.count(decisions.CONTACTOR) == 1
    box.follow()
    assert not [one for one in box.tick() if one[0] >= decisions.LEVELS]


def test_another_car_waits_for_nobody():
    box = charging()
    box.lifecycle("suspended")
    box.follow()
    box.pilot("A")
    box.read()
    box.lifecycle("in service")
    box.charge()
    assert box.powered


def test_a_refusal_in_the_middle_of_a_pause_opens_at_once():
    box = charging()
    grid(box, 0)
    assert box.seal(opened=1)[0] == (decisions.CONTACTOR, 0)


def test_a_limit_that_flickers_wears_out_no_contactor():
    box = charging()
    for number in range(120):
        grid(box, 0 if number % 2 else 16_000, number + 1)
        box.run(10, power_w=5000)
    closings = [at for at, one in box.log if one == (decisions.CONTACTOR, 1)]
    assert len(closings) <= 1 + 1200 // RESUME_S
    rests = [later - earlier for earlier, later in zip(closings, closings[1:], strict=False)]
    assert all(rest >= power.RESUME_MS for rest in rests)


def test_a_car_that_stops_by_itself_opens_the_contactor_and_may_go_on_at_once():
    box = charging()
    assert box.pilot("B")[0] == (decisions.CONTACTOR, 0)
    assert box.state.duty_permille == 266 and box.status == "SuspendedEV"
    box.follow()
    assert (decisions.CONTACTOR, 1) in box.pilot("C")


def test_a_letter_that_does_not_exist_changes_nothing():
    box = charging()
    before = box.state.letter
    for letter in (7, 100, 255):
        box.send(events.PILOT, letter, 0, 0)
    assert box.powered and box.state.letter == before
