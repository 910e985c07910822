"""`time` with the ESP32's epoch (2000-01-01) and its clock, which starts at 0 with the power.

Where the world asked for speed, all ticks run that much faster, and waiting is as much shorter.
"""

import uselect
import utime
from utime import sleep_us, ticks_add, ticks_cpu, ticks_diff, ticks_ms, ticks_us

import _wire

if _wire.speed != 1:
    # never behind the true ticks, by which asyncio's C code calls a new task due
    _began_us = utime.ticks_us()
    _began_ms = utime.ticks_ms()

    def ticks_us():
        return _began_us + (utime.ticks_us() - _began_us) * _wire.speed

    def ticks_ms():
        return _began_ms + (utime.ticks_us() - _began_us) * _wire.speed // 1000


_EPOCH = 946684800  # 2000-01-01 in seconds since 1970-01-01
_poller = uselect.poll()
_poller.register(_wire.file, uselect.POLLIN)


def time_ns():
    return utime.time_ns() - _wire.clock_offset * 1000000000


def time():
    return time_ns() // 1000000000


def sleep_ms(milliseconds):
    end = ticks_add(ticks_ms(), milliseconds)
    _wire.pump()
    while True:
        left = ticks_diff(end, ticks_ms())
        if left <= 0:
            return
        for _ in _poller.ipoll(left // _wire.speed):
            pass
        _wire.pump()


def sleep(seconds):
    sleep_ms(int(seconds * 1000))


def gmtime(seconds=None):
    return utime.gmtime((time() if seconds is None else seconds) + _EPOCH)[:8]


localtime = gmtime


def mktime(fields):
    return utime.mktime(fields) - _EPOCH
