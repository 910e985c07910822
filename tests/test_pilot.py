"""From sampled voltages to the letters of IEC 61851-1, and from amperes to duty."""

import pytest
from wallbox.core import events
from wallbox.drivers.pilot import Pilot

UV_AT_MINUS_12V, UV_AT_PLUS_12V = 200_000, 2_900_000


class Wave:
    """The pilot line: 1 kHz between high_mv and -12 V, an ADC reading each 80 microseconds."""

    def __init__(self):
        self.high_mv, self.low_mv = 12_000, -12_000
        self.duty_permille = 1000
        self.time_us = 0

    def duty_u16(self, value: int) -> None:
        self.duty_permille = value * 1000 // 65_535

    def read_uv(self) -> int:
        self.time_us += 80
        high = self.time_us % 1000 < self.duty_permille
        level_mv = self.high_mv if high else self.low_mv
        span_uv = UV_AT_PLUS_12V - UV_AT_MINUS_12V
        return UV_AT_MINUS_12V + (level_mv + 12_000) * span_uv // 24_000


@pytest.fixture
def wave():
    return Wave()


@pytest.fixture
def pilot(wave):
    return Pilot(wave, wave, UV_AT_MINUS_12V, UV_AT_PLUS_12V)


def settle(pilot) -> str:
    while not pilot.sample():
        pass
    return events.LETTERS[pilot.letter]


@pytest.mark.parametrize(
    ("volts", "letter"),
    [(12, "A"), (9, "B"), (6, "C"), (3, "D"), (0, "E"), (-12, "F"), (8.4, "B"), (5.5, "C")],
)
def test_each_voltage_is_a_letter_with_an_offer_and_after_it(pilot, wave, volts, letter):
    pilot.set_duty(266)
    wave.high_mv = int(volts * 1000)
    wave.low_mv = min(wave.low_mv, wave.high_mv)
    assert settle(pilot) == letter
    pilot.set_duty(1000)
    assert not pilot.sample() and not pilot.sample()
    assert events.LETTERS[pilot.band()] == letter


@pytest.mark.parametrize(("volts", "letter"), [(12, "A"), (9, "B"), (6, "B"), (3, "B"), (0, "E")])
def test_what_wants_power_before_an_offer_is_connected_at_most(pilot, wave, volts, letter):
    wave.high_mv = volts * 1000
    assert settle(pilot) == letter
    assert not pilot.sample()


def test_an_old_car_that_shows_c_at_once_charges_after_the_offer(pilot, wave):
    wave.high_mv = 6_000
    assert settle(pilot) == "B"
    pilot.set_duty(266)
    assert settle(pilot) == "C"
    pilot.set_duty(1000)  # asked to pause, it goes on drawing: that is seen
    assert not pilot.sample() and not pilot.sample()


def test_one_odd_sample_changes_nothing(pilot, wave):
    wave.high_mv = 9_000
    settle(pilot)
    wave.high_mv = 6_000
    assert not pilot.sample()
    wave.high_mv = 9_000
    assert not pilot.sample() and not pilot.sample()
    assert events.LETTERS[pilot.letter] == "B"


def test_a_load_without_the_cars_diode_is_a_fault(pilot, wave):
    pilot.set_duty(266)
    wave.high_mv, wave.low_mv = 6_000, -6_000
    assert settle(pilot) == "E"


@pytest.mark.parametrize("resistor_mv", [9_000, 6_000, 3_000])
def test_a_missing_diode_is_remembered_until_it_is_unplugged(pilot, wave, resistor_mv):
    wave.high_mv, wave.low_mv = resistor_mv, -resistor_mv
    assert settle(pilot) == "B"
    for duty_permille in (266, 1000, 266, 1000):
        pilot.set_duty(duty_permille)
        for _ in range(4):
            pilot.sample()
        assert events.LETTERS[pilot.letter] == "E"
    wave.high_mv, wave.low_mv = 12_000, -12_000
    assert settle(pilot) == "A"
    wave.high_mv = 9_000
    assert settle(pilot) == "B"


def test_voltages_are_read_to_a_tenth_of_a_volt(pilot, wave):
    wave.high_mv = 6_120
    pilot.set_duty(500)
    settle(pilot)
    assert abs(pilot.high_mv - 6_120) < 100 and abs(pilot.low_mv + 12_000) < 100


def test_duty_is_set_in_per_mille(pilot, wave):
    pilot.set_duty(266)
    assert 265 <= wave.duty_permille <= 266
    pilot.set_duty(1000)
    assert wave.duty_permille == 1000
