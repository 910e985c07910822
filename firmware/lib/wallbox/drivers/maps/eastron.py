"""Eastron SDM630 and SDM72D-M v2."""

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
    VOLTAGE_L1,
    VOLTAGE_L2,
    VOLTAGE_L3,
    Map,
)
from ..meter_values import F32, F32_REGISTER, F32_X1000

_FIELDS = (
    (VOLTAGE_L1, 0, 0x0000, F32_X1000),
    (VOLTAGE_L2, 0, 0x0002, F32_X1000),
    (VOLTAGE_L3, 0, 0x0004, F32_X1000),
    (CURRENT_L1, 0, 0x0006, F32_X1000),
    (CURRENT_L2, 0, 0x0008, F32_X1000),
    (CURRENT_L3, 0, 0x000A, F32_X1000),
    (POWER_L1, 0, 0x000C, F32),
    (POWER_L2, 0, 0x000E, F32),
    (POWER_L3, 0, 0x0010, F32),
    (POWER, 0, 0x0034, F32),
    (FREQUENCY, 1, 0x0046, F32_X1000),
    (REGISTER, 1, 0x0048, F32_REGISTER),
    (EXPORT, 1, 0x004A, F32_REGISTER),
)
_BLOCKS = ((4, 0x0000, 54), (4, 0x0046, 6))
# two requests, for not every firmware lets both be read at once
_IDENTITY = ((MODEL, DECIMAL, 3, 0xFC02, 1), (SERIAL, DECIMAL, 3, 0xFC00, 2))


def find(name: str) -> Map:
    if name == "sdm630":
        model, codes = "SDM630", ("112", "121")
    else:
        model, codes = "SDM72D-M v2", ("135", "137")
    return Map("Eastron", model, _BLOCKS, _FIELDS, _IDENTITY, codes, pause_ms=100)
