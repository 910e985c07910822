"""The meter driver on a line in simulated time: what it reports, and what it never reports."""

import random
import struct
from fractions import Fraction

import pytest
from wallbox.drivers import meter_maps
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers.meter import IDENTITY, READING, REFUSED, SUSPECT

from tests.meterline import charging, codes, frame, running

HOUR = 3_600_000
ALL = pytest.mark.parametrize("name", meter_maps.NAMES)


def float_register(wh: float) -> list[int]:
    return list(struct.pack(">f", wh / 1000))


def with_register(*body: int):
    """An `answer` that puts other bytes into the SDM630's import register."""

    def answer(request, honest):
        if request[1] == 4 and request[3] == 0x46:
            return frame(*honest[:7], *body, *honest[11:-2])
        return honest

    return answer


@ALL
def test_first_the_identity_then_a_reading_each_second(name):
    line = charging(name)
    driver = line.driver()
    said = line.run(driver, 10_000)
    assert codes(said) == [IDENTITY] + [READING] * (len(said) - 1)
    assert driver.identity.vendor == line.model.vendor
    assert driver.identity.serial == line.model.serial
    assert said[1][0] < 1300
    assert [b[0] - a[0] for a, b in zip(said[2:], said[3:], strict=False)] == [1000] * (
        len(said) - 3
    )
    assert (driver.master.retries, driver.master.stray, driver.blocked) == (0, 0, 0)


@ALL
def test_the_register_is_the_meters_to_the_watt_hour(name):
    line = charging(name)
    driver = running(line)
    at_request = {}

    def answer(request, honest):
        at_request[line.model.register_wh(line.state)] = True
        return honest

    line.answer = answer
    last_wh = driver.reading.register_wh
    for _ in range(200):
        line.run(driver, line.now + 5000, stop_at=READING)
        reading = driver.reading
        assert reading.register_wh in at_request
        assert reading.register_wh >= last_wh
        last_wh = reading.register_wh
        assert line.now - reading.read_at_ms < 200
    # 200 s at 11.04 kW
    assert abs(last_wh - (12_345_678 + 11_040 * line.now // 3_600_000)) <= 110
    assert (reading.power_w, reading.power_l2_w) == (11_040, 3680)
    assert (reading.current_l3_ma, reading.voltage_l1_mv) == (16_000, 230_000)


@pytest.mark.parametrize("answer_ms", [5, 40, 100, 200, 300, 400, 500])
@ALL
def test_no_poll_is_missed_however_slow_the_meter_answers(name, answer_ms):
    """One block a poll: each second. Two blocks of 500 ms each take longer, and lose nothing."""
    line = charging(name, answer_ms=answer_ms)
    driver = running(line)
    start = line.now
    said = line.run(driver, start + 30_000)
    assert set(codes(said)) == {READING}
    assert driver.master.retries == 0
    period = (said[-1][0] - said[0][0]) / (len(said) - 1)
    if len(driver.map.blocks) == 1 or answer_ms <= 300:
        assert abs(period - 1000) < 10
    else:
        assert period < 1400


def test_want_brings_a_reading_that_was_taken_after_it():
    line = charging()
    driver = running(line)
    line.run(driver, 5000)
    assert driver.due > line.now + 200
    driver.want()
    asked = line.now
    said = line.run(driver, asked + 2000, stop_at=READING)
    assert codes(said) == [READING]
    assert asked < driver.reading.read_at_ms <= line.now < asked + 500
    # in the middle of a poll: this one ends, another begins
    line.run(driver, driver.due + 50)
    driver.want()
    asked = line.now
    said = line.run(driver, asked + 900)
    assert codes(said) == [READING, READING]
    assert driver.reading.read_at_ms > asked


def test_few_calls_are_enough():
    """The owner may sleep until `due`."""
    line = charging()
    driver = running(line)
    calls = 0
    service = driver.service

    def counted(now):
        nonlocal calls
        calls += 1
        return service(now)

    driver.service = counted
    said = line.run(driver, line.now + 20_000)
    assert len(said) >= 19
    assert calls / len(said) < 45


def test_a_spike_never_reaches_the_register():
    """180.2, 5000, 180.4 kWh: told, read again at once, and the charge goes on."""
    line = charging()
    line.state.import_wh = Fraction(180_200)
    driver = running(line)

    def once(request, honest):
        spoiled = with_register(*float_register(5_000_000))(request, honest)
        if spoiled != honest:
            line.answer = None
        return spoiled

    line.answer = once
    said = line.run(driver, line.now + 1500)
    assert codes(said)[:2] == [SUSPECT, READING]
    assert SUSPECT not in codes(said)[1:]
    assert said[0][2] == reasons.IMPOSSIBLE_SLOPE
    assert said[1][0] - said[0][0] < 600
    assert driver.refused_wh == 5_000_000
    assert driver.blocked == 0
    assert 180_200 <= driver.reading.register_wh < 180_220


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (float_register(5_000_000), reasons.IMPOSSIBLE_SLOPE),
        (float_register(180_199), reasons.REGRESS),
        ([0, 0, 0, 0], reasons.REGRESS),
        (list(struct.pack(">f", 2.5e-29)), reasons.OUT_OF_RANGE),
        (list(struct.pack(">f", float("nan"))), reasons.NOT_A_NUMBER),
        (list(struct.pack(">f", float("inf"))), reasons.NOT_A_NUMBER),
        (list(struct.pack(">f", -180.2)), reasons.OUT_OF_RANGE),
    ],
)
def test_a_wrong_register_that_stays_blocks_until_it_is_gone(body, reason):
    line = charging()
    line.state.import_wh = Fraction(180_200)
    driver = running(line)
    good = driver.reading.register_wh
    line.answer = with_register(*body)
    said = line.run(driver, line.now + 30_000)
    assert codes(said) == [SUSPECT, SUSPECT, REFUSED]
    assert {why for _, _, why in said} == {reason}
    assert driver.blocked == reason
    assert driver.reading.register_wh == good
    assert line.now - driver.reading.read_at_ms > 29_000
    line.answer = None
    assert codes(line.run(driver, line.now + 2000))[0] == READING
    assert driver.blocked == 0


