"""Events: all that can change the box's mind.

An event is a list `[kind, field, ...]`. Names of fields carry their unit.
UTC is seconds or ms since 1970-01-01; time quality is an index into QUALITY.
"""

from micropython import const

from . import fields

TICK = const(0)
CONFIG = const(1)
BOOT = const(2)
CLOCK = const(3)
METER_READING = const(4)
METER_IDENTITY = const(5)
METER_SILENT = const(6)
METER_REFUSED = const(7)
PILOT = const(8)
CONTACTOR = const(9)
LINK = const(10)
LEDGER = const(11)
METER_SUSPECT = const(12)  # one value was not believed, and is read again
METER_APPROVED = const(13)  # the operator takes the meter, and the register, that are there now
SEAL = const(14)  # bits of loops: open now; opened while there was no power (hardware latch)
SEALED = const(15)  # a signed command: new seals are on, here are their numbers
TAG = const(16)  # a tag at the reader, and what the list says of it
TAG_STATUS = const(17)  # the list has changed: what it now says of the charging tag
READER = const(18)
MODE = const(19)  # the operator: reader required or not, from a time on
REMOTE_START = const(20)
REMOTE_STOP = const(21)
LEASE = const(22)  # a limit of the current, for a time
LEASE_END = const(23)
OPT_OUT = const(24)  # the subscriber: no limits for the grid's sake
CHARGE_NOW = const(25)  # the subscriber: no smart schedule for this session
LIFECYCLE = const(26)
ABSENCE = const(27)  # a planned absence, announced
PLACE = const(28)  # a scan: known and other networks in range
PLACE_APPROVED = const(29)
LOCAL_LIMIT = const(30)  # a sensor of the box: protection, temperature; 0 is a pause
COMMAND = const(31)  # an authentic one of the operator; what it orders is the next event
MESSAGE_REFUSED = const(32)  # count of them were no commands of the operator
LOGIN = const(33)  # at the service console: accepted or not, so many times

# cause of BOOT: that of machine.reset_cause(), or 0 when only the ledger had to be taken up again
RESUMED = const(0)
POWER_UP = const(1)

# OCMF time status, worst first; from RELATIVE on the clock may be acted upon
QUALITY = "UIRS"
UNKNOWN = const(0)
INFORMATIVE = const(1)
RELATIVE = const(2)
SYNCHRONISED = const(3)

# pilot letters of IEC 61851-1; NONE = not sampled yet
LETTERS = "ABCDEF?"
A = const(0)
B = const(1)
C = const(2)
D = const(3)
E = const(4)
F = const(5)
NONE = const(6)

# name and fields, a line a kind, in the order of their numbers; one text needs little RAM
KINDS = (
    "TICK\n"
    "CONFIG valid 1,installation_limit_ma 3,interval_s 2,cable_limit_ma 3,seal_policy 1,mode 1,"
    "offline_grace_h 2,relocate_after_h 2,lifecycle 1,chip_foreign 1,digest 0\n"
    "BOOT boot 2,cause 1,heartbeat_known 1,heartbeat_register_wh 5,heartbeat_utc_s 4,"
    "heartbeat_quality 1,firmware 0\n"
    "CLOCK utc_ms 6,quality 1\n"
    "METER_READING register_wh 5,power_w -4,power_l1_w -3,power_l2_w -3,power_l3_w -3,"
    "current_l1_ma -3,current_l2_ma -3,current_l3_ma -3,voltage_l1_mv 3,voltage_l2_mv 3,"
    "voltage_l3_mv 3,frequency_mhz 3\n"
    "METER_IDENTITY meter_id 4,identity 0\n"
    "METER_SILENT reason 1\n"
    "METER_REFUSED reason 1\n"
    "PILOT letter 1,high_mv -2,low_mv -2\n"
    "CONTACTOR closed 1\n"
    "LINK code 1\n"
    "LEDGER fill_permille 2,full 1,failed 1\n"
    "METER_SUSPECT reason 1,register_wh 5\n"
    "METER_APPROVED meter_id 4\n"
    "SEAL open 1,latched 1\n"
    "SEALED numbers 0\n"
    "TAG status 1,kind 1,subscription 4,limit_ma 3,expires_utc_s 4,copied 1,list_version 4,tag 0\n"
    "TAG_STATUS status 1,limit_ma 3,expires_utc_s 4,tag 0\n"
    "READER present 1\n"
    "MODE mode 1,from_utc_s 4\n"
    "REMOTE_START status 1,subscription 4,limit_ma 3,tag 0\n"
    "REMOTE_STOP session 4\n"
    "LEASE source 1,lease 4,limit_ma 3,from_utc_s 4,until_utc_s 4,fallback_ma 3\n"
    "LEASE_END lease 4\n"
    "OPT_OUT on 1\n"
    "CHARGE_NOW on 1\n"
    "LIFECYCLE after 1,by 1,reason 1\n"
    "ABSENCE from_utc_s 4,until_utc_s 4\n"
    "PLACE known 1,others 1\n"
    "PLACE_APPROVED\n"
    "LOCAL_LIMIT source 1,limit_ma 3\n"
    "COMMAND counter 4,from_utc_s 4,until_utc_s 4,verb 1\n"
    "MESSAGE_REFUSED reason 1,count 2\n"
    "LOGIN accepted 1,count 2"
)

_LAYOUTS = tuple([fields.layout(row) for _, row in fields.table(KINDS)])

MAX_FIELDS = const(13)  # with the kind
MAX_PACKED = const(80)  # bytes of the longest event that the box builds itself


def pack_into(buf, offset: int, event) -> int:
    """Packs an event as kind byte and fields; returns the end. ValueError names a bad field."""
    buf[offset] = event[0]
    return fields.pack_into(buf, offset + 1, _LAYOUTS[event[0]], event, 1)


def unpack_into(event, buf, offset: int, end: int) -> None:
    """Fills a list of MAX_FIELDS from packed bytes. ValueError if kind or length is wrong."""
    kind = buf[offset]
    if kind >= len(_LAYOUTS):
        raise ValueError("kind")
    event[0] = kind
    fields.unpack_into(event, 1, _LAYOUTS[kind], buf, offset + 1, end)
