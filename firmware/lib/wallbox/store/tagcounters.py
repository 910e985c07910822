"""The one-way counters of the tags that came last, in one small file: who has been copied.

A genuine NTAG21x has counted on whenever it is read again. A counter that went back, or stands
still or is missing after it had grown, belongs to a copy; which of the two tags is the copy
cannot be told, so the mark stays until `forget`.

The file: magic 4, entries of 12 bytes, newest first (hash 8, counter 3, marks 1), CRC-32 4. It is
read only when a tag is told and written by save(), in one piece: a flash block holds all of it,
so an entry of its own in the list of tags would cost the same block and more.
"""

import os
from binascii import crc32

from micropython import const

from .record import number, put

ENTRIES_MAX = const(64)
_MAGIC = b"WTC1"
_ENTRY = const(12)
_HASH = const(8)
_SIZE_MAX = const(4 + ENTRIES_MAX * 12 + 4)
_GROWN = const(1)
_COPIED = const(2)
_FULL = const(0xFFFFFF)  # a counter that has come to its end stands still


class Counters:
    """`error` is one line when the file was damaged or cannot be written."""

    def __init__(self, path: str):
        self.path = path
        self.error = ""
        self._news = bytearray(_ENTRY)  # the entry that is not in the file yet
        self._unsaved = False

    def see(self, tag, counter: int) -> int:
        """1 if the tag of this hash is one of several; counter is -1 if it showed none."""
        if self._unsaved and bytes(self._news[:_HASH]) != tag:
            self.save()
            self._unsaved = False  # what could not be saved is lost, and told in `error`
        entry = self._news
        if not self._unsaved and not self._find(tag):
            if counter < 0:
                return 0
            entry[:_HASH] = tag
            self._note(counter, 0)
            return 0
        last = number(entry, _HASH, 3)
        marks = entry[_HASH + 3]
        if marks & _COPIED:
            return 1
        grown = marks & _GROWN
        if counter > last:
            self._note(counter, _GROWN)
        elif (0 <= counter < last) or (grown and last != _FULL) or (grown and counter < 0):
            self._note(last, grown | _COPIED)
            return 1
        return 0

    def forget(self, tag) -> None:
        """The operator: the copy is out of the world, the tag begins anew."""
        self.save()
        data = self._load()
        for at in range(0, len(data), _ENTRY):
            if data[at : at + _HASH] == tag:
                self._store(data[:at] + data[at + _ENTRY :])
                return

    def save(self) -> bool:
        """Writes what is new; for a moment without hurry. False if the file system refuses."""
        if not self._unsaved:
            return True
        data = self._load()
        news = bytes(self._news)
        for at in range(0, len(data), _ENTRY):
            if data[at : at + _HASH] == news[:_HASH]:
                data = data[:at] + data[at + _ENTRY :]
                break
        if len(data) == ENTRIES_MAX * _ENTRY:
            data = self._without_oldest(data)
        if not self._store(news + data):
            return False
        self._unsaved = False
        return True

    def _note(self, counter: int, marks: int) -> None:
        put(self._news, _HASH, 3, counter)
        self._news[_HASH + 3] = marks
        self._unsaved = True

    def _find(self, tag) -> bool:
        """Fills `_news` with what the file says."""
        data = self._load()
        for at in range(0, len(data), _ENTRY):
            if data[at : at + _HASH] == tag:
                self._news[:] = data[at : at + _ENTRY]
                return True
        return False

    def _without_oldest(self, data) -> bytes:
        """Of those that are not marked, if there are such."""
        at = len(data) - _ENTRY
        while at > 0 and data[at + _HASH + 3] & _COPIED:
            at -= _ENTRY
        if data[at + _HASH + 3] & _COPIED:
            at = len(data) - _ENTRY
        return data[:at] + data[at + _ENTRY :]

    def _load(self) -> bytes:
        """The entries, b"" if there are none."""
        try:
            with open(self.path, "rb") as file:
                data = file.read(_SIZE_MAX + 1)
        except OSError:
            return b""
        size = len(data) - 8
        whole = 0 <= size <= ENTRIES_MAX * _ENTRY and size % _ENTRY == 0
        if not whole or data[:4] != _MAGIC or number(data, size + 4, 4) != crc32(data[: size + 4]):
            self.error = "tag counters: %s is damaged; copies are told anew from now on" % self.path
            return b""
        return data[4 : size + 4]

    def _store(self, entries) -> bool:
        data = _MAGIC + entries
        check = bytearray(4)
        put(check, 0, 4, crc32(data))
        try:
            with open(self.path + ".new", "wb") as file:
                file.write(data)
                file.write(check)
            os.rename(self.path + ".new", self.path)
        except OSError:
            self.error = "tag counters: %s cannot be written; make room" % self.path
            return False
        return True
