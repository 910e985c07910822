"""Modbus registers to integers, by integer arithmetic alone.

No intermediate exceeds 30 bits for values below 2**30, so nothing is put on the ESP32's heap.
A value that cannot be believed comes back as NOT_VALUE + reason, below LOWEST.
Halves are rounded away from zero (for a register: up).
"""

from micropython import const

from .meter_reasons import NOT_A_NUMBER, NOT_AVAILABLE, OUT_OF_RANGE

NOT_VALUE = const(-1073741824)
LOWEST = const(-536870912)

# formats of a register: what it is, then what it is multiplied or divided by
F32 = const(0)  # IEEE 754 single, high word first
F32_X1000 = const(1)
F32_REGISTER = const(2)  # F32_X1000 that must be 0 or a sensible number
I32L_X100 = const(3)  # INT32, low word first (Carlo Gavazzi)
I32L = const(4)
I32L_D10 = const(5)
U32_X100 = const(6)  # UINT32, high word first (ABB)
U32_X10 = const(7)
I32_D100 = const(8)  # INT32, high word first (ABB)
U16_X10 = const(9)
U64_X10 = const(10)  # UINT64, high word first (ABB)

WORDS = (2, 2, 2, 2, 2, 2, 2, 2, 2, 1, 4)


def value(buf, at: int, form: int) -> int:
    """The integer at buf[at] in the given format, or NOT_VALUE + reason."""
    if form <= F32_REGISTER:
        number = float32(buf, at, 1 if form == F32 else 1000)
        # an integer misread as a float looks like 4e-43, a spoiled register like 2.5e-29
        if form == F32_REGISTER and number == 0 and _is_tiny(buf, at):
            return NOT_VALUE + OUT_OF_RANGE
        return number
    if form <= I32L_D10:
        raw = _int32(buf, at + 2, at)
        if raw <= LOWEST:
            return raw
        if form == I32L_X100:
            return raw * 100 if raw > LOWEST // 100 else NOT_VALUE + OUT_OF_RANGE
        return raw if form == I32L else divide(raw, 10)
    if form <= U32_X10:
        raw = _uint32(buf, at)
        if raw <= LOWEST:
            return raw
        return raw * 100 if form == U32_X100 else raw * 10
    if form == I32_D100:
        raw = _int32(buf, at, at + 2)
        return raw if raw <= LOWEST else divide(raw, 100)
    if form == U16_X10:
        raw = (buf[at] << 8) | buf[at + 1]
        return NOT_VALUE + NOT_AVAILABLE if raw == 0xFFFF else raw * 10
    assert form == U64_X10
    return _uint64(buf, at)


def float32(buf, at: int, scale: int) -> int:
    """IEEE 754 single (big-endian) x scale, rounded; scale 1..2**17.

    NaN and infinity are NOT_A_NUMBER, from 2**41 on it is OUT_OF_RANGE.
    """
    assert 0 < scale <= 1 << 17
    exponent = ((buf[at] & 0x7F) << 1) | (buf[at + 1] >> 7)
    high = ((buf[at + 1] & 0x7F) << 4) | (buf[at + 2] >> 4)
    low = ((buf[at + 2] & 0x0F) << 8) | buf[at + 3]
    if exponent == 255:
        return NOT_VALUE + NOT_A_NUMBER
    if exponent < 127 - 40:
        return 0
    if exponent > 127 + 40:
        return NOT_VALUE + OUT_OF_RANGE
    # the 24-bit mantissa is taken in two halves of 12 bits: x scale it would exceed 30 bits
    low *= scale
    high = (high | 0x800) * scale + (low >> 12)
    low &= 0xFFF
    shift = 150 - exponent
    if shift <= 0:
        result = ((high << 12) | low) << -shift
    elif shift <= 12:
        result = ((high << (12 - shift)) | (low >> shift)) + ((low >> (shift - 1)) & 1)
    else:
        result = (high >> (shift - 12)) + ((high >> (shift - 13)) & 1)
    if buf[at] & 0x80:
        return -result if result < -LOWEST else NOT_VALUE + OUT_OF_RANGE
    return result


def _is_tiny(buf, at: int) -> bool:
    """Not zero, but below 2**-40."""
    exponent = ((buf[at] & 0x7F) << 1) | (buf[at + 1] >> 7)
    zero = exponent == 0 and not (buf[at + 1] & 0x7F or buf[at + 2] or buf[at + 3])
    return exponent < 127 - 40 and not zero


def divide(raw: int, by: int) -> int:
    """raw / by, halves away from zero."""
    return (raw + by // 2) // by if raw >= 0 else -((by // 2 - raw) // by)


def _int32(buf, high_at: int, low_at: int) -> int:
    high = (buf[high_at] << 8) | buf[high_at + 1]
    low = (buf[low_at] << 8) | buf[low_at + 1]
    if high == 0x7FFF and low == 0xFFFF:
        return NOT_VALUE + NOT_AVAILABLE
    if high >= 0x8000:
        high -= 0x10000
    return NOT_VALUE + OUT_OF_RANGE if high < -0x1000 else (high << 16) | low


def _uint32(buf, at: int) -> int:
    high = (buf[at] << 8) | buf[at + 1]
    low = (buf[at + 2] << 8) | buf[at + 3]
    if high == 0xFFFF and low == 0xFFFF:
        return NOT_VALUE + NOT_AVAILABLE
    return (high << 16) | low


def _uint64(buf, at: int) -> int:
    ones = 0
    for i in range(at, at + 8):
        if buf[i] == 0xFF:
            ones += 1
    if ones == 8:
        return NOT_VALUE + NOT_AVAILABLE
    for i in range(at, at + 4):
        if buf[i]:
            return NOT_VALUE + OUT_OF_RANGE
    raw = _uint32(buf, at + 4)
    return NOT_VALUE + OUT_OF_RANGE if raw <= LOWEST else raw * 10