def test_a_reset_register_is_believed_once_it_is_accepted():
    line = charging()
    driver = running(line)
    line.state.import_wh = Fraction(0)
    said = line.run(driver, line.now + 60_000)
    assert codes(said) == [SUSPECT, SUSPECT, REFUSED]
    assert driver.blocked == reasons.REGRESS
    assert "after 12345" in driver.explain()
    driver.accept()
    said = line.run(driver, line.now + 3000)
    assert codes(said)[:2] == [IDENTITY, READING]
    assert driver.reading.register_wh < 1000


def test_the_register_after_a_silence_is_checked_against_the_one_before():
    line = charging()
    driver = running(line)
    before = driver.reading.register_wh
    line.answer = lambda request, honest: b""
    line.load(0, 0, 0)
    line.run(driver, line.now + HOUR)
    line.state.import_wh += 30_000  # more than 24.96 kW can bring in an hour
    line.answer = None
    said = line.run(driver, line.now + 20_000)
    assert codes(said) == [IDENTITY, SUSPECT, SUSPECT, REFUSED]
    assert driver.blocked == reasons.IMPOSSIBLE_SLOPE
    assert driver.reading.register_wh == before


def test_a_frozen_register_is_found():
    line = charging("em340")
    driver = running(line)
    line.advance_energy = lambda: None
    said = line.run(driver, line.now + 600_000)
    assert codes(said)[-1] == REFUSED
    assert driver.blocked == reasons.FROZEN
    assert said[-1][0] < 400_000


def test_whatever_the_answers_hold_the_register_stays_possible():
    """5,000 answers with sound CRC and random content: what is believed could have happened."""
    dice = random.Random(16)
    line = charging(answer_ms=5)
    driver = running(line, period_ms=250)

    def answer(request, honest):
        if dice.random() < 0.5:
            return honest
        body = bytearray(honest[:-2])
        for _ in range(dice.randint(1, 4)):
            body[dice.randrange(3, len(body))] = dice.randrange(256)
        return frame(*body)

    line.answer = answer
    last_wh, last_at = driver.reading.register_wh, driver.reading.read_at_ms
    readings = 0
    while len(line.requests) < 5_000:
        code = line.run(driver, line.now + 60_000, stop_at=READING)[-1][1]
        if code != READING:
            continue
        readings += 1
        now_wh, now_at = driver.reading.register_wh, driver.reading.read_at_ms
        bound_wh = 14 + 24_960 * ((now_at - last_at) // 1000 + 11) // 3600
        assert 0 <= now_wh - last_wh <= bound_wh
        last_wh, last_at = now_wh, now_at
    assert readings > 300 and driver.suspects > 300
