# Runs on MicroPython: what it takes to mount a full ring, or LittleFS with one long file.
# argv: flash file, ledger | trace | littlefs, bytes of flash, how many boots.

import gc
import json
import sys

import vfs
from wallbox.core import engine
from wallbox.store import LedgerFull
from wallbox.store.ledger import Ledger
from wallbox.store.record import STATE
from wallbox.store.trace import Trace

from hw.sim.flash import NorFlash, Partition

path, kind, size, boots = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
flash = NorFlash(path, size)
device = Partition(flash, 0, size, kind)
PAYLOAD = bytes(21)  # of an interval
BATCH = bytes(63)  # of a batch with one reading
SNAPSHOT = STATE, bytes(engine.SNAPSHOT_SIZE)  # the first record of each of the ledger's sectors


def ring():
    return Ledger(device, bytes(32)) if kind == "ledger" else Trace(device, bytes(32))


def mounted():
    """A ring, and [bytes read, modelled us, bytes of heap that it keeps]."""
    cost = [flash.bytes_read, flash.modelled_us, 0]
    gc.collect()
    heap = gc.mem_alloc()
    made = ring()
    made.mount()
    gc.collect()
    cost[2] = gc.mem_alloc() - heap
    cost[0] = flash.bytes_read - cost[0]
    cost[1] = flash.modelled_us - cost[1]
    return made, cost


def remembers(made):
    if kind == "ledger":
        made.state_source = lambda: SNAPSHOT


def fill(made):
    """To the brim; a trace goes round once and a half, for what is full is never so again."""
    payload = PAYLOAD if kind == "ledger" else BATCH
    remembers(made)
    records = 3 * size // (27 + len(payload)) // 2
    try:
        for number in range(records):
            made.append(4, 3, 1, number * 1000, 1_790_000_000, payload)
    except LedgerFull:
        pass


def rings():
    made = ring()
    made.mount()
    fill(made)
    made = None
    costs = []
    for boot in range(boots):
        made, cost = mounted()
        costs.append(cost)
        remembers(made)
        if kind == "ledger":  # the operator takes one sector, and the box goes on
            made.acknowledge(made.last_in((made.head + 1) % made.count))
        for number in range(1 + boot % 9):
            made.append(4, 3, 1, number * 1000, 1_790_000_000, PAYLOAD)
        made = None
    return costs


def littlefs():
    vfs.VfsLfs2.mkfs(device)
    vfs.mount(device, "/lfs")
    chunk = bytes(4096)
    with open("/lfs/readings", "wb") as file:
        for _ in range(size // 4096 * 9 // 10):
            file.write(chunk)
    vfs.umount("/lfs")
    gc.collect()
    heap, read, modelled_us = gc.mem_alloc(), flash.bytes_read, flash.modelled_us
    peer = vfs.VfsLfs2(device)
    vfs.mount(peer, "/lfs")
    names = list(peer.ilistdir("/"))
    file = peer.open("/readings", "rb")
    file.seek(-32, 2)
    file.read(32)
    cost = [flash.bytes_read - read, flash.modelled_us - modelled_us, 0]
    gc.collect()
    cost[2] = gc.mem_alloc() - heap
    assert names
    return [cost]


print(json.dumps({"costs": littlefs() if kind == "littlefs" else rings()}))
