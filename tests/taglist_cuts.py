"""Cuts the power in every flash operation of a change to the tag list, on a real LittleFS.

Runs on MicroPython: taglist_cuts.py CHANGE TEAR, where CHANGE is full, part, block, first
(a block on a box without a list), fold or counter. Prints the number of cuts, how many left the
old content, and how many the new one.
"""

import os
import sys

import vfs
from wallbox.store.tagcounters import Counters
from wallbox.store.taglist import TagList
from wallbox.store.taglist_update import ACCEPTED, WORKING, Update

from hw.sim import flash_faults
from hw.sim.flash import Partition

SIZE = 24 * 4096
KEY = bytes(32)
COUNT = 200


class Power:
    """A flash that an interpreter with a past cannot reach any more once the power was cut."""

    def __init__(self, flash):
        self._partition = Partition(flash, 0, SIZE, "vfs")
        self.on = True

    def readblocks(self, block, buf, offset=0):
        return self._partition.readblocks(block, buf, offset) if self.on else -5

    def writeblocks(self, block, buf, offset=None):
        return self._partition.writeblocks(block, buf, offset) if self.on else -5

    def ioctl(self, operation, argument):
        return self._partition.ioctl(operation, argument) if self.on else -5


def tag(number):
    return (number * 2654435761 & 0xFFFFFFFF).to_bytes(4, "big") + number.to_bytes(4, "big")


def entries(numbers, status):
    rows = sorted([tag(number) + bytes([status]) + bytes(12) for number in numbers])
    return [b"".join(rows[at : at + 32]) for at in range(0, len(rows), 32)], len(rows)


def send(tags, full, version, numbers, status=0):
    update = Update(tags)
    parts, count = entries(numbers, status)
    outcome = update.begin(full, version)
    for index, part in enumerate(parts):
        outcome = update.add(index, part)
        while update.work() == WORKING:
            pass
    outcome = update.finish(count)
    while outcome == WORKING:
        outcome = update.work()
    assert outcome == ACCEPTED and not update.active, update.error


def change(kind, tags, counters):
    if kind == "full":
        send(tags, True, 2, range(100, 100 + COUNT))
    elif kind == "part":
        send(tags, False, 2, (3, 50, 51, 1000), 1)
    elif kind in ("block", "first"):
        tags.block(tag(1))
    elif kind == "fold":
        for number in range(300, 309):  # one more than there is room for
            tags.block(tag(number))
    else:
        counters.see(tag(1), 8)
        assert counters.save()


def content(tags, counters):
    """All that a box would ever say of any tag."""
    said = [(tags.version, tags.error)]
    for number in (
        list(range(0, COUNT + 100, 7)) + [1, 3, 50, 51, 77] + list(range(300, 310)) + [1000]
    ):
        tags.look_up(tag(number))
        said.append(tags.status)
    return said, counters._load()


class Bench:
    def __init__(self, tear):
        self.flash = flash_faults.FaultyFlash(SIZE)
        self.tear = tear
        vfs.VfsLfs2.mkfs(Partition(self.flash, 0, SIZE, "vfs"))
        self.mount()
        send(self.tags, True, 1, range(COUNT))
        self.tags.block(tag(77))
        self.counters.see(tag(1), 7)
        self.counters.save()
        self.unmount()
        self.image = self.flash.image()

    def mount(self):
        self.power = Power(self.flash)
        vfs.mount(vfs.VfsLfs2(self.power), "/lfs")
        self.tags = TagList("/lfs/tags", KEY)
        self.tags.mount()
        self.counters = Counters("/lfs/counters")

    def unmount(self):
        self.power.on = False
        self.flash.power_on()
        # LittleFS does not claim to stand bits that read differently each time
        self.flash._weak.clear()
        self.flash._asleep.clear()
        vfs.umount("/lfs")

    def begin(self, seed):
        self.flash = flash_faults.FaultyFlash(SIZE, seed)
        self.flash.load(0, self.image)
        self.mount()

    def play(self, kind):
        """[cuts, of which old, of which new]"""
        if kind == "first":
            self.begin(0)
            self.tags.close()
            os.remove("/lfs/tags")
            self.unmount()
            self.image = self.flash.image()
        self.begin(0)
        old = content(self.tags, self.counters)
        assert old[0][0] == (0 if kind == "first" else 1, ""), old[0][0]
        change(kind, self.tags, self.counters)
        new = content(self.tags, self.counters)
        assert old != new
        self.unmount()
        cuts = [0, 0, 0]
        between = [old]
        for cut in range(1, 10000):
            self.begin(cut)
            self.flash.cut_in(cut, self.tear)
            try:
                change(kind, self.tags, self.counters)
                self.unmount()
                return cuts
            except flash_faults.PowerCut:
                pass
            self.unmount()
            self.mount()
            found = content(self.tags, self.counters)
            if kind == "fold":
                # nine changes: each is there whole, and those before it are
                if found != between[-1]:
                    between.append(found)
                assert _in_order(found), (cut, found)
            else:
                assert found in (old, new), (cut, found)
            assert not self.tags.error
            # what comes next works, too
            send(self.tags, True, 9, range(5))
            assert self.tags.version == 9
            assert "tags.new" not in os.listdir("/lfs")
            cuts[0] += 1
            cuts[1 if found == old else 2] += 1
            self.unmount()
        raise AssertionError("no end")


def _in_order(found):
    blocked = [status == 1 for status in found[0][-11:-2]]
    return blocked == sorted(blocked, reverse=True)


if __name__ == "__main__":
    print(*Bench(getattr(flash_faults, sys.argv[2])).play(sys.argv[1]))
