"""Why the box gives no power: each reason is one bit of `state.refusals`, the lowest wins."""

from micropython import const

from . import fields

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

# name on the wire and a sentence for people, a line a bit; names of OCPP 1.6 where it has one
TABLE = (
    "ConfigurationInvalid The configuration is not valid; repair config.json over USB.\n"
    "PowerSwitchFailure The contactor does not follow its command; call the installer.\n"
    "EVCommunicationError The pilot shows a fault or a wish for ventilation; unplug the car.\n"
    "LedgerFailure The box cannot store what it measures; call the operator.\n"
    "MeterExchanged The sub-meter is not the one this box knows; call the operator.\n"
    "PowerMeterFailure The sub-meter's values are not plausible; call the installer.\n"
    "PowerMeterSilent The sub-meter does not answer; call the installer.\n"
    "LedgerFull The memory for metered data is full; the box must get online first.\n"
    "TamperDetectionActivated A seal was opened; call the operator.\n"
    "ChipForeign This configuration belongs to another box; call the installer.\n"
    "Moved The box seems to stand in another place; call the operator.\n"
    "NotInService The box is not in service; call the installer.\n"
    "Suspended The operator has suspended charging; call the operator.\n"
    "OnHold The subscription is on hold.\n"
    "Offline The box was offline for too long; check its Wi-Fi.\n"
    "CurrentWithoutContactor Current flows though the contactor is open; call the installer."
)


def table() -> list:
    """[(name, sentence), ...], the index is the bit."""
    return fields.table(TABLE)


def names(bits: int) -> list:
    """The names of all refusals in bits, the winner first."""
    found = []
    if bits:
        rows = table()
        for bit in range(len(rows)):
            if bits >> bit & 1:
                found.append(rows[bit][0])
    return found
