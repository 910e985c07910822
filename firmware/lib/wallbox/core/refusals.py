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

# (name on the wire, sentence for people); names of OCPP 1.6 where it has one
TABLE = (
    ("ConfigurationInvalid", "The configuration is not valid; repair config.json over USB."),
    ("PowerSwitchFailure", "The contactor does not follow its command; call the installer."),
    ("EVCommunicationError", "The control pilot is faulty; unplug the car and look at the cable."),
    ("LedgerFailure", "The box cannot store what it measures; call the operator."),
    ("MeterExchanged", "The sub-meter is not the one this box knows; call the operator."),
    ("PowerMeterFailure", "The sub-meter's values are not plausible; call the installer."),
    ("PowerMeterSilent", "The sub-meter does not answer; call the installer."),
    ("LedgerFull", "The memory for metered data is full; the box must get online first."),
)


def names(bits: int) -> list:
    """The names of all refusals in bits, the winner first."""
    found = []
    for bit in range(len(TABLE)):
        if bits >> bit & 1:
            found.append(TABLE[bit][0])
    return found
