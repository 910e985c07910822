"""What a register map is, and where that of each supported meter lies: maps/, one maker a file.

Addresses are 0-based, as on the wire. In one map no two requests have the same function and
length, so a late answer to one can never be taken for another's.
"""

from micropython import const

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


NAMES = ("sdm630", "sdm72d-m-v2", "em330", "em340", "pro380", "b23")


def find(name: str) -> Map:
    """The map of that name. ValueError tells the known names."""
    # only the maker's file that is needed is loaded
    if name in ("sdm630", "sdm72d-m-v2"):
        from .maps.eastron import find
    elif name in ("em330", "em340"):
        from .maps.gavazzi import find
    elif name == "pro380":
        from .maps.inepro import find
    elif name == "b23":
        from .maps.abb import find
    else:
        raise ValueError("meter %r is unknown; known are: %s" % (name, ", ".join(NAMES)))
    return find(name)
