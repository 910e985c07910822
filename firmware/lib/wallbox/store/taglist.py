"""The list of tags in one file, sorted; asked without being read into memory (docs/tags.md).

    entries, blocked entries (at most BLOCKS, unsorted), trailer

An entry has ENTRY_SIZE bytes: hash 8, status 1, kind 1, subscription 4, limit_ma 3,
expires_utc_s 4, check 2. The trailer: magic 4, version 4, entries 2, blocked entries 1, format 1,
CRC-32 of the entries 4, check 2. Numbers are little-endian; a check is the folded CRC-32 of what
is before it. LittleFS replaces a file when it is closed or renamed, and not before: a power cut
leaves the old list or the new one.
"""

import os
from binascii import crc32

from micropython import const

from .keyed import hmac
from .record import fold, number, put

ACCEPTED = const(0)
BLOCKED = const(1)
EXPIRED = const(2)
INVALID = const(3)

HASH_SIZE = const(8)
DATA_SIZE = const(21)
ENTRY_SIZE = const(23)
ENTRIES_MAX = const(4000)
BLOCKS = const(8)
WINDOW = const(8)  # entries read at once
TRAILER_SIZE = const(18)
MAGIC = b"WTL1"
FORMAT = const(1)

_EIO = const(5)


def compare(a, a_at: int, b, b_at: int) -> int:
    """Below 0, 0 or above 0 as the hash in a comes before, is, or comes after that in b."""
    for index in range(HASH_SIZE):
        difference = a[a_at + index] - b[b_at + index]
        if difference:
            return difference
    return 0


def seal(buf, at: int, size: int) -> None:
    """Writes the check behind `size` bytes."""
    put(buf, at + size, 2, fold(crc32(buf[at : at + size])))


def sound(buf, at: int, size: int) -> bool:
    """Whether the check behind `size` bytes is right."""
    return number(buf, at + size, 2) == fold(crc32(buf[at : at + size]))


