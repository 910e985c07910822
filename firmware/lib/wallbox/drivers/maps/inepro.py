"""Inepro PRO380-Mod."""

from ..meter_maps import (
    CURRENT_L1,
    CURRENT_L2,
    CURRENT_L3,
    EXPORT,
    FREQUENCY,
    HEX,
    POWER,
    POWER_L1,
    POWER_L2,
    POWER_L3,
    REGISTER,
    SERIAL,
    VOLTAGE_L1,
    VOLTAGE_L2,
    VOLTAGE_L3,
    Map,
)
from ..meter_values import F32_REGISTER, F32_X1000

_FIELDS = (
    (VOLTAGE_L1, 0, 0x5002, F32_X1000),
    (VOLTAGE_L2, 0, 0x5004, F32_X1000),
    (VOLTAGE_L3, 0, 0x5006, F32_X1000),
    (FREQUENCY, 0, 0x5008, F32_X1000),
    (CURRENT_L1, 0, 0x500C, F32_X1000),
    (CURRENT_L2, 0, 0x500E, F32_X1000),
    (CURRENT_L3, 0, 0x5010, F32_X1000),
    (POWER, 0, 0x5012, F32_X1000),
    (POWER_L1, 0, 0x5014, F32_X1000),
    (POWER_L2, 0, 0x5016, F32_X1000),
    (POWER_L3, 0, 0x5018, F32_X1000),
    (REGISTER, 1, 0x600C, F32_REGISTER),
    (EXPORT, 1, 0x6018, F32_REGISTER),
)
_BLOCKS = ((3, 0x5002, 24), (3, 0x600C, 14))
_IDENTITY = ((SERIAL, HEX, 3, 0x4000, 2),)


def find(name: str) -> Map:
    return Map("Inepro", "PRO380", _BLOCKS, _FIELDS, _IDENTITY, (), parity="E")
