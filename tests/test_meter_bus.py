"""The meter driver when the line or the meter on it is not as it should be."""

import random

import pytest
from wallbox.drivers import meter_maps
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers.meter import IDENTITY, READING, REFUSED, SILENT, SUSPECT
from wallbox.drivers.meter_texts import NAMES, explain

from tests.meterline import charging, codes, frame, running


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


def test_a_serial_that_is_not_told_for_once_is_no_other_meter():
    line = charging()
    driver = running(line)
    line.answer = lambda request, honest: b""
    line.run(driver, line.now + 5000)
    line.answer = lambda request, honest: frame(1, 0x83, 1) if request[1] == 3 else honest
    assert codes(line.run(driver, line.now + 30_000)) == [REFUSED]
    assert driver.blocked == reasons.EXCEPTION
    line.answer = None
    assert codes(line.run(driver, line.now + 15_000))[:2] == [IDENTITY, READING]


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


def test_each_reason_has_one_line():
    line = charging()
    driver = running(line)
    for reason in range(len(NAMES)):
        driver.reason = reason
        text = explain(driver)
        assert NAMES[reason] in text
        assert len(text) < 240 and "\n" not in text
