# Runs on MicroPython: CPU and flash of durable readings, the ring and LittleFS in turns.
# argv: flash file of the ring, of LittleFS, how many readings.

import json
import sys
import time

import vfs
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

SIZE = 512 * 1024
TURN = 10  # readings; in turns, so that both meet the same machine
READING = b"\x10\x27\x00\x00\x00"  # 5 bytes make a record of 32
RECORD = bytes(32)

flash = NorFlash(sys.argv[1], SIZE)
ledger = Ledger(Partition(flash, 0, SIZE, "ledger"), bytes(32))
ledger.mount()

peer_flash = NorFlash(sys.argv[2], SIZE)
device = Partition(peer_flash, 0, SIZE, "vfs")
vfs.VfsLfs2.mkfs(device)
vfs.mount(device, "/lfs")
file = open("/lfs/readings", "wb")


def append(number):
    ledger.append(4, 3, 1, number * 1000, 1_790_000_000 + number, READING)
    ledger.acknowledge(ledger.next_sequence - 1)


def append_and_flush(number):
    file.write(RECORD)
    file.flush()


class Tally:
    """What `work` costs, summed up over its calls, of which `together` are timed as one."""

    def __init__(self, work, counted, together):
        self.work = work
        self.flash = counted
        self.together = together
        self.times_us = []
        work(0)
        self.before = counted.bytes_programmed, counted.erases, counted.modelled_us

    def turn(self, number):
        for first in range(number, number + TURN, self.together):
            self.time(first)

    def time(self, first):
        work = self.work
        began_us = time.ticks_us()
        for reading in range(first, first + self.together):
            work(reading)
        self.times_us.append(time.ticks_diff(time.ticks_us(), began_us))

    def told(self):
        programmed, erases, modelled_us = self.before
        count = self.together * len(self.times_us)
        ordered = sorted(self.times_us)
        return {
            "bytes_programmed": self.flash.bytes_programmed - programmed,
            "erases": self.flash.erases - erases,
            "modelled_us": (self.flash.modelled_us - modelled_us) / count,
            "cpu_us": sum(ordered) / count,
            "cpu_us_median": ordered[len(ordered) // 2] / self.together,
        }


ring = Tally(append, flash, TURN)
littlefs = Tally(append_and_flush, peer_flash, 1)
for number in range(0, int(sys.argv[3]), TURN):
    ring.turn(number)
    littlefs.turn(number)
print(json.dumps({"ring": ring.told(), "littlefs": littlefs.told()}))
