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

# name on the wire and a sentence for people, a line a bit; names of OCPP 1.6 where it has one
TABLE = (
    "ConfigurationInvalid The configuration is not valid; repair config.json over USB.\n"
    "PowerSwitchFailure The contactor does not follow its command; call the installer.\n"
    "EVCommunicationError The pilot shows a fault or a wish for ventilation; unplug the car.\n"
    "LedgerFailure The box cannot store what it measures; call the operator.\n"
    "MeterExchanged The sub-meter is not the one this box knows; call the operator.\n"
    "PowerMeterFailure The sub-meter's values are not plausible; call the installer.\n"
    "PowerMeterSilent The sub-meter does not answer; call the installer.\n"
    "LedgerFull The memory for metered data is full; the box must get online first."
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