class TagList:
    """key: the ledger's. After look_up(): status, kind, subscription, limit_ma, expires_utc_s."""

    def __init__(self, path: str, key: bytes):
        self.path = path
        self.error = ""  # one line, if the list is damaged
        self.version = 0  # 0: there is no list
        self.count = 0
        self.blocks = 0
        self.crc = 0
        self.reads = 0
        self.updating = None  # the update that is under way, taglist_update.py
        self.status = INVALID
        self.kind = self.subscription = self.limit_ma = self.expires_utc_s = 0
        self._key = hmac(key, b"tags")
        self._file = None
        self._window = memoryview(bytearray(WINDOW * ENTRY_SIZE))
        self._views = [self._window[: n * ENTRY_SIZE] for n in range(WINDOW + 1)]

    def mount(self, check: bool = True) -> None:
        """Opens the list and checks all of it; a list that is damaged is as none."""
        self.close()
        if check:
            try:
                os.remove(self.path + ".new")  # of an update that a power cut has ended
            except OSError:
                pass
        try:
            size = os.stat(self.path)[6]
        except OSError:
            return
        if size == 0:  # made, and not written any more
            return
        try:
            self._file = file = open(self.path, "rb")
            self._read_trailer(file, size)
            if check and self._checked() != self.crc:
                raise OSError(_EIO)
        except OSError:
            self.damage()

    def close(self) -> None:
        """Forgets the list; mount() opens it again."""
        self.version = self.count = self.blocks = self.crc = 0
        self.error = ""
        if self._file is not None:
            self._file.close()
            self._file = None

    def damage(self) -> None:
        """The list cannot be believed any more: every tag is unknown."""
        self.close()
        self.error = "tag list: %s is damaged; send the full list" % self.path

    def hash(self, uid, length: int) -> bytes:
        """What stands for a UID of `length` bytes, here and wherever the tag is told of."""
        return hmac(self._key, uid[:length])[:HASH_SIZE]

    def look_up(self, tag) -> bool:
        """What the list says of a hash; False, and INVALID, if it does not have it."""
        self.status = INVALID
        self.kind = self.subscription = self.limit_ma = self.expires_utc_s = 0
        if self._file is None:
            return False
        try:
            at = self._find(tag)
            if at < 0:
                return False
            if not sound(self._window, at, DATA_SIZE):
                raise OSError(_EIO)
        except OSError:
            self.damage()
            return False
        window = self._window
        self.status = window[at + 8]
        self.kind = window[at + 9]
        self.subscription = number(window, at + 10, 4)
        self.limit_ma = number(window, at + 14, 3)
        self.expires_utc_s = number(window, at + 17, 4)
        return True

    def block(self, tag) -> None:
        """Blocks a tag at once, on the list or not. OSError if the file system refuses."""
        known = self.look_up(tag)
        if known and self.status == BLOCKED:
            return
        entry = bytearray(ENTRY_SIZE)
        entry[:HASH_SIZE] = tag
        entry[8] = BLOCKED
        if known:
            entry[9] = self.kind
            put(entry, 10, 4, self.subscription)
            put(entry, 14, 3, self.limit_ma)
            put(entry, 17, 4, self.expires_utc_s)
        seal(entry, 0, DATA_SIZE)
        if self.blocks == BLOCKS:
            self._fold()
        end = (self.count + self.blocks) * ENTRY_SIZE
        self.blocks += 1
        trailer = self.trailer(self.version, self.count, self.blocks, self.crc)
        fresh, damage = self._file is None, self.error
        if self._file is not None:
            self._file.close()
            self._file = None
        try:
            with open(self.path, "wb" if fresh else "r+b") as file:
                file.seek(end)
                file.write(entry)
                file.write(trailer)
        finally:
            self.mount(False)
            self.error = self.error or damage  # changes alone make no list of it

    def _fold(self) -> None:
        """No room for one more: the blocked entries go to their places, all at once."""
        from .taglist_update import ACCEPTED, WORKING, Update

        update = Update(self)
        outcome = update.fold()
        while outcome == WORKING:
            outcome = update.work()
        if outcome != ACCEPTED:
            raise OSError(_EIO, update.error)

    def trailer(self, version: int, count: int, blocks: int, crc: int) -> bytearray:
        """The end of a file."""
        buf = bytearray(TRAILER_SIZE)
        buf[:4] = MAGIC
        put(buf, 4, 4, version)
        put(buf, 8, 2, count)
        buf[10] = blocks
        buf[11] = FORMAT
        put(buf, 12, 4, crc)
        seal(buf, 0, TRAILER_SIZE - 2)
        return buf

    def read(self, first: int, count: int, into) -> None:
        """Reads whole entries, blocked ones behind the others. OSError if they are not there."""
        self.reads += 1
        file = self._file
        if file is None:
            raise OSError(_EIO)
        file.seek(first * ENTRY_SIZE)
        if file.readinto(into) != count * ENTRY_SIZE:
            raise OSError(_EIO)

    def _read_trailer(self, file, size: int) -> None:
        buf = bytearray(TRAILER_SIZE)
        if size < TRAILER_SIZE:
            raise OSError(_EIO)
        file.seek(size - TRAILER_SIZE)
        if file.readinto(buf) != TRAILER_SIZE or not sound(buf, 0, TRAILER_SIZE - 2):
            raise OSError(_EIO)
        count, blocks = number(buf, 8, 2), buf[10]
        right = bytes(buf[:4]) == MAGIC and buf[11] == FORMAT
        if not right or count > ENTRIES_MAX or blocks > BLOCKS:
            raise OSError(_EIO)
        if size != (count + blocks) * ENTRY_SIZE + TRAILER_SIZE:
            raise OSError(_EIO)
        self.version, self.count, self.blocks = number(buf, 4, 4), count, blocks
        self.crc = number(buf, 12, 4)

    def _checked(self) -> int:
        """The CRC of all entries. OSError if a blocked one is damaged."""
        crc = 0
        for first in range(0, self.count, WINDOW):
            count = min(WINDOW, self.count - first)
            self.read(first, count, self._views[count])
            crc = crc32(self._views[count], crc)
        if self.blocks:
            self.read(self.count, self.blocks, self._views[self.blocks])
            for index in range(self.blocks):
                if not sound(self._window, index * ENTRY_SIZE, DATA_SIZE):
                    raise OSError(_EIO)
        return crc

    def _find(self, tag) -> int:
        """Where in the window the tag's entry is, -1 if the list does not have it."""
        if self.blocks:
            at = self._scan(self.count, self.blocks, tag)
            if at >= 0:
                return at
        low, high = 0, (self.count + WINDOW - 1) // WINDOW
        while low < high:
            middle = (low + high) // 2
            first = middle * WINDOW
            count = min(WINDOW, self.count - first)
            self.read(first, count, self._views[count])
            if compare(tag, 0, self._window, 0) < 0:
                high = middle
            elif compare(tag, 0, self._window, (count - 1) * ENTRY_SIZE) > 0:
                low = middle + 1
            else:
                return self._among(count, tag)
        return -1

    def _scan(self, first: int, count: int, tag) -> int:
        self.read(first, count, self._views[count])
        return self._among(count, tag)

    def _among(self, count: int, tag) -> int:
        for index in range(count):
            if compare(tag, 0, self._window, index * ENTRY_SIZE) == 0:
                return index * ENTRY_SIZE
        return -1
