"""All that the core remembers, as tables; LASTING goes to the ledger and outlives power cuts."""

from . import fields, leases

# written to the ledger as STATE, so that a power cut forgets none of it
LASTING = (
    "meter_id 4,"  # 0 = no meter known yet
    "accounted 1,"  # 1 = accounted_wh is valid
    "accounted_wh 5,accounted_utc_s 4,accounted_quality 1,"  # end of the last interval or gap
    "gap_open 1,gap_cause 1,gap_utc_s 4,gap_quality 1,"
    "session 4,"  # number of the running or the last session
    "session_phase 1,session_begin_wh 5,session_utc_s 4,session_quality 1,"
    "session_carried_wh 5,"  # of the running session, from before its meter rolled over
    "meter_next 4,"  # the meter that the operator approved, until its first register comes
    "firmware_id 4,"
    "lifecycle 1,seal_broken 1,moved 1,"
    "mode 1,mode_next 1,mode_from_utc_s 4,"
    "session_authority 1,session_tag_a 4,session_tag_b 4,session_subscription 4,"
    "session_limit_ma 3,"
    "session_flags 1,session_override 1,"
    "charged_a 4,charged_b 4,"  # subscriptions that have charged, + 1
    "absent 1,absent_utc_s 4,absent_quality 1,"  # causes that are in the ledger
    "planned_from_utc_s 4,planned_until_utc_s 4,opt_out 1,"
    "absent_planned 1,command_counter 4,"
    "session_stopped 1,"  # reason + 1 of a session that is to end, 0 = it goes on
    "leaving 1,"  # the move that waits for the final register, packed by lifecycle.py
    "offline_h 2"  # hours of the present absence
)

# known anew after each boot
FLEETING = (
    "config_valid 1,installation_limit_ma 3,interval_s 2,interval_next_s 2,"
    "cable_limit_ma 3,seal_policy 1,"
    "offline_grace_h 2,relocate_after_h 2,chip_foreign 1,"
    "clock_utc_ms 6,clock_at 5,clock_quality 1,"  # UTC at clock_at
    "clock_jumped 1,"  # set for one step only
    "reading 1,"  # 1 = a believed reading has come since boot
    "register_wh 5,power_w -4,reading_at 5,reading_utc_s 4,reading_quality 1,"
    "meter_silent 1,meter_exchanged 1,"
    "meter_seen 4,"  # whose identity was read last
    "meter_left 1,meter_taken 1,meter_full_wh 5,"  # one step only: EXCHANGE, METER, it rolled over
    "meter_refused 1,"  # reason + 1, 0 = none
    "gap_cause_told 1,"
    "known_wh 5,known_utc_s 4,known_quality 1,"  # the last reading before the present event
    "boundary_utc_s 4,interval_partial 1,"  # where the running interval ends, 0 = none runs
    "session_reason 1,session_due 5,session_over 1,session_stop 1,session_flags_told 1,"
    "grant 1,grant_tag_a 4,grant_tag_b 4,grant_subscription 4,grant_limit_ma 3,grant_due 5,"
    "plugged_at 5,"
    "reader_missing 1,tap_a 4,tap_b 4,tap_at 5,refused_taps 1,refused_at 5,"
    "seal_open 1,seal_latched 1,seals_known 1,seals_reset 1,"
    "seal_told 1,seal_told_at 5,"
    "lifecycle_due 5,"
    "link 1,connected_at 5,away 1,grace_over 1,away_at 5,hour_at 5,away_utc_s 4,away_quality 1,"
    "place_watch 1,place_at 5,"
    "stray_readings 1,stray 1,"
    "protection_limit_ma 3,thermal_limit_ma 3,"
    "pause_at 5,restart_at 5,want_closed 1,want_duty 2,"
    "letter 1,"
    "contactor 1,contactor_at 5,contactor_closed 1,contactor_failed 1,"  # as told; as fed back
    "duty_permille 2,lamp 1,"
    "meter_accept 1,"  # 1 = the driver is to be told that the meter was approved
    "wanted 1,"  # a reading: 1 = to be asked for, 2 = asked for
    "ledger_fill_permille 2,ledger_full 1,ledger_failed 1,"
    "lease_due 5,limit_source 1,"
    "command_answer 1,"  # one step only
    "security_at 5,security_told 1,security_event 1,security_detail 1,security_count 2,"
    "login_at 5,login_told 1,login_count 2,"
    "refusals 4,limit_ma 3,due 5"
)

