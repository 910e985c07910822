# Runs on MicroPython: a real ledger on simulated flash, and the real link. Not a test itself.
# Argument: a file with JSON (flash, key, size, config). Lines on standard input: write N,
# status, network up, network down, flash bad, flash good, state, stop. Lines on standard output:
# JSON.

import asyncio
import gc
import json
import sys
import time

from wallbox.link import texts
from wallbox.link.link import Link
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

with open(sys.argv[1]) as file:
    setup = json.load(file)

flash = NorFlash(setup["flash"], setup["size"])


class Device(Partition):
    """The partition of the ledger; while `bad`, the link cannot read from it."""

    bad = False

    def readblocks(self, block, buf, offset=0):
        if self.bad:
            raise OSError(5)
        Partition.readblocks(self, block, buf, offset)


device = Device(flash, 0, setup["size"], "ledger")
ledger = Ledger(device, bytes.fromhex(setup["key"]))
ledger.mount()
began = time.ticks_ms()
payload = bytearray(5)


def say(**values):
    values["ms"] = time.ticks_diff(time.ticks_ms(), began)
    print(json.dumps(values))


def write(count):
    bad, device.bad = device.bad, False
    for _ in range(count):
        number = ledger.next_sequence
        for at in range(len(payload)):
            payload[at] = number >> 8 * at & 255 if at < 4 else 0
        ledger.append(2, 3, 1, number * 1000, 1_700_000_000 + number, payload)
        ledger.erase_ahead()
    device.bad = bad


def status():
    return json.dumps({"online": True, "sequence": ledger.next_sequence - 1})


class Status:
    def build(self, buf):
        data = status().encode()
        buf[: len(data)] = data
        return len(data)


network = [True]
link = Link(
    setup["config"],
    ledger,
    Status(),
    lambda code: say(report=code, text=texts.explain(link, code)),
    network_up=lambda: network[0],
)
write(setup.get("write", 0))


def state():
    session = link.session
    gc.collect()
    say(
        next=ledger.next_sequence,
        acknowledged=ledger.acknowledged,
        up=link.up,
        published=session.published,
        resent=session.resent,
        pubacks=session.acknowledged,
        rewinds=link.publisher.rewinds,
        probes=link.publisher.probes,
        refused=link.publisher.refused,
        outages=link.outages,
        detail=str(link.detail),
        rtt_ms=session.srtt_8 // 8,
        heap=gc.mem_alloc(),
    )


async def listen():
    lines = asyncio.StreamReader(sys.stdin)
    while True:
        line = (await lines.readline()).decode().split()
        if not line or line[0] == "stop":
            link.stop()
            return
        if line[0] == "write":
            write(int(line[1]))
        elif line[0] == "network":
            network[0] = line[1] == "up"
        elif line[0] == "flash":
            device.bad = line[1] == "bad"
        elif line[0] == "status":
            link.status_changed()
        state()


async def measure():
    # the time of the drain, as the box sees it
    while link.session.acknowledged == 0:
        await asyncio.sleep_ms(1)
    start, published = time.ticks_us(), link.session.acknowledged
    while link.session.cursor < ledger.next_sequence or link.session.count:
        await asyncio.sleep_ms(1)
    say(
        drained=link.session.acknowledged - published,
        drain_us=time.ticks_diff(time.ticks_us(), start),
    )


async def run():
    asyncio.create_task(measure())
    listener = asyncio.create_task(listen())
    say(ready=True)
    await link.run()
    listener.cancel()
    state()


asyncio.run(run())
