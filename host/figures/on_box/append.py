# Runs on MicroPython: what a durable record costs, raw ring and LittleFS. argv: flash files.

import gc
import json
import sys
import time

import vfs
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

COUNT = 1000
SIZE = 512 * 1024
READING = b"\x10\x27\x00\x00\x00"  # 5 bytes make a record of 32


def counted(flash, work, count):
    """Figures of one work unit each, over count of them."""
    programmed, erases, modelled_us = flash.bytes_programmed, flash.erases, flash.modelled_us
    times_us = []
    for number in range(count):
        began_us = time.ticks_us()
        work(number)
        times_us.append(time.ticks_diff(time.ticks_us(), began_us))
    times_us.sort()
    return {
        "bytes_programmed": flash.bytes_programmed - programmed,
        "erases": flash.erases - erases,
        "modelled_us_mean": (flash.modelled_us - modelled_us) // count,
        "elapsed_us_median": times_us[count // 2],
    }


def ring(path):
    flash = NorFlash(path, SIZE)
    ledger = Ledger(Partition(flash, 0, SIZE, "ledger"), bytes(32))
    ledger.mount()

    def work(number):
        ledger.append(4, 3, 1, number * 1000, 1_790_000_000 + number, READING)
        ledger.acknowledge(ledger.next_sequence - 1)

    work(0)
    figures = counted(flash, work, COUNT)
    gc.collect()
    before = gc.mem_alloc()
    gc.disable()
    ledger.append(4, 3, 1, 0, 0, READING)
    figures["allocated_bytes"] = gc.mem_alloc() - before
    gc.enable()
    return figures


def littlefs(path):
    flash = NorFlash(path, SIZE)
    device = Partition(flash, 0, SIZE, "vfs")
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(device, "/lfs")
    record = bytes(32)
    with open("/lfs/readings", "wb") as file:

        def work(number):
            file.write(record)
            file.flush()

        work(0)
        return counted(flash, work, COUNT)


print(json.dumps({"ring": ring(sys.argv[1]), "littlefs": littlefs(sys.argv[2])}))
