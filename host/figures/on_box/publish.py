# Runs on MicroPython: drains a ledger to a broker. argv: flash file, port, records.

import asyncio
import json
import sys
import time

from wallbox.link.link import Link
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

SIZE = 512 * 1024
READING = b"\x10\x27\x00\x00\x00"

flash = NorFlash(sys.argv[1], SIZE)
ledger = Ledger(Partition(flash, 0, SIZE, "ledger"), bytes(32))
ledger.mount()
for number in range(int(sys.argv[3])):
    ledger.append(4, 3, 1, number * 1000, 1_790_000_000 + number, READING)

config = {"serial": "BENCH", "host": "127.0.0.1", "port": int(sys.argv[2])}
link = Link(config, ledger, lambda: b"{}", lambda code: None)


async def drain():
    task = asyncio.create_task(link.run())
    while not link.up:
        await asyncio.sleep_ms(1)
    began_us = time.ticks_us()
    while link.session.cursor < ledger.next_sequence or link.session.count:
        await asyncio.sleep_ms(1)
    elapsed_us = time.ticks_diff(time.ticks_us(), began_us)
    task.cancel()
    print(json.dumps({"records": ledger.next_sequence - 1, "elapsed_us": elapsed_us}))


asyncio.run(drain())
