"""Register maps of the supported meters, as data; docs/meters.md has the sources line by line.

Addresses are 0-based, as on the wire. In one map no two requests have the same function and
length, so a late answer to one can never be taken for another's.
"""

from micropython import const

from .meter_values import (
    F32,
    F32_REGISTER,
    F32_X1000,
    I32_D100,
    I32L,
    I32L_D10,
    I32L_X100,
    U16_X10,
    U32_X10,
    U32_X100,
    U64_X10,
)

# fields of a reading; the unit is Wh, W, mA, mV, mHz
REGISTER = const(0)
EXPORT = const(1)
POWER = const(2)
POWER_L1 = const(3)
POWER_L2 = const(4)
POWER_L3 = const(5)
CURRENT_L1 = const(6)
CURRENT_L2 = const(7)
CURRENT_L3 = const(8)
VOLTAGE_L1 = const(9)
VOLTAGE_L2 = const(10)
VOLTAGE_L3 = const(11)
FREQUENCY = const(12)
FIELDS = const(13)

# what an identity request asks for, and how the answer is written
MODEL = const(0)
SERIAL = const(1)
DECIMAL = const(0)
HEX = const(1)
TEXT = const(2)


class Map:
    """One meter model.

    blocks: (function, address, count) per poll, the register's last.
    fields: (field, block, address, format); without POWER it is the sum of the phases.
    identity: (what, notation, function, address, count).
    models: identification codes or first words of the type text that this map fits; () = the
    meter does not tell.
    step_wh: the register's smallest step. pause_ms: kept between two requests.
    """

    def __init__(self, vendor, model, blocks, fields, identity, models, **rest):
        self.vendor = vendor
        self.model = model
        self.blocks = blocks
        self.fields = fields
        self.identity = identity
        self.models = models
        self.baud = rest.get("baud", 9600)
        self.parity = rest.get("parity", "N")
        self.pause_ms = rest.get("pause_ms", 60)
        self.step_wh = rest.get("step_wh", 10)


_EASTRON = (
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
_EASTRON_BLOCKS = ((4, 0x0000, 54), (4, 0x0046, 6))
# two requests, for not every firmware lets both be read at once
_EASTRON_IDENTITY = ((MODEL, DECIMAL, 3, 0xFC02, 1), (SERIAL, DECIMAL, 3, 0xFC00, 2))

_GAVAZZI = (
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
_GAVAZZI_BLOCKS = ((4, 0x0112, 48),)
# 0x000B is the identification code only when it is read alone
_GAVAZZI_IDENTITY = ((MODEL, DECIMAL, 4, 0x000B, 1), (SERIAL, TEXT, 4, 0x5000, 7))

_INEPRO = (
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

_ABB = (
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


def _eastron(model, models):
    return Map(
        "Eastron",
        model,
        _EASTRON_BLOCKS,
        _EASTRON,
        _EASTRON_IDENTITY,
        models,
        pause_ms=100,
    )


def _gavazzi(model, models):
    return Map(
        "Carlo Gavazzi",
        model,
        _GAVAZZI_BLOCKS,
        _GAVAZZI,
        _GAVAZZI_IDENTITY,
        models,
        pause_ms=0,
        step_wh=100,
    )


NAMES = ("sdm630", "sdm72d-m-v2", "em330", "em340", "pro380", "b23")


def find(name: str) -> Map:
    """The map of that name. ValueError tells the known names."""
    if name == "sdm630":
        return _eastron("SDM630", ("112", "121"))
    if name == "sdm72d-m-v2":
        return _eastron("SDM72D-M v2", ("135", "137"))
    if name == "em330":
        return _gavazzi("EM330", ("331", "332"))
    if name == "em340":
        return _gavazzi("EM340", ("340", "341"))
    if name == "pro380":
        return Map(
            "Inepro",
            "PRO380",
            ((3, 0x5002, 24), (3, 0x600C, 14)),
            _INEPRO,
            ((SERIAL, HEX, 3, 0x4000, 2),),
            (),
            parity="E",
        )
    if name == "b23":
        return Map(
            "ABB",
            "B23",
            ((3, 0x5B00, 45), (3, 0x5000, 8)),
            _ABB,
            ((MODEL, TEXT, 3, 0x8960, 6), (SERIAL, DECIMAL, 3, 0x8900, 2)),
            ("B23",),
            parity="E",
        )
    raise ValueError("meter %r is unknown; known are: %s" % (name, ", ".join(NAMES)))
