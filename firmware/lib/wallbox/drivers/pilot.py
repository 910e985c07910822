"""The control pilot of IEC 61851-1: duty out, car's letter back from sampled voltages."""

from micropython import const

from ..core import events

_SAMPLES = const(32)  # about 2.5 periods of 1 kHz at 80 us a reading
_STEADY = const(1000)

# lowest mV of each letter's band on the pilot; nominal +12, +9, +6, +3, 0 V
_LIMITS_MV = ((10_500, events.A), (7_500, events.B), (4_500, events.C), (1_500, events.D))
_DIODE_MV = const(-10_000)  # with PWM the car's diode lets the low phase reach -12 V

_UNKNOWN = const(0)
_SEEN = const(1)
_MISSING = const(2)


class Pilot:
    """pwm: machine.PWM at 1 kHz. adc: machine.ADC; its microvolts at -12 V and +12 V are given."""

    def __init__(self, pwm, adc, uv_at_minus_12v: int, uv_at_plus_12v: int):
        self._pwm = pwm
        self._adc = adc
        self._zero_uv = uv_at_minus_12v
        self._span_uv = uv_at_plus_12v - uv_at_minus_12v
        self._duty_permille = _STEADY
        self._candidate = events.NONE
        self._diode = _UNKNOWN  # of what is plugged in; an offer shows it
        self.letter = events.NONE
        self.high_mv = 0
        self.low_mv = 0
        self.set_duty(_STEADY)

    def set_duty(self, duty_permille: int) -> None:
        """1000 = steady +12 V; 100..850 offers duty * 0.06 A."""
        self._duty_permille = duty_permille
        self._pwm.duty_u16(duty_permille * 65_535 // 1000)

    def sample(self) -> bool:
        """Reads the pilot; True when the letter has changed (two samples agree).

        What wants power before anything was offered is B until an offer has shown its diode, and
        what has none is E until it is unplugged.
        """
        high_uv = low_uv = self._adc.read_uv()
        for _ in range(_SAMPLES - 1):
            value_uv = self._adc.read_uv()
            if value_uv > high_uv:
                high_uv = value_uv
            elif value_uv < low_uv:
                low_uv = value_uv
        self.high_mv = self._to_pilot_mv(high_uv)
        self.low_mv = self._to_pilot_mv(low_uv)
        letter = self._letter()
        settled = letter == self._candidate
        self._candidate = letter
        if settled:
            self._learn(letter)
        if not settled or letter == self.letter:
            return False
        self.letter = letter
        return True

    def _to_pilot_mv(self, adc_uv: int) -> int:
        return (adc_uv - self._zero_uv) // 100 * 24_000 // (self._span_uv // 100) - 12_000

    def _learn(self, letter: int) -> None:
        if letter == events.A:
            self._diode = _UNKNOWN
        elif letter < events.E:
            if self._duty_permille < _STEADY:
                self._diode = _SEEN
        elif self.band() < events.E:
            self._diode = _MISSING

    def _letter(self) -> int:
        letter = self.band()
        if letter == events.A or letter >= events.E:
            return letter
        if self._diode == _MISSING:
            return events.E
        if self._duty_permille < _STEADY:
            return letter if self.low_mv <= _DIODE_MV else events.E
        return letter if self._diode == _SEEN else events.B

    def band(self) -> int:
        """The letter of the voltage alone, whatever is plugged in."""
        for limit_mv, letter in _LIMITS_MV:
            if self.high_mv >= limit_mv:
                return letter
        return events.E if self.high_mv > -4_500 else events.F
