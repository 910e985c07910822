"""The meter driver on a line in simulated time: what it reports, and what it never reports."""

import random
import struct
from fractions import Fraction

import pytest
from wallbox.drivers import meter as driver_module
from wallbox.drivers import meter_maps
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers.meter import IDENTITY, READING, REFUSED, SILENT, SUSPECT
from wallbox.drivers.meter_texts import NAMES, explain

from tests.meterline import Line, codes, frame

HOUR = 3_600_000
ALL = pytest.mark.parametrize("name", meter_maps.NAMES)


def charging(name: str = "sdm630", **options) -> Line:
    """A car draws 3 x 16 A; the register stands at 12,345.678 kWh."""
    line = Line(name, **options)
    line.state.import_wh = Fraction(12_345_678)
    line.load(3680, 3680, 3680)
    return line


def running(line: Line, **options) -> driver_module.Meter:
    """A driver that has given its first reading."""
    driver = line.driver(**options)
    assert codes(line.run(driver, line.now + 20_000, stop_at=READING))[-1] == READING
    return driver


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


def test_silence_and_return():
    line = charging()
    driver = running(line)
    line.answer = lambda request, honest: b""
    start = line.now
    said = line.run(driver, start + 120_000)
    assert codes(said) == [SILENT]
    assert said[0][0] - start < 3000
    assert driver.silent
    tries = [at for at, _ in line.requests if at > start]
    assert max(b - a for a, b in zip(tries, tries[1:], strict=False)) < 11_000
    line.answer = None
    back = line.now
    said = line.run(driver, back + 15_000)
    assert codes(said)[:2] == [IDENTITY, READING]
    assert said[1][0] - back < 12_000
    assert not driver.silent


def test_silence_is_explained():
    """A wrong parity cannot be told from silence, nor can swapped wires."""
    line = charging()
    driver = line.driver("pro380", address=7)
    assert codes(line.run(driver, 5000)) == [SILENT]
    assert driver.explain() == (
        "meter PRO380, address 7, 9600 baud 8E1: Silent: no answer: check address, baud rate, "
        "parity N/E, and A/B swapped"
    )


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


def test_another_serial_after_a_silence():
    line = charging()
    driver = running(line)
    old = driver.identity.meter_id
    line.answer = lambda request, honest: b""
    line.run(driver, line.now + 5000)
    line.state.serial = "21639999"
    line.answer = None
    said = line.run(driver, line.now + 60_000)
    assert codes(said) == [IDENTITY, REFUSED]
    assert said[1][2] == reasons.METER_EXCHANGED
    assert driver.identity.meter_id == 21639999 != old
    assert "21639999" in driver.explain()
    driver.accept()
    assert codes(line.run(driver, line.now + 3000))[:2] == [IDENTITY, READING]
    # the old one is now the foreign one
    line.state.serial = line.model.serial
    line.answer = lambda request, honest: b""
    line.run(driver, line.now + 5000)
    line.answer = None
    assert codes(line.run(driver, line.now + 20_000)) == [IDENTITY, REFUSED]


def test_resume_knows_the_meter_and_its_register():
    line = charging()
    driver = line.driver()
    driver.resume(12_345_600, 21630001)
    assert codes(line.run(driver, 2000))[:2] == [IDENTITY, READING]
    driver = charging().driver()
    driver.resume(12_345_600, 4711)
    line = driver._uart
    assert codes(line.run(driver, 30_000)) == [IDENTITY, REFUSED]
    assert driver.blocked == reasons.METER_EXCHANGED
    driver = charging().driver()
    driver.resume(12_345_690, 21630001)
    line = driver._uart
    said = line.run(driver, 2000)
    assert codes(said) == [IDENTITY, SUSPECT, SUSPECT, REFUSED]
    assert driver.blocked == reasons.REGRESS


@pytest.mark.parametrize(("name", "other"), [("em340", "em330"), ("sdm630", "sdm72d-m-v2")])
def test_the_wrong_model_is_refused_by_name(name, other):
    line = charging(other)
    driver = line.driver(name)
    assert codes(line.run(driver, 60_000)) == [REFUSED]
    assert driver.blocked == reasons.WRONG_METER
    found = str(line.model.code)
    assert f"{found} serial {line.model.serial}" in driver.explain()
    assert driver.reading.read_at_ms == -1
    # the operator knows better
    line = charging(other)
    driver = line.driver(name, models=(found,))
    assert codes(line.run(driver, 3000))[:2] == [IDENTITY, READING]


