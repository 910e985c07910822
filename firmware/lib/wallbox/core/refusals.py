"""Why the box gives no power: each reason is one bit of `state.refusals`, the lowest wins."""

from micropython import const

CONFIGURATION = const(0)
CONTACTOR = const(1)
PILOT = const(2)
LEDGER_FAILED = const(3)
METER_EXCHANGED = const(4)
METER_REFUSED = const(5)
METER_SILENT = const(6)
LEDGER_FULL = const(7)
SEAL = const(8)
CHIP_FOREIGN = const(9)
MOVED = const(10)
NOT_IN_SERVICE = const(11)
SUSPENDED = const(12)
ON_HOLD = const(13)
OFFLINE = const(14)
CURRENT = const(15)

# names on the wire, in the order of the bits; of OCPP 1.6 where it has one
_NAMES = (
    "ConfigurationInvalid PowerSwitchFailure EVCommunicationError LedgerFailure MeterExchanged "
    "PowerMeterFailure PowerMeterSilent LedgerFull TamperDetectionActivated ChipForeign Moved "
    "NotInService Suspended OnHold Offline CurrentWithoutContactor"
)


def all_names() -> list:
    """Every name, the index is the bit."""
    return _NAMES.split(" ")


def names(bits: int) -> list:
    """The names of all refusals in bits, the winner first."""
    if not bits:
        return []
    known = all_names()
    return [known[bit] for bit in range(len(known)) if bits >> bit & 1]
