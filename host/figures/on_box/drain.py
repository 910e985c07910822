# Runs on MicroPython: drains a ledger that is there. argv: a JSON file with flash,
# size, key, config.

import asyncio
import gc
import json
import sys
import time

from wallbox.link.link import Link
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

WATERMARK_MS = 1000  # the box writes it down once an hour

with open(sys.argv[1]) as file:
    setup = json.load(file)
flash = NorFlash(setup["flash"], setup["size"])
ledger = Ledger(Partition(flash, 0, setup["size"], "ledger"), bytes.fromhex(setup["key"]))
ledger.mount()
gc.collect()
before = gc.mem_alloc()
link = Link(setup["config"], ledger, lambda: b"{}", lambda code: None)
session = link.session
gc.collect()
heap = gc.mem_alloc() - before


def elapsed_us(since):
    return time.ticks_diff(time.ticks_us(), since)


async def drain():
    began = time.ticks_us()
    modelled_us = flash.modelled_us
    task = asyncio.create_task(link.run())
    while not session.published:
        await asyncio.sleep_ms(1)
    first = time.ticks_us()
    marked = 0
    while session.cursor < ledger.next_sequence or session.count:
        await asyncio.sleep_ms(1)
        if elapsed_us(first) // 1000 - marked >= WATERMARK_MS:
            marked += WATERMARK_MS
            ledger.flush_acknowledged()
    told = {"drain_us": elapsed_us(first), "sent_us": elapsed_us(began)}
    while ledger.acknowledged < ledger.next_sequence - 1:
        await asyncio.sleep_ms(1)
    ledger.flush_acknowledged()
    told["delivered_us"] = elapsed_us(began)
    told["flash_us"] = flash.modelled_us - modelled_us
    told["messages"] = session.published
    told["resent"] = session.resent
    told["records"] = ledger.acknowledged
    told["in_flight_bytes"] = 8 * session.window
    told["link_heap"] = heap
    task.cancel()
    print(json.dumps(told))


asyncio.run(drain())
