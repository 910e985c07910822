"""ABB B23."""

from ..meter_maps import (
    CURRENT_L1,
    CURRENT_L2,
    CURRENT_L3,
    DECIMAL,
    EXPORT,
    FREQUENCY,
    MODEL,
    POWER,
    POWER_L1,
    POWER_L2,
    POWER_L3,
    REGISTER,
    SERIAL,
    TEXT,
    VOLTAGE_L1,
    VOLTAGE_L2,
    VOLTAGE_L3,
    Map,
)
from ..meter_values import I32_D100, U16_X10, U32_X10, U32_X100, U64_X10

_FIELDS = (
    (VOLTAGE_L1, 0, 0x5B00, U32_X100),
    (VOLTAGE_L2, 0, 0x5B02, U32_X100),
    (VOLTAGE_L3, 0, 0x5B04, U32_X100),
    (CURRENT_L1, 0, 0x5B0C, U32_X10),
    (CURRENT_L2, 0, 0x5B0E, U32_X10),
    (CURRENT_L3, 0, 0x5B10, U32_X10),
    (POWER, 0, 0x5B14, I32_D100),
    (POWER_L1, 0, 0x5B16, I32_D100),
    (POWER_L2, 0, 0x5B18, I32_D100),
    (POWER_L3, 0, 0x5B1A, I32_D100),
    (FREQUENCY, 0, 0x5B2C, U16_X10),
    (REGISTER, 1, 0x5000, U64_X10),
    (EXPORT, 1, 0x5004, U64_X10),
)
_BLOCKS = ((3, 0x5B00, 45), (3, 0x5000, 8))
_IDENTITY = ((MODEL, TEXT, 3, 0x8960, 6), (SERIAL, DECIMAL, 3, 0x8900, 2))


def find(name: str) -> Map:
    return Map("ABB", "B23", _BLOCKS, _FIELDS, _IDENTITY, ("B23",), parity="E")