# of the fleeting ones, what outlives a recovery of the ledger: nothing tells it a second time
SENSED = (
    "link connected_at away grace_over away_at hour_at away_utc_s away_quality "
    "place_watch place_at "
    "contactor_at contactor_failed stray_readings stray restart_at "
    "protection_limit_ma thermal_limit_ma "
    "reader_missing tap_a tap_b tap_at refused_taps refused_at "
    "security_at security_told security_event security_detail security_count"
)

_WIDTHS = fields.layout(LASTING) + fields.layout(FLEETING)
_LASTING = len(fields.layout(LASTING))


class State:
    """The core's memory. Every field is an integer of the tables above; now is ms since boot."""

    def __init__(self, durable: bool = False):
        """durable: what recall() needs, which is what lasts; a fraction of the memory."""
        for name in fields.names(LASTING):
            setattr(self, name, 0)
        self.gap_open = 1  # nothing is accounted before meter and clock are known
        self.mode = 2  # not told by the operator: as configured
        self.leases = bytearray(leases.SLOTS * leases.SIZE)
        self.lease = [0] * 6  # of the slot that was looked at last
        self.lease_slots = leases.SLOTS  # behind these, all are free
        if not durable:
            self._begin_fleeting()

    def _begin_fleeting(self) -> None:
        for name in fields.names(FLEETING):
            setattr(self, name, 0)
        self.letter = 6
        self.interval_s = self.interval_next_s = 900  # of the running one, of those after it
        self.duty_permille = 1000
        self.identity = None  # bytes of a meter that is not in the ledger yet
        self.protection_limit_ma = self.thermal_limit_ma = leases.NONE_MA
        self.digest = None  # bytes of a configuration that is not in the ledger yet
        self.limits = [leases.NONE_MA] * 7  # mA by source
        self.watches = [[0] * 6, [0] * 6]  # of grid and protection, compliance.py
        self.facts: list = []
        self.decisions: list = []

    def __getattr__(self, name: str) -> int:
        raise AttributeError(name)


def carry(before, state) -> None:
    """Takes over what was SENSED, for a state that was built anew from the ledger."""
    for name in SENSED.split(" "):
        setattr(state, name, getattr(before, name))


def pack_into(state, lasting: bool, buf) -> int:
    """Packs all fields, or only the lasting ones; returns the length."""
    end = _pack(state, LASTING, buf, 0, _WIDTHS[:_LASTING])
    return end if lasting else _pack(state, FLEETING, buf, end, _WIDTHS[_LASTING:])


def _pack(state, table: str, buf, offset: int, widths: bytes) -> int:
    values = [getattr(state, name) for name in fields.names(table)]
    return fields.pack_into(buf, offset, widths, values)


def restore(state, buf) -> None:
    """Reads lasting fields; those that an older firmware did not know keep their value."""
    offset = 0
    value = [0]
    names = fields.names(LASTING)
    for index in range(_LASTING):
        if offset >= len(buf):
            return
        widths = _WIDTHS[index : index + 1]
        following = offset + fields.size(widths)
        fields.unpack_into(value, 0, widths, buf, offset, following)
        setattr(state, names[index], value[0])
        offset = following


LASTING_SIZE = fields.size(_WIDTHS[:_LASTING])
SIZE = fields.size(_WIDTHS)
