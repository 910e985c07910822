"""Registers to integers: exact, rounded once, and never a value from what is none."""

import math
import random
import struct
from fractions import Fraction
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers import meter_values as values

from tests.smallint import Small


def single(number: float) -> bytes:
    return struct.pack(">f", number)


def exactly(bits: bytes, scale: int) -> int:
    """What a float32 is worth x scale, halves away from zero, by fractions."""
    scaled = Fraction(struct.unpack(">f", bits)[0]) * scale
    return int(math.copysign(1, scaled)) * math.floor(abs(scaled) + Fraction(1, 2))


def reason(value: int) -> int:
    assert value <= values.LOWEST
    return value - values.NOT_VALUE


@given(st.binary(min_size=4, max_size=4), st.sampled_from([1, 10, 100, 1000]))
def test_float32_is_exact_or_refused(bits, scale):
    got = values.float32(bits, 0, scale)
    number = struct.unpack(">f", bits)[0]
    if math.isnan(number) or math.isinf(number):
        assert reason(got) == reasons.NOT_A_NUMBER
    elif abs(number) >= 2.0**41:
        assert reason(got) == reasons.OUT_OF_RANGE
    elif exactly(bits, scale) <= values.LOWEST:
        assert reason(got) == reasons.OUT_OF_RANGE
    else:
        assert got == exactly(bits, scale)


@given(st.floats(min_value=2**-40, max_value=2**24, width=32))
def test_kilowatt_hours_become_watt_hours(energy_kwh):
    wh = exactly(single(energy_kwh), 1000)
    assert values.value(single(energy_kwh), 0, values.F32_REGISTER) == wh
    assert values.value(single(energy_kwh), 0, values.F32_X1000) == wh


def test_ten_thousand_steps_of_a_float_register_equal_exact_arithmetic():
    """The register climbs by random steps; what is read is the float's exact value, rounded."""
    steps = random.Random(20)
    energy_wh = Fraction(0)
    last = 0
    for _ in range(10_000):
        energy_wh += Fraction(steps.randrange(0, 20_000_000), 1000)
        bits = single(float(energy_wh / 1000))
        got = values.float32(bits, 0, 1000)
        assert got == exactly(bits, 1000)
        assert got >= last
        last = got
    assert last > 90_000_000


@pytest.mark.parametrize(
    ("number", "wh"),
    [(0.0, 0), (-0.0, 0), (0.0004882812, 0), (0.00048828125, 0), (0.0009765625, 1)]
    + [(0.5, 500), (1.0, 1000), (0.0625 / 1000 * 8, 1), (16384.0, 16_384_000)]
    + [(180.2, 180_200), (16383.9990234375, 16_383_999), (999_999.0, 999_999_000)],
)
def test_known_floats(number, wh):
    assert values.float32(single(number), 0, 1000) == wh


def test_halves_go_up():
    assert values.float32(single(0.5), 0, 1) == 1
    assert values.float32(single(2.5), 0, 1) == 3
    assert values.float32(single(-2.5), 0, 1) == -3
    assert values.divide(25, 10) == 3
    assert values.divide(-25, 10) == -3
    assert values.divide(24, 10) == 2


def test_nan_infinity_and_misread_integers_are_no_values():
    assert reason(values.float32(single(math.nan), 0, 1)) == reasons.NOT_A_NUMBER
    assert reason(values.float32(single(math.inf), 0, 1)) == reasons.NOT_A_NUMBER
    for bits in (single(2.5e-29), bytes((0, 0, 1, 44)), bytes((0, 0, 0, 1))):
        assert reason(values.value(bits, 0, values.F32_REGISTER)) == reasons.OUT_OF_RANGE
        assert values.value(bits, 0, values.F32_X1000) == 0  # a current may well be as small
    assert values.value(bytes(4), 0, values.F32_REGISTER) == 0


@given(st.floats(min_value=0, max_value=1_000_000, width=32))
def test_no_step_of_the_arithmetic_needs_the_heap(energy_kwh):
    bits = [Small(byte) for byte in single(energy_kwh)]
    got = values.float32(bits, 0, 1000)
    assert got <= values.LOWEST or got == exactly(single(energy_kwh), 1000)


@given(st.integers(-(2**31), 2**31 - 2))
def test_int32_low_word_first(raw):
    high, low = raw >> 16 & 0xFFFF, raw & 0xFFFF
    got = values.value(struct.pack(">2H", low, high), 0, values.I32L)
    if raw < -0x10000000:
        assert reason(got) == reasons.OUT_OF_RANGE
    else:
        assert got == raw
        sign = -1 if raw < 0 else 1
        tenth = sign * math.floor(Fraction(abs(raw), 10) + Fraction(1, 2))
        assert values.value(struct.pack(">2H", low, high), 0, values.I32L_D10) == tenth
        hundredth = sign * math.floor(Fraction(abs(raw), 100) + Fraction(1, 2))
        assert values.value(struct.pack(">2H", high, low), 0, values.I32_D100) == hundredth


def test_carlo_gavazzi_register_of_a_tenth_kwh():
    assert values.value(bytes.fromhex("e240 0001"), 0, values.I32L_X100) == 12_345_600
    assert reason(values.value(bytes.fromhex("ffff 7fff"), 0, values.I32L)) == reasons.NOT_AVAILABLE
    assert (
        reason(values.value(bytes.fromhex("0000 f800"), 0, values.I32L_X100))
        == reasons.OUT_OF_RANGE
    )


@given(st.integers(0, 2**64 - 1))
def test_uint64(raw):
    got = values.value(struct.pack(">Q", raw), 0, values.U64_X10)
    if raw == 2**64 - 1 or raw == 2**32 - 1:
        assert reason(got) == reasons.NOT_AVAILABLE
    elif raw >= 2**32:
        assert reason(got) == reasons.OUT_OF_RANGE
    else:
        assert got == raw * 10


def test_all_ones_is_not_available():
    for form in (values.U32_X10, values.U32_X100, values.U64_X10, values.U16_X10):
        ones = b"\xff" * 2 * values.WORDS[form]
        assert reason(values.value(ones, 0, form)) == reasons.NOT_AVAILABLE
    assert reason(values.value(b"\x7f\xff\xff\xff", 0, values.I32_D100)) == reasons.NOT_AVAILABLE


DIGEST = """
from binascii import crc32
from wallbox.drivers.meter_values import value
digest = 0
state = 1
buf = bytearray(8)
for i in range(20000):
    for k in range(8):
        state = (state * 1103515245 + 12345) & 0x7FFFFFFF
        buf[k] = state >> 16 & 0xFF
    buf[0] = (0x44, 0x47, buf[0], 0x00)[i & 3]
    digest = crc32(b"%d" % value(buf, 0, i % 11), digest)
print(digest)
"""


def test_the_box_and_the_laptop_get_the_same_integers(micropython, capsys):
    printed = micropython.run(DIGEST)
    exec(DIGEST, {"crc32": crc32})
    assert capsys.readouterr().out == printed
