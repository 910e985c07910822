"""What of a meter's values is believed. Integers only; `now` in ms; max_w in W; registers in Wh.

A register is believed if it did not go back, if no more was added than the installation can
draw in the time, and if a second reading agrees whenever there is no recent one to compare with.
"""

from micropython import const

from . import meter_reasons as reasons
from .meter_maps import (
    CURRENT_L1,
    EXPORT,
    FIELDS,
    FREQUENCY,
    POWER,
    POWER_L1,
    REGISTER,
    VOLTAGE_L1,
)
from .meter_values import LOWEST, NOT_VALUE

RESUME_WH = const(100_000)  # growth believed after a time of unknown length (reboot)
_LATENCY_S = const(10)  # a meter may bring its register up to date that late
_CONFIRM_S = const(20)  # growth of longer than this at max_w needs a second reading
_CANDIDATE_MS = const(60_000)
_WINDOW_WH = const(300)
_WINDOW_MS = const(10_000)  # a longer pause between readings begins a new window
_UNFIT_MS = const(10_000)

_NEEDED = (REGISTER, POWER, POWER_L1, CURRENT_L1, VOLTAGE_L1)

MIN_VOLTAGE_MV = const(80_000)  # of the best phase
MAX_VOLTAGE_MV = const(400_000)
MAX_CURRENT_MA = const(200_000)
MAX_REGISTER_WH = const(10_000_000_000)


