# Runs on MicroPython: the meter's driver against the simulated meter. argv: pty, model, polls.

import gc
import json
import sys
import time

from wallbox.drivers import meter, meter_maps

import select


class Uart:
    """A pty with the verbs of machine.UART."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)

    def any(self):
        return 1 if self._poller.poll(0) else 0

    def readinto(self, buf):
        return self._file.readinto(memoryview(buf)[:1])

    def write(self, data):
        return self._file.write(data)


def poll(driver, busy):
    """One reading: (ms from the first request, us inside the driver)."""
    began = time.ticks_ms()
    busy_us = 0
    driver.want()
    while True:
        enter_us = time.ticks_us()
        code = driver.service(time.ticks_ms())
        busy_us += time.ticks_diff(time.ticks_us(), enter_us)
        if code == meter.READING:
            return time.ticks_diff(time.ticks_ms(), began), busy_us
        time.sleep_ms(max(1, min(5, driver.due - time.ticks_ms())))


driver = meter.Meter(Uart(sys.argv[1]), meter_maps.find(sys.argv[2]))
poll(driver, 0)
gc.collect()
polls = [poll(driver, 0) for _ in range(int(sys.argv[3]))]
elapsed = sorted([one[0] for one in polls])
busy = sorted([one[1] for one in polls])
print(json.dumps({"elapsed_ms": elapsed[len(polls) // 2], "busy_us": busy[len(polls) // 2]}))
