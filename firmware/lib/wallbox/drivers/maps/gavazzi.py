"""Carlo Gavazzi EM330 and EM340."""

from ..meter_maps import (
    CURRENT_L1,
    CURRENT_L2,
    CURRENT_L3,
    DECIMAL,
    EXPORT,
    MODEL,
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
from ..meter_values import I32L, I32L_D10, I32L_X100

_FIELDS = (
    (REGISTER, 0, 0x0112, I32L_X100),
    (EXPORT, 0, 0x0116, I32L_X100),
    (VOLTAGE_L1, 0, 0x0120, I32L_X100),
    (CURRENT_L1, 0, 0x0122, I32L),
    (POWER_L1, 0, 0x0124, I32L_D10),
    (VOLTAGE_L2, 0, 0x012E, I32L_X100),
    (CURRENT_L2, 0, 0x0130, I32L),
    (POWER_L2, 0, 0x0132, I32L_D10),
    (VOLTAGE_L3, 0, 0x013C, I32L_X100),
    (CURRENT_L3, 0, 0x013E, I32L),
    (POWER_L3, 0, 0x0140, I32L_D10),
)
_BLOCKS = ((4, 0x0112, 48),)
# 0x000B is the identification code only when it is read alone
_IDENTITY = ((MODEL, DECIMAL, 4, 0x000B, 1), (SERIAL, TEXT, 4, 0x5000, 7))


def find(name: str) -> Map:
    if name == "em330":
        model, codes = "EM330", ("331", "332")
    else:
        model, codes = "EM340", ("340", "341")
    return Map("Carlo Gavazzi", model, _BLOCKS, _FIELDS, _IDENTITY, codes, pause_ms=0, step_wh=100)
