"""A new list of tags, whole or as changes, in parts: OCPP's SendLocalList with little memory.

    update = Update(tags)
    update.begin(full, version, base)
    update.add(0, part)             and so on, each followed by
    update.work()                   until it is not WORKING
    update.finish(count)            and work() again

A part is up to PART_MAX entries of 21 bytes (an entry of the file without its check), all parts
together in ascending order of the hash. Status REMOVE takes a tag off the list. work() copies a
few entries at a time. The old list is asked until the new one is complete, checked and renamed.
"""

import os
from binascii import crc32

from micropython import const

from . import tagmerge
from .taglist import DATA_SIZE, ENTRIES_MAX, ENTRY_SIZE, HASH_SIZE, INVALID, WINDOW, compare
from .tagmerge import PART_MAX, REMOVE

# what an update has come to
ACCEPTED = const(0)
FAILED = const(1)
VERSION_MISMATCH = const(2)
WORKING = const(3)

KINDS = const(3)
BUDGET = const(32)  # entries that work() copies

_IDLE = const(0)
_MERGE = const(1)
_CHECK = const(2)


class Update:
    """`active` while there is more to do; `error` is one line when it has FAILED."""

    def __init__(self, tags):
        self.error = ""
        self._tags = tags
        self._state = _IDLE
        self._file = None
        self._merged = None
        self._path = tags.path + ".new"

    @property
    def active(self) -> bool:
        return self._state != _IDLE

    def begin(self, full: bool, version: int, base: int = 0) -> int:
        """ACCEPTED: parts may come. Changes need a version above the box's, and if base is
        given, the box must have just that one.
        """
        tags = self._tags
        self.error = ""
        if not 0 < version < 1 << 32:
            return self._fail("version %d" % version)
        if not full and (tags.error or version <= tags.version):
            return VERSION_MISMATCH
        if not full and base and base != tags.version:
            return VERSION_MISMATCH
        return self._start(full, version)

    def fold(self) -> int:
        """Takes entries that were blocked one by one to their places. WORKING or FAILED."""
        self.error = ""
        outcome = self._start(False, self._tags.version)
        self._ending = True
        return WORKING if outcome == ACCEPTED else outcome

    def add(self, part: int, data) -> int:
        """Takes part number `part` (from 0). WORKING: not taken, work() has to be called first."""
        if self._state != _MERGE or self._ending:
            return FAILED
        if part < self._parts:
            return ACCEPTED  # a repetition
        if not self._merging().wants():
            return WORKING
        count = len(data) // DATA_SIZE
        if part > self._parts:
            return self._fail("part %d is missing" % self._parts)
        if count > PART_MAX or count * DATA_SIZE != len(data):
            return self._fail("part %d has %d bytes" % (part, len(data)))
        for index in range(count):
            at = index * DATA_SIZE
            if self._received and compare(data, at, self._last, 0) <= 0:
                return self._fail("entry %d is not in order" % self._received)
            status = data[at + 8]
            if (status > INVALID and (self._full or status != REMOVE)) or data[at + 9] >= KINDS:
                return self._fail("entry %d has no such status or kind" % self._received)
            self._last[:] = data[at : at + HASH_SIZE]
            self._received += 1
        self._merging().feed(data)
        self._parts += 1
        return ACCEPTED

    def finish(self, count: int) -> int:
        """All `count` entries have been sent: WORKING, or FAILED if some are missing."""
        if self._state != _MERGE or self._ending:
            return FAILED
        if count != self._received:
            return self._fail("%d entries came, %d were sent" % (self._received, count))
        self._ending = True
        return WORKING

    def work(self) -> int:
        """Goes on for a while. WORKING, ACCEPTED (a part, or everything if not active), FAILED."""
        try:
            if self._state == _MERGE:
                return self._merge()
            if self._state == _CHECK:
                return self._check()
        except OSError:
            return self._fail("the file system refuses, or a file is damaged")
        return FAILED

    def abort(self) -> None:
        """Gives up; the old list stays."""
        if self._file is not None:
            self._file.close()
            self._file = None
            try:
                os.remove(self._path)
            except OSError:
                pass
        self._over()

    def _over(self) -> None:
        self._merged = None
        if self._state != _IDLE:
            self._state = _IDLE
            self._tags.updating = None

    def _fail(self, text: str) -> int:
        self.error = "tag list: %s; the old list stays" % text
        self.abort()
        return FAILED

    def _start(self, full: bool, version: int) -> int:
        tags = self._tags
        if tags.updating is not None:
            tags.updating.abort()
        self.abort()
        self._full = full
        self._version = version
        self._ending = False
        self._parts = self._received = self._count = self._crc = 0
        self._begun_with = self._kept = tags.blocks
        self._last = bytearray(HASH_SIZE)
        try:
            self._merged = tagmerge.Merge(tags, full)
            self._file = open(self._path, "wb")
        except OSError:
            return self._fail("the file system refuses")
        self._state = _MERGE
        tags.updating = self
        return ACCEPTED

    def _merging(self):
        return self._merged

    def _out(self):
        return self._file

    def _merge(self) -> int:
        merge = self._merging()
        for _ in range(BUDGET):
            if not self._ending and merge.wants():
                return ACCEPTED
            outcome = merge.take()
            if outcome == tagmerge.EMPTY:
                return self._end()
            if outcome == tagmerge.DAMAGED:
                return self._fail("the list on the box is damaged: send it in full")
            if outcome == tagmerge.TAKEN:
                if self._count == ENTRIES_MAX:
                    return self._fail("more than %d entries" % ENTRIES_MAX)
                self._crc = crc32(merge.entry, self._crc)
                self._out().write(merge.entry)
                self._count += 1
        return WORKING

    def _end(self) -> int:
        """All entries are written: what was blocked meanwhile, and the trailer."""
        self._write_end(self._file)
        self._out().close()
        self._file = open(self._path, "rb")
        self._checked = self._crc_read = 0
        self._state = _CHECK
        return WORKING

    def _write_end(self, file) -> None:
        tags = self._tags
        self._kept = tags.blocks
        blocks = tags.blocks - self._begun_with
        if blocks:
            late = self._merging().window[: blocks * ENTRY_SIZE]
            tags.read(tags.count + self._begun_with, blocks, late)
            file.write(late)
        file.write(tags.trailer(self._version, self._count, blocks, self._crc))

    def _check(self) -> int:
        """Reads the new file back, then puts it in the place of the old one."""
        for _ in range(BUDGET // WINDOW):
            count = min(WINDOW, self._count - self._checked)
            if count == 0:
                return self._commit()
            view = self._merging().window[: count * ENTRY_SIZE]
            if self._out().readinto(view) != len(view):
                return self._fail("the new file is damaged")
            self._crc_read = crc32(view, self._crc_read)
            self._checked += count
        return WORKING

    def _commit(self) -> int:
        tags = self._tags
        if self._crc_read != self._crc:
            return self._fail("the new file is damaged")
        self._out().close()
        self._file = None
        if tags.blocks != self._kept:
            with open(self._path, "r+b") as file:
                file.seek(self._count * ENTRY_SIZE)
                self._write_end(file)
        tags.close()
        try:
            os.rename(self._path, tags.path)
        finally:
            tags.mount(False)
        self._over()
        return ACCEPTED
