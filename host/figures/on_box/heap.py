# Runs on MicroPython: bytes of heap that one cycle of the box takes. argv: flash file, pty of a
# meter, its model, cycles.

import gc
import hashlib
import json
import sys
import time

import micropython
import select
from wallbox.core import engine, events
from wallbox.drivers import meter, meter_maps
from wallbox.inbox import Inbox
from wallbox.sampling import Sampling
from wallbox.store.ledger import Ledger

from host.figures.on_box.player import Player
from hw.sim.flash import NorFlash, Partition

CYCLES = int(sys.argv[4])


class Uart:
    """A pty with the verbs of machine.UART; it allocates nothing."""

    def __init__(self, path):
        self._file = open(path, "r+b")
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)
        self._byte = bytearray(1)

    def any(self):
        for _ in self._poller.ipoll(0):
            return 1
        return 0

    def readinto(self, buf):
        if self._file.readinto(self._byte):
            buf[0] = self._byte[0]
            return 1
        return 0

    def write(self, data):
        return self._file.write(data)


def allocated(function):
    """Bytes that a call leaves for the collector; the calls before it make what is made once."""
    function()
    function()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    function()
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken


player = Player(sys.argv[1])
agent, trace = player.agent, player.trace
driver = meter.Meter(Uart(sys.argv[2]), meter_maps.find(sys.argv[3]), period_ms=50)
inbox = Inbox()
sampling = Sampling(driver, inbox, lambda: True)
packed = bytearray(256)


def cycle():
    """One poll, whose reading goes to the trace's batch in RAM."""
    sampling.want(time.ticks_ms())
    while True:
        now = time.ticks_ms()
        if now >= driver.due:
            sampling.service(now)
        event = inbox.take()
        while event is not None:
            is_reading = event[0] == events.METER_READING
            trace.append_event(packed, events.pack_into(packed, 0, event), player.now)
            inbox.release()
            if is_reading:
                return
            event = inbox.take()


def cycles_without_heap():
    """Bytes taken by cycles with a locked heap; MemoryError if one wanted any."""
    cycle()
    agent.flush_trace(player.now)
    gc.collect()
    before = gc.mem_alloc()
    micropython.heap_lock()
    for _ in range(CYCLES):
        cycle()
    micropython.heap_unlock()
    return gc.mem_alloc() - before


reading = [0] * events.MAX_FIELDS
reading[0] = events.METER_READING
reading[1] = 12_345_700


def step():
    """The core takes it. Not with a locked heap: list.clear() asks for what the list has."""
    player.now += 10_000
    engine.step(agent.state, reading, player.now)


def flush():
    length = events.pack_into(packed, 0, reading)
    trace.append_event(packed, length, player.now)
    agent.flush_trace(player.now)


flash = NorFlash(sys.argv[1] + ".append", 64 * 1024)
ledger = Ledger(Partition(flash, 0, flash.size, "ledger"), bytes(32))
ledger.mount()
payload = bytearray(228)


def append():
    ledger.append(4, 3, 1, 1000, 1_790_000_000, payload, 21)


told = {"cycle": cycles_without_heap(), "cycles": CYCLES}
told["step"] = allocated(step)
told["flush"] = allocated(flush)
told["append"] = allocated(append)
told["one_sha256"] = allocated(lambda: hashlib.sha256(payload).digest())
print(json.dumps(told))
