"""`machine.PWM` and `machine.ADC`: what goes out in time, and what comes in."""

import _wire
import utime
from _pins import FIRST_INPUT_ONLY, Pin, number, take, used
from micropython import const


class PWM:
    def __init__(self, dest, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1, invert=-1):
        pin = number(dest)
        if pin >= FIRST_INPUT_ONLY:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        if pin not in _wire.duties and len(_wire.duties) >= 16:
            raise RuntimeError("out of PWM channels:16")
        take(pin, "pwm")
        self._pin = pin
        self._freq = 5000
        self._duty = 32768
        self.init(freq, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns, invert=invert)

    def init(self, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1, invert=-1):
        if invert == 1:
            raise NotImplementedError("invert is not simulated")
        if (duty != -1) + (duty_u16 != -1) + (duty_ns != -1) > 1:
            raise ValueError(
                "only one of parameters 'duty', 'duty_u16' or 'duty_ns' is allowed"
            )
        if freq != -1:
            if not 1 <= freq <= 40000000:
                raise ValueError("frequency must be from 1Hz to 40MHz")
            self._freq = freq
        if duty_u16 != -1:
            if not 0 <= duty_u16 <= 65535:
                raise ValueError("duty_u16 must be from 0 to 65536")
            # the greatest value means always on
            self._duty = 65536 if duty_u16 == 65535 else duty_u16
        elif duty != -1:
            if not 0 <= duty <= 1023:
                raise ValueError("duty must be from 0 to 1023")
            self._duty = 65536 if duty == 1023 else duty << 6
        elif duty_ns != -1:
            period_ns = 1000000000 // self._freq
            if not 0 <= duty_ns <= period_ns:
                raise ValueError("duty_ns must be from 0 to %d ns" % period_ns)
            self._duty = duty_ns * 65536 // period_ns
        pin = self._pin
        _wire.duties[pin] = self._duty
        _wire.frequencies[pin] = self._freq
        _wire.modes[pin] = Pin.OUT
        _wire.outputs[pin] = 0
        _wire.tell(_wire.PWM, pin, min(self._duty, 65535), self._freq)

    def _active(self):
        if self._pin not in _wire.duties:
            raise RuntimeError("PWM is inactive")

    def freq(self, freq=None):
        self._active()
        if freq is None:
            return self._freq
        self.init(freq)

    def duty_u16(self, duty=None):
        self._active()
        if duty is None:
            return min(self._duty, 65535)
        self.init(duty_u16=duty)

    def duty(self, duty=None):
        self._active()
        if duty is None:
            return min(self._duty >> 6, 1023)
        self.init(duty=duty)

    def duty_ns(self, duty=None):
        self._active()
        if duty is None:
            return self._duty * 1000000000 // (65536 * self._freq)
        self.init(duty_ns=duty)

    def deinit(self):
        # the pin stays an output, and low
        pin = self._pin
        if _wire.duties.pop(pin, None) is not None:
            used.pop(pin, None)
            _wire.tell(_wire.OUT, pin, Pin.OUT, 0)


_CONVERSION_US = const(80)
_last_us = utime.ticks_us()
_noise = 1


class ADC:
    ATTN_0DB = const(0)
    ATTN_2_5DB = const(1)
    ATTN_6DB = const(2)
    ATTN_11DB = const(3)

    def __init__(self, pin, *, atten=0):
        pin = number(pin)
        if not (32 <= pin <= 39 or pin in (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)):
            raise ValueError("Pin doesn't have ADC capabilities")
        take(pin, "adc")
        self._pin = pin
        self.atten(atten)

    def init(self, *, atten=0):
        self.atten(atten)

    def atten(self, atten):
        if not 0 <= atten <= 3:
            raise ValueError("invalid atten")
        self._full = (950, 1250, 1750, 3130)[atten]

    def _millivolts(self):
        global _last_us, _noise
        pin = self._pin
        _wire.pump()
        if pin < 32 and _wire.wlan[0]:
            raise OSError(-263, "ESP_ERR_TIMEOUT")
        # one conversion takes its time: successive readings sweep the waveform
        now = utime.ticks_us()
        if utime.ticks_diff(now, _last_us) < _CONVERSION_US:
            now = utime.ticks_add(_last_us, _CONVERSION_US)
        _last_us = now
        _noise = (_noise * 1103515245 + 12345) & 0x3FFFFFFF
        source = _wire.analog.get(pin)
        if source is None:
            value = 142
        else:
            driver = source[2]
            high = True
            if driver < 40:
                duty = _wire.duties.get(driver)
                if duty is not None:
                    freq = _wire.frequencies[driver]
                    high = now * freq // 16 % 62500 < duty * 62500 // 65536
                elif _wire.modes[driver] == 3:
                    high = _wire.outputs[driver]
            value = source[0 if high else 1] // 1000 + (_noise >> 12) % 13 - 6
        return min(max(value, 142), self._full)

    def read_uv(self):
        return self._millivolts() * 1000

    def read_u16(self):
        return self._millivolts() * 65535 // self._full

    def read(self):
        return self.read_u16() >> 4
