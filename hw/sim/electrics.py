"""What flows: control pilot, car, contactor and load, by IEC 61851-1.

Everything is a function of the last change; the meter integrates.  Runs in the world's thread
(verbs come through `HostLoop.call`).
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from hw.sim.box import Box
from hw.sim.outside import Output

# pilot voltage while the driver is high, by state; -12 V while it is low, behind the car's diode
PILOT_HIGH_MV = {"A": 12_000, "B": 9_000, "C": 6_000, "D": 3_000, "E": 0}
CLOSING_S = 0.020  # of a contactor, coil to contact
OPENING_S = 0.015
S2_S = 0.050  # the car answers a change of the pilot
CENTI_AMPERE_PER_PERCENT = 60  # I = D x 0.6 A


@dataclass
class CarState:
    """What the car is and wants."""

    plugged: bool = False
    wants_power: bool = False
    ventilation: bool = False
    max_current_a: float = 16.0
    phases: int = 3
    diode: bool = True
    shorted: bool = False
    waits_for_pilot: bool = True
    s2_closed: bool = False


def offered_current_a(duty_permille: int) -> float:
    """What a duty cycle lets the car draw (A per phase); 0 where it offers none."""
    if 80 <= duty_permille < 100:
        return 6.0
    if 100 <= duty_permille <= 850:
        return duty_permille * 0.06
    if 850 < duty_permille <= 960:
        return min((duty_permille / 10 - 64) * 2.5, 80.0)
    if 960 < duty_permille <= 970:
        return 80.0
    return 0.0


class Electrics:
    """Car, contactor and pilot of one box; calls `on_power(W per phase)` at every change."""

    def __init__(self, box: Box, on_power: Callable[[tuple[int, ...]], None]) -> None:
        self._box = box
        self._pins = box.pins
        self._on_power = on_power
        self._load: tuple[int, ...] | None = None
        self._moving: asyncio.TimerHandle | None = None
        self._s2: asyncio.TimerHandle | None = None
        self.car = CarState()
        self.mains = False
        self.voltage_v = 230
        self.contactor_closed = False
        self.contactor_fault = ""  # "welded" or "stuck"
        self.enabled = True  # by the seal loops in the contactor's path
        self.contactor_moves = 0
        self.power_w: tuple[int, ...] = (0, 0, 0)
        self.update()

    # what the box drives

    @property
    def duty_permille(self) -> int:
        """Duty of the pilot signal: 1000 is steady +12 V, 0 is steady -12 V."""
        pilot = self._box.outputs.get(self._pins["PILOT_PWM"], Output())
        if pilot.frequency_hz:
            return round(pilot.duty * 1000 / 65536)
        return 1000 if pilot.mode <= 1 or pilot.level else 0

    @property
    def offered_a(self) -> float:
        """The current that the pilot offers now."""
        pilot = self._box.outputs.get(self._pins["PILOT_PWM"], Output())
        if not self.mains or not 980 <= pilot.frequency_hz <= 1020:
            return 0.0
        return offered_current_a(self.duty_permille)

    @property
    def letter(self) -> str:
        """The pilot's state as the car and the box make it."""
        car = self.car
        if self.duty_permille == 0:
            return "F"
        if car.shorted:
            return "E"
        if not car.plugged:
            return "A"
        return ("D" if car.ventilation else "C") if car.s2_closed else "B"

    def output_changed(self, pin: int) -> None:
        """The box has changed an output."""
        if pin == self._pins["CONTACTOR"]:
            self._drive_contactor()
        elif pin == self._pins["PILOT_PWM"]:
            self.update()

    # contactor

    def _drive_contactor(self) -> None:
        coil = self._box.outputs.get(self._pins["CONTACTOR"], Output())
        on = self.mains and self.enabled and coil.mode == 3 and coil.level == 1
        on = on and self.contactor_fault != "stuck"
        on = on or self.contactor_fault == "welded"
        if self._moving:
            self._moving.cancel()
        if on == self.contactor_closed:
            return
        self._moving = self._later(CLOSING_S if on else OPENING_S, self._move_contactor, on)

    def enable(self, enabled: bool) -> None:
        """The seal loops let the contactor close, or not."""
        self.enabled = enabled
        self._drive_contactor()

    def _later(
        self, delay_s: float, act: Callable[[bool], None], on: bool
    ) -> asyncio.TimerHandle:
        """Calls act(on) after a time of the world's own clock."""
        return self._box.host.loop.call_later(delay_s / self._box.speed, act, on)

    def _move_contactor(self, closed: bool) -> None:
        self.contactor_closed = closed
        self.contactor_moves += 1
        self.update()

    def set_contactor_fault(self, fault: str) -> None:
        """`welded`: never opens. `stuck`: never closes. Empty: as new."""
        self.contactor_fault = fault
        self._drive_contactor()

    # car and load

    def set_load(self, power_w: Sequence[int] | None) -> None:
        self._load = None if power_w is None else tuple(power_w)
        self.update()

    def _current_a(self) -> float:
        car = self.car
        if not (self.contactor_closed and car.plugged and car.s2_closed):
            return 0.0
        return min(self.offered_a, car.max_current_a)

    def update(self) -> None:
        """After any change: the pilot's voltages, the feedback, the power."""
        self._follow_pilot()
        self._drive_pilot()
        closed = self.contactor_closed
        level = self._pins["CONTACTOR_CLOSED_LEVEL"] if closed else 2
        self._box.set_level(self._pins["CONTACTOR_FEEDBACK"], level)
        if not self.mains:
            power: tuple[int, ...] = (0, 0, 0)
        elif self._load is not None:
            power = self._load
        else:
            each = round(self._current_a() * self.voltage_v)
            power = tuple(each if phase < self.car.phases else 0 for phase in range(3))
        if power != self.power_w:
            self.power_w = power
            self._on_power(power)

    def _follow_pilot(self) -> None:
        """The car closes S2 once the pilot offers power, opens it once it does not."""
        car = self.car
        offered = self.offered_a > 0 or (self.mains and not car.waits_for_pilot)
        wanted = car.plugged and car.wants_power and offered
        if wanted == car.s2_closed:
            if self._s2:
                self._s2.cancel()
                self._s2 = None
        elif not self._s2:
            self._s2 = self._later(S2_S, self._switch_s2, wanted)

    def _switch_s2(self, closed: bool) -> None:
        self._s2 = None
        self.car.s2_closed = closed
        self.update()

    def _drive_pilot(self) -> None:
        high_mv, low_mv = 0, 0
        if self.mains:
            letter = "A" if self.letter == "F" else self.letter
            high_mv = PILOT_HIGH_MV[letter]
            low_mv = -12_000
            if self.car.shorted:
                low_mv = 0
            elif self.car.plugged and not self.car.diode:
                low_mv = -high_mv
        self._box.set_analog(
            self._pins["PILOT_ADC"],
            self._at_adc_uv(high_mv),
            self._at_adc_uv(low_mv),
            self._pins["PILOT_PWM"],
        )

    def _at_adc_uv(self, pilot_mv: int) -> int:
        zero_uv = self._pins["PILOT_UV_AT_MINUS_12V"]
        span_uv = self._pins["PILOT_UV_AT_PLUS_12V"] - zero_uv
        return zero_uv + (pilot_mv + 12_000) * span_uv // 24_000

    # mains

    def set_mains(self, on: bool) -> None:
        """With the mains the contactor falls off and the pilot dies, at once."""
        self.mains = on
        if not on:
            if self._moving:
                self._moving.cancel()
            if self.contactor_closed and self.contactor_fault != "welded":
                self.contactor_closed = False
                self.contactor_moves += 1
            self.car.s2_closed = False
        self.update()
