"""`machine` of an ESP32 (WROOM-32, no PSRAM) as far as a wallbox needs it."""

import _wire
import utime
from _buses import SPI, UART
from _pins import Pin, Signal
from _signals import ADC, PWM
from micropython import const
from umachine import idle, mem8, mem16, mem32, time_pulse_us

PWRON_RESET = const(1)
HARD_RESET = const(2)
WDT_RESET = const(3)
DEEPSLEEP_RESET = const(4)
SOFT_RESET = const(5)


class WDT:
    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        _wire.tell(_wire.WDT, 0, 0, timeout)

    def feed(self):
        _wire.tell(_wire.FEED, 0, 0, 0)


class RTC:
    def datetime(self, fields=None):
        import time

        if fields is None:
            now = time.time_ns()
            t = time.gmtime(now // 1000000000)
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], now // 1000 % 1000000)
        seconds = time.mktime(fields[:3] + fields[4:7] + (0, 0))
        _wire.clock_offset = utime.time_ns() // 1000000000 - seconds
        _wire.tell(_wire.CLOCK, 0, 0, _wire.clock_offset)

    init = datetime

    def memory(self, data=None):
        if data is None:
            return _wire.payloads.get(0, b"")
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _wire.payloads[0] = bytes(data)
        _wire.tell_bytes(_wire.MEMORY, data)


def reset_cause():
    return _wire.cause


def wake_reason():
    return 0


def unique_id():
    return _wire.payloads.get(1, b"\x24\x0a\xc4\x00\x00\x01")


def freq(hertz=None):
    if hertz is None:
        return 160000000
    if hertz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")


def reset():
    _wire.stop(HARD_RESET)


def soft_reset():
    raise SystemExit


def disable_irq():
    state = _wire.irq_off
    _wire.irq_off = 1
    return state


def enable_irq(state):
    _wire.irq_off = state
    if not state:
        _wire.pump()
