# Runs on MicroPython: a tag from the reader to the core's event, against the simulated chip's
# registers and a list on LittleFS. argv: flash file, modules that a box with a reader has.

import gc
import json
import sys
import time

import vfs
from wallbox.core import events
from wallbox.inbox import Inbox

from hw.sim.flash import NorFlash, Partition
from hw.sim.tagcards import Card
from hw.sim.tagreader import Bus, TagReader

SIZE = 384 * 1024  # the vfs partition
TAGS = 1000
KEY = bytes(range(32))
LIST = "/lfs/tags"


def imported(*names):
    """Bytes of heap that modules take."""
    gc.collect()
    before = gc.mem_alloc()
    for name in names:
        __import__("wallbox." + name)
    gc.collect()
    return gc.mem_alloc() - before


imported("store.record")  # a box has it for its ledger
heap = {"modules": imported(*sys.argv[2].split(","))}
heap["modules of an update"] = imported("store.taglist_update")

from wallbox.drivers import mfrc522, tagreader, tags
from wallbox.store import tagcounters, taglist, taglist_update


def made(function):
    gc.collect()
    before = gc.mem_alloc()
    result = function()
    gc.collect()
    return result, gc.mem_alloc() - before


def garbage(function, *arguments):
    """(result, bytes that a call leaves behind)."""
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    result = function(*arguments)
    taken = gc.mem_alloc() - before
    gc.enable()
    return result, taken


flash = NorFlash(sys.argv[1], SIZE)
vfs.VfsLfs2.mkfs(Partition(flash, 0, SIZE, "vfs"))
vfs.mount(Partition(flash, 0, SIZE, "vfs"), "/lfs")
clock = [5_000_000]
chip = TagReader(lambda: clock[0])
bus = Bus(chip)
reader, heap["reader object"] = made(
    lambda: tagreader.Reader(mfrc522.Mfrc522(bus, chip.select, chip.reset_line))
)
listed, heap["list object"] = made(lambda: taglist.TagList(LIST, KEY))
inbox = Inbox()
service = tags.Tags(reader, listed, tagcounters.Counters("/lfs/counters"), inbox)
listed.mount()

UIDS = {
    "4-byte": (b"\x11abc", -1),
    "7-byte": (b"\x04abcdef", 41),
    "10-byte": (b"\x04abcdefghi", -1),
}


def entry(uid):
    return listed.hash(uid, len(uid)) + bytes(13)


def update(uids, full, version):
    """Sends a list; figures of it."""
    rows = sorted([entry(uid) for uid in uids])
    job = taglist_update.Update(listed)
    longest_us = longest_erases = 0
    begun = flash.modelled_us, flash.erases, flash.bytes_programmed

    def step(function, *arguments):
        nonlocal longest_us, longest_erases
        before = flash.modelled_us, flash.erases
        outcome = function(*arguments)
        longest_us = max(longest_us, flash.modelled_us - before[0])
        longest_erases = max(longest_erases, flash.erases - before[1])
        return outcome

    gc.collect()
    before = gc.mem_alloc()
    step(job.begin, full, version)
    gc.collect()
    taken = gc.mem_alloc() - before
    for at in range(0, len(rows), 32):
        job.add(at // 32, b"".join(rows[at : at + 32]))
        while step(job.work) == taglist_update.WORKING:
            pass
    outcome = job.finish(len(rows))
    while outcome == taglist_update.WORKING:
        outcome = step(job.work)
    assert outcome == taglist_update.ACCEPTED, job.error
    return {
        "modelled_us": flash.modelled_us - begun[0],
        "erases": flash.erases - begun[1],
        "bytes_programmed": flash.bytes_programmed - begun[2],
        "longest_us": longest_us,
        "longest_erases": longest_erases,
        "heap": taken,
    }


def serve(until_us):
    """Lets the box's loop run, 1 ms at the least; the longest call in us of this machine."""
    longest = 0
    while clock[0] < until_us:
        began = time.ticks_us()
        service.service(clock[0] // 1000)
        longest = max(longest, time.ticks_diff(time.ticks_us(), began))
        clock[0] = max(clock[0] // 1000 + 1, service.due) * 1000
    return longest


def empty_polls():
    serve(clock[0] + 1_000_000)
    inbox.release()  # READER
    before = chip.accesses, chip.transactions, chip.spi_us
    began = time.ticks_us()
    serve(clock[0] + 20_000_000)
    us = time.ticks_diff(time.ticks_us(), began)
    polls = 200
    return {
        "accesses": (chip.accesses - before[0]) / polls,
        "transactions": (chip.transactions - before[1]) / polls,
        "spi_us": (chip.spi_us - before[2]) / polls,
        "cpu_us": us // polls,
    }


def tap(uid, counter):
    """What a tag costs from the call that it answers to the event in the inbox."""
    chip.put(Card(uid, counter))
    air = chip.air_us
    while chip.air_us == air:
        began = clock[0]
        marks = air, chip.spi_us, flash.modelled_us, chip.transactions, listed.reads
        longest = serve(clock[0] + 1)
    while not inbox.take():
        halt = chip.air_us
        at = clock[0]
        longest = max(longest, serve(clock[0] + 1))
    event = inbox.take()
    assert event[0] == events.TAG and event[1] == 0, event
    inbox.release()
    # the frame that puts the tag to sleep goes out when all is decided
    figures = {
        "air_us": halt - marks[0],
        "spi_us": chip.spi_us - marks[1],
        "flash_us": flash.modelled_us - marks[2],
        "transactions": chip.transactions - marks[3],
        "reads": listed.reads - marks[4],
        "served_ms": (at - began) // 1000,
        "longest_call_us": longest,
    }
    chip.clear()
    serve(clock[0] + 1_000_000)
    service.save()
    return figures


strangers = [b"\x04" + number.to_bytes(6, "big") for number in range(TAGS - len(UIDS))]
everybody = strangers + [uid for uid, _ in UIDS.values()]
result = {"full update": update(everybody, True, 1)}
result["changes"] = update(strangers[:10], False, 2)
before_us = flash.modelled_us
listed.block(listed.hash(b"lost", 4))
result["block_us"] = flash.modelled_us - before_us
before_us = flash.modelled_us
listed.mount()
result["mount_us"] = flash.modelled_us - before_us
result["empty"] = empty_polls()
for name, (uid, counter) in UIDS.items():
    tap(uid, counter)
    result[name] = tap(uid, counter)
hashes = [listed.hash(uid, len(uid)) for uid in everybody]
before = flash.modelled_us, listed.reads
longest_us = 0
for one in hashes:
    begun_us = flash.modelled_us
    assert listed.look_up(one)
    longest_us = max(longest_us, flash.modelled_us - begun_us)
result["look up"] = {
    "flash_us": (flash.modelled_us - before[0]) / TAGS,
    "longest_us": longest_us,
    "reads": (listed.reads - before[1]) / TAGS,
}
_, heap["look up"] = garbage(listed.look_up, hashes[500])
_, heap["hash"] = garbage(listed.hash, bytearray(10), 7)
heap["update under way"] = result["full update"]["heap"]
result["heap"] = heap
print(json.dumps(result))