class Register:
    """History of the import register: `judge` each reading, in order."""

    def __init__(self, max_w: int, step_wh: int):
        self.max_w = max_w
        self.step_wh = step_wh
        self.last_wh = -1  # last believed, -1 = none
        self.last_at = -1  # when; -1 = not in this boot
        self._bound_wh = RESUME_WH
        self._candidate_wh = -1
        self._candidate_at = 0
        self._spike_wh = -1

    def resume(self, register_wh: int, elapsed_ms: int) -> None:
        """The last believed register from before a reboot; elapsed_ms < 0: time is unknown."""
        self.last_wh = register_wh
        self.last_at = -1
        self._bound_wh = RESUME_WH if elapsed_ms < 0 else self._growth(register_wh, elapsed_ms)
        self._candidate_wh = -1
        self._spike_wh = -1

    def forget(self) -> None:
        """The next register that two readings agree on begins a new history."""
        self.last_wh = -1
        self.last_at = -1
        self._candidate_wh = -1
        self._spike_wh = -1

    def judge(self, register_wh: int, now: int) -> int:
        """0 = believed, else the reason why not."""
        if self.last_wh < 0:
            return self._confirm(register_wh, now)
        if register_wh < self.last_wh:
            return self._rolled_over(register_wh, now)
        growth = register_wh - self.last_wh
        # else a spike that stays would become "possible" by mere waiting
        if 0 <= self._spike_wh <= register_wh:
            return reasons.IMPOSSIBLE_SLOPE
        if growth > self._bound(register_wh, now):
            self._spike_wh = register_wh
            return reasons.IMPOSSIBLE_SLOPE
        if self.last_at < 0 or growth > self._growth(register_wh, _CONFIRM_S * 1000):
            return self._confirm(register_wh, now)
        self._believe(register_wh, now)
        return reasons.NONE

    def _confirm(self, register_wh: int, now: int) -> int:
        candidate = self._candidate_wh
        since = now - self._candidate_at
        if 0 <= candidate <= register_wh and since <= _CANDIDATE_MS:
            if register_wh - candidate <= self._growth(register_wh, since):
                self._believe(register_wh, now)
                return reasons.NONE
        self._candidate_wh = register_wh
        self._candidate_at = now
        return reasons.UNCONFIRMED

    def _believe(self, register_wh: int, now: int) -> None:
        self.last_wh = register_wh
        self.last_at = now
        self._candidate_wh = -1
        self._spike_wh = -1

    def _growth(self, register_wh: int, elapsed_ms: int) -> int:
        """The most that can have been added: by drawing max_w, and by the register's own steps."""
        # a float32 of kWh has steps of 2**-23 of its value
        step_wh = self.step_wh + (register_wh >> 22)
        return step_wh + self.max_w * (elapsed_ms // 1000 + 1 + _LATENCY_S) // 3600

    def _bound(self, register_wh: int, now: int) -> int:
        """The most that can have been added since the last believed register."""
        if self.last_at < 0:
            return self._bound_wh
        return self._growth(register_wh, now - self.last_at)

    def _rolled_over(self, register_wh: int, now: int) -> int:
        """From the last hundredth of 5 to 8 decimal places of kWh to the first: twice the same."""
        full_wh = 100_000_000
        for _ in range(4):
            if full_wh - full_wh // 100 <= self.last_wh < full_wh and register_wh < full_wh // 100:
                growth = full_wh - self.last_wh + register_wh
                if growth <= self._bound(self.last_wh, now):
                    return self._confirm(register_wh, now)
                return reasons.ROLLOVER
            full_wh *= 10
        return reasons.REGRESS


class Follower:
    """Do the values follow each other in time? A reading may be taken while the load changes, so
    power against volts x amperes must be wrong for 10 s, and the register against the power for
    a window of energy. Finds a frozen register, a wrong scale, swapped wires.
    """

    def __init__(self, step_wh: int):
        self._step_wh = step_wh
        self.forget()

    def forget(self) -> None:
        self._reason = reasons.NONE  # of the last whole window
        self._at = -1
        self._fitted_at = -1
        self._power_w = 0
        self._register_wh = 0
        self._drawn_mwh = 0

    def judge(self, values, now: int) -> int:
        """0, FROZEN or SCALE_MISMATCH; stays so until the values fit again."""
        power_w = abs(values[POWER])
        register_wh = values[REGISTER]
        elapsed = now - self._at
        fresh = self._at < 0 or elapsed > _WINDOW_MS
        if fresh or _fits(power_w, volt_amperes(values)):
            self._fitted_at = now
        if fresh or register_wh < self._register_wh:
            self._begin(register_wh)
        else:
            self._drawn_mwh += (power_w + self._power_w) // 2 * elapsed // 3600
        self._at = now
        self._power_w = power_w
        self._close_window(register_wh)
        if now - self._fitted_at >= _UNFIT_MS:
            return reasons.SCALE_MISMATCH
        return self._reason

    def _begin(self, register_wh: int) -> None:
        self._drawn_mwh = 0
        self._register_wh = register_wh

    def _close_window(self, register_wh: int) -> None:
        drawn_wh = self._drawn_mwh // 1000
        moved_wh = register_wh - self._register_wh
        slack_wh = 2 * (self._step_wh + (register_wh >> 22))
        if max(drawn_wh, moved_wh) < _WINDOW_WH + 2 * slack_wh:
            return
        if moved_wh + slack_wh < drawn_wh // 2:
            self._reason = reasons.FROZEN
        elif moved_wh > 2 * drawn_wh + slack_wh:
            self._reason = reasons.SCALE_MISMATCH
        else:
            self._reason = reasons.NONE
        self._begin(register_wh)


def _fits(power_w: int, volt_ampere: int) -> bool:
    """kW read as W does not, and the like; a small load may well be mostly reactive."""
    if power_w > volt_ampere + volt_ampere // 4 + 100:
        return False
    return volt_ampere < 1000 or power_w >= volt_ampere // 10


def volt_amperes(values) -> int:
    """Sum of volts x amperes of the phases."""
    total = 0
    for phase in range(3):
        # in steps of 1 V and 0.1 A, to stay within 30 bits
        voltage_v = values[VOLTAGE_L1 + phase] // 1000
        total += voltage_v * (abs(values[CURRENT_L1 + phase]) // 100) // 10
    return total


def sum_of_phases(values) -> int:
    """Total power of a meter whose poll does not hold it; what is no value stays none."""
    total = 0
    for field in range(POWER_L1, POWER_L1 + 3):
        if values[field] <= LOWEST:
            if field == POWER_L1 or values[field] != NOT_VALUE + reasons.NOT_AVAILABLE:
                return values[field]
        else:
            total += values[field]
    return total


def check(values, max_w: int, export_wh: int) -> int:
    """0 if each value is one and is in its range (power: up to twice max_w).

    Phases that a meter does not have become 0; the last export register and frequency 0 stand
    for those that are no value: neither is billed.
    """
    for field in range(FIELDS):
        number = values[field]
        if number > LOWEST:
            continue
        if field == FREQUENCY:
            values[field] = 0
        elif field == EXPORT:
            values[field] = export_wh
        elif number == NOT_VALUE + reasons.NOT_AVAILABLE and field not in _NEEDED:
            values[field] = 0
        else:
            return number - NOT_VALUE
    if not 40_000 <= values[FREQUENCY] <= 70_000:
        values[FREQUENCY] = 0
    if not 0 <= values[EXPORT] <= MAX_REGISTER_WH:
        values[EXPORT] = export_wh
    if not 0 <= values[REGISTER] <= MAX_REGISTER_WH:
        return reasons.OUT_OF_RANGE
    return _check_phases(values, max_w)


def _check_phases(values, max_w: int) -> int:
    highest_mv = 0
    for phase in range(3):
        voltage_mv = values[VOLTAGE_L1 + phase]
        highest_mv = max(highest_mv, voltage_mv)
        if not 0 <= voltage_mv <= MAX_VOLTAGE_MV:
            return reasons.OUT_OF_RANGE
        if abs(values[CURRENT_L1 + phase]) > MAX_CURRENT_MA:
            return reasons.OUT_OF_RANGE
        if abs(values[POWER_L1 + phase]) > 2 * max_w:
            return reasons.OUT_OF_RANGE
    # these meters live on the voltage they measure: none means that something else was read
    if abs(values[POWER]) > 2 * max_w or highest_mv < MIN_VOLTAGE_MV:
        return reasons.OUT_OF_RANGE
    return reasons.NONE
