"""All that the core remembers, as tables; LASTING goes to the ledger and outlives power cuts."""

from . import fields

# written to the ledger as STATE, so that a power cut forgets none of it
LASTING = (
    ("meter_id", 4),  # 0 = no meter known yet
    ("accounted", 1),  # 1 = accounted_wh is valid
    ("accounted_wh", 5),  # register at the end of the last interval or gap
    ("accounted_utc_s", 4),
    ("accounted_quality", 1),
    ("gap_open", 1),
    ("gap_cause", 1),
    ("gap_utc_s", 4),
    ("gap_quality", 1),
    ("session", 4),  # number of the running or the last session
    ("session_phase", 1),
    ("session_begin_wh", 5),
    ("session_utc_s", 4),
    ("session_quality", 1),
    ("session_reason", 1),
)

FLEETING = (
    ("config_valid", 1),
    ("installation_limit_ma", 3),
    ("interval_s", 2),
    ("clock_utc_ms", 6),  # UTC at clock_at
    ("clock_at", 5),
    ("clock_quality", 1),
    ("clock_jumped", 1),  # set for one step only
    ("reading", 1),  # 1 = a believed reading has come since boot
    ("register_wh", 5),
    ("power_w", -4),
    ("reading_at", 5),
    ("reading_utc_s", 4),
    ("reading_quality", 1),
    ("meter_silent", 1),
    ("meter_refused", 1),  # reason + 1, 0 = none
    ("meter_exchanged", 1),
    ("known_wh", 5),  # the last reading before the present event
    ("known_utc_s", 4),
    ("known_quality", 1),
    ("boundary_utc_s", 4),  # where the running interval ends, 0 = none runs
    ("interval_partial", 1),
    ("session_resumed", 1),
    ("session_due", 5),
    ("letter", 1),
    ("contactor", 1),  # as commanded
    ("contactor_at", 5),
    ("contactor_closed", 1),  # as fed back
    ("contactor_failed", 1),
    ("duty_permille", 2),
    ("lamp", 1),
    ("wanted", 1),
    ("link", 1),
    ("ledger_fill_permille", 2),
    ("ledger_full", 1),
    ("ledger_failed", 1),
    ("refusals", 4),
    ("limit_ma", 3),
    ("due", 5),
)

ALL = LASTING + FLEETING


class State:
    """The core's memory. Every field is an integer of the tables above; now is ms since boot."""

    def __init__(self):
        for name, _width in ALL:
            setattr(self, name, 0)
        self.gap_open = 1  # nothing is accounted before meter and clock are known
        self.letter = 6
        self.duty_permille = 1000
        self.identity = None  # bytes of a meter that is not in the ledger yet
        self.facts = []
        self.decisions = []


def pack_into(state, layout, buf, offset: int) -> int:
    """Packs the fields of layout (LASTING or ALL); returns the end."""
    for field in layout:
        offset = fields.pack_into(buf, offset, (field,), (getattr(state, field[0]),))
    return offset


def restore(state, layout, buf, offset: int, end: int) -> None:
    """Reads what pack_into wrote; fields that an older firmware did not know keep their value."""
    for name, width in layout:
        if offset >= end:
            return
        following = offset + (width if width > 0 else -width)
        setattr(state, name, fields.unpack(((name, width),), buf, offset, following)[0])
        offset = following
