"""What is believed of a register, and for how long it is doubted."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.drivers import meter_maps as maps
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers import plausible
from wallbox.drivers.meter_values import NOT_VALUE
from wallbox.drivers.plausible import Follower, Register

from tests.smallint import Small

MAX_W = 24_960
HOUR_MS = 3_600_000
BELIEVED = reasons.NONE


def known(register_wh: int = 180_200, at: int = 0) -> Register:
    """A register that two readings have agreed on."""
    register = Register(MAX_W, 10)
    assert register.judge(register_wh, at) == reasons.UNCONFIRMED
    assert register.judge(register_wh, at) == BELIEVED
    return register


def test_the_first_register_needs_two_readings():
    register = Register(MAX_W, 10)
    assert register.judge(180_200, 0) == reasons.UNCONFIRMED
    assert register.judge(180_201, 300) == BELIEVED


def test_a_spike_as_first_reading_is_not_believed():
    register = Register(MAX_W, 10)
    assert register.judge(5_000_000, 0) == reasons.UNCONFIRMED
    assert register.judge(180_200, 300) == reasons.UNCONFIRMED
    assert register.judge(180_200, 600) == BELIEVED
    assert register.last_wh == 180_200


def test_spike_of_the_sdm630():
    """180.2, 5000, 180.4 kWh."""
    register = known(180_200)
    assert register.judge(5_000_000, 60_000) == reasons.IMPOSSIBLE_SLOPE
    assert register.judge(180_400, 60_300) == BELIEVED


def test_a_spike_that_stays_does_not_become_possible_by_waiting():
    register = known(180_200)
    assert register.judge(5_000_000, 1000) == reasons.IMPOSSIBLE_SLOPE
    for day in range(1, 60):
        assert register.judge(5_000_000 + day, day * 24 * HOUR_MS) == reasons.IMPOSSIBLE_SLOPE
    assert register.judge(200_000, 60 * 24 * HOUR_MS) == reasons.UNCONFIRMED
    assert register.judge(200_000, 60 * 24 * HOUR_MS + 300) == BELIEVED


def test_going_back_is_refused_for_ever():
    register = known(180_200)
    for at in range(1000, 100_000, 1000):
        assert register.judge(180_199, at) == reasons.REGRESS
    assert register.judge(0, 200_000) == reasons.REGRESS
    assert register.judge(180_200, 201_000) == BELIEVED


def test_a_rollover_is_believed_when_seen_twice():
    register = known(99_999_990)
    assert register.judge(5, 1000) == reasons.UNCONFIRMED
    assert register.judge(6, 1100) == reasons.NONE
    assert register.last_wh == 6


def test_a_rollover_is_told_from_a_reset_and_from_a_jump():
    jump = reasons.ROLLOVER
    assert known(99_500_000).judge(500_000, 1000) == jump
    assert known(99_999_900).judge(50_000_000, 1000) == reasons.REGRESS
    assert known(12_345_678).judge(0, 1000) == reasons.REGRESS


def test_after_forget_a_new_history_begins():
    register = known(99_999_900)
    register.forget()
    assert register.judge(100, 1000) == reasons.UNCONFIRMED
    assert register.judge(100, 1300) == BELIEVED


@pytest.mark.parametrize(("minutes", "wh"), [(1, 416), (15, 6_240), (60, 24_960)])
def test_growth_up_to_the_installations_power_is_believed(minutes, wh):
    register = known(1_000_000)
    at = minutes * 60_000
    first = register.judge(1_000_000 + wh, at)
    # after a longer pause a second reading must agree
    assert first == reasons.UNCONFIRMED
    assert register.judge(1_000_000 + wh, at + 300) == BELIEVED
    register = known(1_000_000)
    assert register.judge(1_000_000 + wh + wh // 2 + 200, at) == reasons.IMPOSSIBLE_SLOPE


def test_jump_that_is_possible_but_does_not_stay():
    register = known(180_200)
    assert register.judge(190_200, HOUR_MS) == reasons.UNCONFIRMED
    assert register.judge(180_300, HOUR_MS + 300) == BELIEVED


@given(st.integers(0, MAX_W), st.sampled_from([1, 10, 100]), st.integers(300, 2000), st.data())
def test_an_honest_meter_is_believed_at_each_poll(power_w, step_wh, period_ms, data):
    """Whatever the load and the register's step, nothing is refused once it is known."""
    start_wh = data.draw(st.integers(0, 400_000_000))
    register = Register(MAX_W, step_wh)

    def read(at):
        return (start_wh + power_w * at // HOUR_MS) // step_wh * step_wh

    register.judge(read(0), 0)
    for at in range(period_ms, 60_000, period_ms):
        assert register.judge(read(at), at) == BELIEVED
    assert register.last_wh == read(at)


@given(st.lists(st.integers(0, 2_000_000), min_size=1, max_size=60))
def test_whatever_comes_the_believed_register_is_possible(readings):
    register = known(1_000_000)
    last_wh, last_at = 1_000_000, 0
    for i, reading_wh in enumerate(readings):
        at = (i + 1) * 1000
        if register.judge(reading_wh, at) == BELIEVED:
            grown_wh = reading_wh - last_wh
            assert grown_wh == register.last_wh - last_wh
            assert 0 <= grown_wh <= 12 + MAX_W * ((at - last_at) // 1000 + 11) // 3600
            last_wh, last_at = reading_wh, at


def test_resume_after_a_reboot():
    """How long the box was off is not known: up to 100 kWh are believed, if they stay."""
    for grown_wh, verdict in ((0, BELIEVED), (99_999, BELIEVED)):
        register = Register(MAX_W, 10)
        register.resume(1_000_000, -1)
        assert register.judge(1_000_000 + grown_wh, 2000) == reasons.UNCONFIRMED
        assert register.judge(1_000_000 + grown_wh, 2300) == verdict
    register = Register(MAX_W, 10)
    register.resume(1_000_000, -1)
    assert register.judge(1_100_001, 2000) == reasons.IMPOSSIBLE_SLOPE
    assert register.judge(999_999, 2300) == reasons.REGRESS


def test_resume_with_a_known_time():
    register = Register(MAX_W, 10)
    register.resume(1_000_000, 10_000)
    assert register.judge(1_000_200, 2000) == reasons.IMPOSSIBLE_SLOPE
    assert register.judge(1_000_100, 2300) == reasons.UNCONFIRMED
    assert register.judge(1_000_100, 2600) == BELIEVED


def values(**changes) -> list[int]:
    """A car at 3 x 16 A, with changes by field name."""
    reading = [1_000_000, 0, 11_040, 3680, 3680, 3680, 16_000, 16_000, 16_000]
    reading += [230_000, 230_000, 230_000, 50_000]
    for name, value in changes.items():
        reading[getattr(maps, name)] = value
    return reading


def load(power_w: int, volt_ampere: int, register_wh: int) -> list[int]:
    """A load on L1 at 100 V, which makes volt-amperes easy."""
    none = {"CURRENT_L2": 0, "CURRENT_L3": 0, "POWER_L1": power_w, "POWER_L2": 0, "POWER_L3": 0}
    volts = {"VOLTAGE_L1": 100_000, "CURRENT_L1": volt_ampere * 10}
    return values(POWER=power_w, REGISTER=register_wh, **none, **volts)


def follow(follower: Follower, power_w: int, counted_w: int, seconds: int, at: int = 0) -> list:
    """Readings of one a second: the power shown, and the power that the register counts."""
    said = []
    for t in range(at, at + seconds):
        register_wh = 1_000_000 + counted_w * (t - at) // 3600 // 100 * 100
        said.append(follower.judge(load(power_w, abs(power_w), register_wh), t * 1000))
    return said


@pytest.mark.parametrize("power_w", [1380, 4140, 11_040, 22_080])
def test_a_register_that_follows_the_power(power_w):
    assert set(follow(Follower(100), power_w, power_w, 3600)) == {reasons.NONE}


@pytest.mark.parametrize(
    ("counted_w", "reason"),
    [(0, reasons.FROZEN), (11, reasons.FROZEN), (40_000, reasons.SCALE_MISMATCH)],
)
def test_a_register_that_does_not_follow_the_power(counted_w, reason):
    """Frozen, a thousandth of the power, several times of it: found within minutes at 11 kW."""
    said = follow(Follower(100), 11_040, counted_w, 600)
    assert said[-1] == reason
    assert set(said) <= {reasons.NONE, reason}


def test_a_meter_that_is_wired_backwards_does_not_count():
    assert follow(Follower(10), -11_040, 0, 600)[-1] == reasons.FROZEN


def test_a_frozen_register_is_believed_again_when_it_follows():
    follower = Follower(100)
    assert follow(follower, 11_040, 0, 600)[-1] == reasons.FROZEN
    assert follow(follower, 11_040, 11_040, 600, at=600)[-1] == reasons.NONE
    assert follow(follower, 11_040, 0, 600, at=1200)[-1] == reasons.FROZEN
    follower.forget()
    assert follower.judge(load(0, 0, 0), 1_800_000) == reasons.NONE


@pytest.mark.parametrize(
    ("power_w", "volt_ampere", "fits"),
    [
        (11_040, 11_040, True),
        (-11_040, 11_040, True),
        (11, 11_040, False),  # kW for W
        (22_080, 11_040, False),  # twice what volts and amperes give
        (10, 400, True),  # a small load, mostly reactive
        (90, 0, True),
        (500, 0, False),
    ],
)
def test_power_that_does_not_fit_volts_and_amperes_for_ten_seconds(power_w, volt_ampere, fits):
    """A single reading proves nothing: the load may have changed between two registers."""
    follower = Follower(100)
    said = [follower.judge(load(power_w, volt_ampere, 0), t * 1000) for t in range(11)]
    assert said[:10] == [reasons.NONE] * 10
    assert said[10] == (reasons.NONE if fits else reasons.SCALE_MISMATCH)
    assert follower.judge(load(0, 0, 0), 11_000) == reasons.NONE


@given(st.integers(0, 900_000_000), st.integers(0, 1_000_000_000), st.integers(0, 2 * MAX_W))
def test_no_step_of_the_arithmetic_needs_the_heap(start_wh, start_at, power_w):
    """Registers below 1,073 MWh, 12 days after boot."""
    register = Register(Small(MAX_W), Small(10))
    follower = Follower(Small(10))
    for t in range(20):
        now = Small(start_at + 1000 * t)
        register_wh = Small(start_wh + power_w * t // 3600)
        register.judge(register_wh, now)
        reading = load(power_w, power_w, register_wh)
        follower.judge([Small(value) for value in reading], now)
    assert register.last_wh == register_wh
    reading = [Small(value) for value in values()]
    assert plausible.check(reading, Small(MAX_W), Small(0)) == BELIEVED
    assert plausible.volt_amperes(reading) == 11_040


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({}, BELIEVED),
        ({"REGISTER": -1}, reasons.OUT_OF_RANGE),
        ({"REGISTER": 10_000_000_001}, reasons.OUT_OF_RANGE),
        ({"REGISTER": NOT_VALUE + reasons.NOT_A_NUMBER}, reasons.NOT_A_NUMBER),
        ({"REGISTER": NOT_VALUE + reasons.NOT_AVAILABLE}, reasons.NOT_AVAILABLE),
        ({"VOLTAGE_L2": 401_000}, reasons.OUT_OF_RANGE),
        ({"VOLTAGE_L2": -1}, reasons.OUT_OF_RANGE),
        ({"VOLTAGE_L1": 0, "VOLTAGE_L2": 0, "VOLTAGE_L3": 0}, reasons.OUT_OF_RANGE),
        ({"CURRENT_L3": 201_000}, reasons.OUT_OF_RANGE),
        ({"POWER_L1": 50_000}, reasons.OUT_OF_RANGE),
        ({"POWER": 50_000}, reasons.OUT_OF_RANGE),
        ({"POWER": -11_040}, BELIEVED),
        ({"POWER_L2": NOT_VALUE + reasons.NOT_A_NUMBER}, reasons.NOT_A_NUMBER),
    ],
)
def test_values_that_can_or_cannot_be_true(changes, reason):
    assert plausible.check(values(**changes), MAX_W, 0) == reason


def test_what_a_meter_need_not_measure():
    """One phase only; no export register, no frequency: that is no reason to doubt the rest."""
    none = NOT_VALUE + reasons.NOT_AVAILABLE
    reading = values(POWER=3680, POWER_L2=none, POWER_L3=none, CURRENT_L2=none, CURRENT_L3=none)
    reading[maps.VOLTAGE_L2] = reading[maps.VOLTAGE_L3] = none
    reading[maps.EXPORT] = none
    reading[maps.FREQUENCY] = NOT_VALUE + reasons.NOT_A_NUMBER
    assert plausible.check(reading, MAX_W, 77) == BELIEVED
    assert (reading[maps.POWER_L2], reading[maps.VOLTAGE_L3]) == (0, 0)
    assert (reading[maps.EXPORT], reading[maps.FREQUENCY]) == (77, 0)


def test_volt_amperes():
    assert plausible.volt_amperes(values()) == 11_040
    assert plausible.volt_amperes(values(CURRENT_L1=-16_000, CURRENT_L2=0)) == 7_360


def test_sum_of_phases():
    none = NOT_VALUE + reasons.NOT_AVAILABLE
    assert plausible.sum_of_phases(values()) == 11_040
    assert plausible.sum_of_phases(values(POWER_L2=none, POWER_L3=none)) == 3680
    assert plausible.sum_of_phases(values(POWER_L1=none)) == none
