"""Decisions: levels, which drivers perform, and facts, which the ledger keeps.

A decision is a tuple `(kind, value, ...)`. Kinds below LEVELS are facts, and
their number is the record's kind in the ledger; the rest are levels, safe to
perform twice.
"""

from micropython import const

from . import fields

BOOT = const(1)
CLOCK = const(2)
METER = const(3)
INTERVAL = const(4)
GAP_BEGIN = const(5)
GAP_END = const(6)
SESSION_BEGIN = const(7)
SESSION_END = const(8)
FAULT = const(9)
CONFIGURATION = const(10)
FIRMWARE = const(11)
GAP_CAUSE = const(12)
METER_ROLLOVER = const(13)
METER_EXCHANGE = const(14)
SEAL = const(15)
TAG = const(16)
LIMIT = const(17)
LIFECYCLE = const(18)
MODE = const(19)
ABSENCE_BEGIN = const(20)
ABSENCE_END = const(21)
FIRST_CHARGE = const(22)
PLACE = const(23)
ANNOUNCED = const(24)
PREFERENCE = const(25)
COMMAND = const(26)
SECURITY = const(27)
SESSION_STOP = const(28)
LEAVING = const(29)
OFFLINE = const(30)
STATE = const(61)
WATERMARK = const(62)

LEVELS = const(64)
CONTACTOR = const(64)  # 0 open, 1 closed
PILOT_DUTY = const(65)  # per mille; 1000 = steady +12 V
LAMP = const(66)  # a pattern of lamp.py
METER_WANTED = const(67)  # 1: read the meter now
SEALS_RESET = const(69)  # 1: the hardware latch of the seals begins anew
METER_ACCEPTED = const(68)  # 1: the meter and the register that are there now are the ones

# flags of INTERVAL
PARTIAL = const(1)  # begins or ends inside its quarter

# causes of a gap, a bit each
GAP_POWER = const(1)
GAP_METER = const(2)
GAP_CLOCK = const(4)
GAP_STORAGE = const(8)  # the ledger took nothing
GAP_RESTART = const(16)  # a reset that was no power cut
GAP_EXCHANGE = const(32)  # the operator took another meter, or another register, for the one
GAP_CAUSES = ("power", "meter", "clock", "storage", "restart", "exchange")

# stop reasons, OCPP 1.6 spelling
REASONS = (
    "Other",
    "EVDisconnected",
    "Local",
    "Remote",
    "DeAuthorized",
    "PowerLoss",
    "EmergencyStop",
    "Reboot",
)
REASON_OTHER = const(0)
REASON_EV_DISCONNECTED = const(1)
REASON_LOCAL = const(2)
REASON_REMOTE = const(3)
REASON_DEAUTHORIZED = const(4)
REASON_POWER_LOSS = const(5)
REASON_REBOOT = const(7)

# name and fields, a line a kind; what tells of energy begins with the register and its meter
FACTS = (
    "BOOT cause 1,firmware 0\n"
    "CLOCK utc_ms 6,before_utc_s 4,before_quality 1\n"
    "METER register_wh 5,meter_id 4,identity 0\n"
    "INTERVAL register_wh 5,meter_id 4,energy_wh 4,end_utc_s 4,end_quality 1,interval_s 2,flags 1\n"
    "GAP_BEGIN register_wh 5,meter_id 4,from_utc_s 4,from_quality 1,cause 1\n"
    "GAP_END register_wh 5,meter_id 4,energy_wh 4,from_utc_s 4,from_quality 1,cause 1\n"
    "SESSION_BEGIN register_wh 5,meter_id 4,session 4,authority 1,subscription 4,limit_ma 3,tag 0\n"
    "SESSION_END register_wh 5,meter_id 4,session 4,energy_wh 4,begin_utc_s 4,begin_quality 1,"
    "reason 1,status 1,flags 1\n"
    "FAULT refusal 1,detail 4\n"
    "CONFIGURATION digest 0\n"
    "FIRMWARE register_wh 5,meter_id 4,firmware 0\n"
    "GAP_CAUSE cause 1\n"
    "METER_ROLLOVER register_wh 5,meter_id 4,energy_wh 4,full_wh 5,end_utc_s 4,end_quality 1\n"
    "METER_EXCHANGE register_wh 5,meter_id 4,next_meter_id 4\n"
    "SEAL register_wh 5,meter_id 4,change 1,loops 1,numbers 0\n"
    "TAG verdict 1,reason 1,action 1,online 1,list_version 4,tag 0\n"
    "LIMIT change 1,source 1,lease 4,limit_ma 3,from_utc_s 4,until_utc_s 4,fallback_ma 3,"
    "reached_s 2,withheld_wh 4\n"
    "LIFECYCLE register_wh 5,meter_id 4,before 1,after 1,by 1,reason 1\n"
    "MODE mode 1,from_utc_s 4\n"
    "ABSENCE_BEGIN cause 1,planned 1,from_utc_s 4,from_quality 1\n"
    "ABSENCE_END cause 1,planned 1,from_utc_s 4,from_quality 1\n"
    "FIRST_CHARGE register_wh 5,meter_id 4,session 4,subscription 4\n"
    "PLACE register_wh 5,meter_id 4,change 1\n"
    "ANNOUNCED from_utc_s 4,until_utc_s 4\n"
    "PREFERENCE opt_out 1,charge_now 1,flags 1\n"
    "COMMAND counter 4,verb 1\n"
    "SECURITY event 1,detail 1,count 2\n"
    "SESSION_STOP session 4,reason 1\n"
    "LEAVING after 1,by 1,reason 1\n"
    "OFFLINE hours 2\n"
    "STATE state 0\n"
    "WATERMARK acknowledged 4"
)
_NUMBERS = bytes(range(1, 31)) + bytes((61, 62))  # the lines' kinds


def facts() -> dict:
    """{kind: (name, specification)} of all facts."""
    rows = fields.table(FACTS)
    return {_NUMBERS[line]: rows[line] for line in range(len(rows))}


def _layouts(known: dict) -> dict:
    return {kind: fields.layout(known[kind][1]) for kind in _NUMBERS}


_LAYOUTS = _layouts(facts())


def pack_into(buf, offset: int, fact) -> int:
    """Packs the payload of a fact (not its kind); returns the end. ValueError names a bad field."""
    return fields.pack_into(buf, offset, _LAYOUTS[fact[0]], fact, 1)


def unpack(kind: int, payload):
    """A record's payload as `[kind, value, ...]`, None for a kind this firmware does not know.

    ValueError if the payload is not of the kind's length.
    """
    widths = _LAYOUTS.get(kind)
    if widths is None:
        return None
    fact = [0] * (len(widths) + 1)
    fact[0] = kind
    fields.unpack_into(fact, 1, widths, payload, 0, len(payload))
    return fact