def test_only_the_configured_serial_is_believed():
    line = charging("em340")
    driver = line.driver(serial="KW00000")
    assert codes(line.run(driver, 5000)) == [REFUSED]
    assert driver.explain().endswith(
        "found Carlo Gavazzi EM340 serial KW34004, configured serial KW00000; "
        "not the configured model or serial: check meter and configuration"
    )
    line = charging("em340")
    assert codes(line.run(line.driver(serial="KW34004"), 3000))[:2] == [IDENTITY, READING]


def test_a_meter_that_offers_no_identity_is_read_all_the_same():
    line = charging()

    def answer(request, honest):
        return frame(1, 0x83, 2) if request[1] == 3 else honest

    line.answer = answer
    driver = line.driver()
    assert codes(line.run(driver, 3000))[:2] == [IDENTITY, READING]
    assert driver.identity.pack() == b"Eastron|SDM630|"
    assert driver.identity.meter_id > 0
    line = charging()
    line.answer = answer
    assert codes(line.run(line.driver(serial="21630001"), 3000)) == [REFUSED]


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (lambda request, honest: frame(2, *honest[1:-2]), reasons.UNIT_MISMATCH),
        (lambda request, honest: honest[:-1] + b"\x00", reasons.BAD_CRC),
        (lambda request, honest: frame(1, request[1] | 0x80, 4), reasons.EXCEPTION),
        (lambda request, honest: frame(1, request[1], 2, 0, 0), reasons.WRONG_ANSWER),
        (lambda request, honest: b"\x00\xff\x00", reasons.BUS_NOISE),
    ],
)
def test_bad_answers_are_reported_with_their_cause(answer, reason):
    line = charging()
    driver = running(line)
    line.answer = answer
    said = line.run(driver, line.now + 60_000)
    assert codes(said) == [REFUSED]
    assert driver.blocked == reason
    line.answer = None
    assert codes(line.run(driver, line.now + 15_000))[:2] == [IDENTITY, READING]
    assert driver.blocked == 0


@pytest.mark.parametrize("noise", [b"\x00", b"\xff\x00\x00"])
def test_noise_around_each_answer_costs_nothing(noise):
    line = charging()
    line.answer = lambda request, honest: noise + honest + b"\x00"
    driver = running(line)
    said = line.run(driver, line.now + 30_000)
    assert set(codes(said)) == {READING}
    assert len(said) >= 29
    assert driver.master.retries == 0


def test_byte_gaps_and_echo_cost_nothing():
    line = charging()
    line.echo = True
    line.answer = lambda request, honest: [(0, honest[:9]), (49, honest[9:])]
    driver = running(line)
    said = line.run(driver, line.now + 30_000)
    assert set(codes(said)) == {READING}
    assert driver.master.retries == 0


def test_every_third_answer_spoiled_and_no_reading_lost():
    dice = random.Random(3)
    line = charging("em340")

    def answer(request, honest):
        return honest if dice.random() > 1 / 3 else bytes(reversed(honest))

    line.answer = answer
    driver = running(line)
    said = line.run(driver, line.now + 120_000)
    assert codes(said).count(READING) >= 110
    assert driver.master.retries > 20


def test_a_dead_uart_is_silence():
    line = charging()
    driver = running(line)

    def fail(data=None):
        raise OSError(5)

    line.write = line.any = fail
    assert codes(line.run(driver, line.now + 20_000)) == [SILENT]
    assert driver.reason == reasons.BUS_ERROR
    del line.write, line.any
    assert codes(line.run(driver, line.now + 15_000))[:2] == [IDENTITY, READING]


def test_a_frozen_register_is_found():
    line = charging("em340")
    driver = running(line)
    line.advance_energy = lambda: None
    said = line.run(driver, line.now + 600_000)
    assert codes(said)[-1] == REFUSED
    assert driver.blocked == reasons.FROZEN
    assert said[-1][0] < 400_000


def test_a_wrong_map_never_gives_a_reading():
    """Each map on each other maker's meter: silence or a refusal, but no value."""
    for name in meter_maps.NAMES:
        for other in meter_maps.NAMES:
            line = charging(other)
            driver = line.driver(name)
            said = line.run(driver, 20_000)
            if name == other:
                assert READING in codes(said)
            else:
                assert READING not in codes(said), (name, other)
                assert driver.blocked or driver.silent


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


def test_each_reason_has_one_line():
    line = charging()
    driver = running(line)
    for reason in range(len(NAMES)):
        driver.reason = reason
        text = explain(driver)
        assert NAMES[reason] in text
        assert len(text) < 240 and "\n" not in text
