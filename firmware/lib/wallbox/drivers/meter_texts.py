"""Names of the reasons, and one line for each: what, where, what to do.

Imported only when somebody asks.
"""

from . import meter_reasons as reasons

NAMES = (
    "None",
    "Silent",
    "BadCrc",
    "UnitMismatch",
    "WrongAnswer",
    "Exception",
    "BusNoise",
    "BusError",
    "NotANumber",
    "OutOfRange",
    "NotAvailable",
    "ScaleMismatch",
    "Regress",
    "Rollover",
    "ImpossibleSlope",
    "Frozen",
    "Unconfirmed",
    "WrongMeter",
    "MeterExchanged",
)

_TEXTS = {
    reasons.NONE: "all is well",
    reasons.SILENT: "no answer: check address, baud rate, parity N/E, and A/B swapped",
    reasons.BAD_CRC: "answers are spoiled on the wire: check A/B, termination, shield, baud rate",
    reasons.UNIT_MISMATCH: "another address answers: check the address set on the meter",
    reasons.WRONG_ANSWER: "not the answer that was asked for: two meters with one address?",
    reasons.EXCEPTION: "the meter refuses the request: check that the map is the meter's",
    reasons.BUS_NOISE: "bytes without sense on the bus: check A/B, termination, shield",
    reasons.BUS_ERROR: "the UART refuses to send: check the board's pins",
    reasons.NOT_A_NUMBER: "a value is no number: check that the map is the meter's",
    reasons.OUT_OF_RANGE: "a value is physically impossible: check that the map is the meter's",
    reasons.NOT_AVAILABLE: "the meter does not measure a value that is needed: check its model",
    reasons.SCALE_MISMATCH: "power, current and register do not fit each other: check the map",
    reasons.REGRESS: "register went back: meter reset or exchanged? the operator must accept it",
    reasons.ROLLOVER: "register has rolled over: the operator must accept it",
    reasons.IMPOSSIBLE_SLOPE: "register rose more than can be drawn: check the meter, or accept it",
    reasons.FROZEN: "register does not follow the power: frozen, or the meter is wired backwards",
    reasons.UNCONFIRMED: "two readings in a row never agree: check the meter",
    reasons.WRONG_METER: "not the configured model or serial: check meter and configuration",
    reasons.METER_EXCHANGED: "it is not the meter of the ledger: the operator must accept it",
}


def explain(meter) -> str:
    """The meter driver's `reason` as one line."""
    where = "meter %s, address %d, %d baud 8%s1" % (
        meter.map.model,
        meter.address,
        meter.baud,
        meter.parity,
    )
    reason = meter.reason
    text = _TEXTS[reason]
    if reason == reasons.EXCEPTION:
        text = "exception %d; %s" % (meter.master.exception, text)
    elif reason in (reasons.REGRESS, reasons.ROLLOVER, reasons.IMPOSSIBLE_SLOPE):
        text = "%d Wh after %d Wh; %s" % (meter.refused_wh, meter.last_wh, text)
    elif reason in (reasons.WRONG_METER, reasons.METER_EXCHANGED):
        found = meter.identity
        text = "found %s %s serial %s" % (found.vendor, found.model, found.serial or "unknown")
        if meter.serial:
            text += ", configured serial %s" % meter.serial
        text += "; " + _TEXTS[reason]
    return "%s: %s: %s" % (where, NAMES[reason], text)
