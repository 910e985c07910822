"""The table of leases in a file: what the ledger's facts up to some record have made of it.

Saved as a new file that takes the old one's name, so that a power cut leaves one of the two whole.
"""

import os
from binascii import crc32

from . import StoreError
from .record import number, put

NAME = "leases.bin"
_MAGIC = b"WBL1"
_HEAD_SIZE = 8  # magic, sequence u32
_CHECK_SIZE = 4


class LeaseFile:
    """The file at `path`: magic, sequence number, table, CRC-32 of all."""

    def __init__(self, path: str = NAME):
        self._path = path

    def load(self, table) -> int:
        """Fills the table; the number of the last record that is in it, 0 if there is no file.

        StoreError: the file is damaged or cannot be read.
        """
        size = _HEAD_SIZE + len(table) + _CHECK_SIZE
        try:
            with open(self._path, "rb") as file:
                data = memoryview(file.read(size + 1))
        except OSError as error:
            if error.args[0] == 2:  # ENOENT
                return 0
            raise StoreError("%s: cannot be read (%s)" % (self._path, error))
        end = len(data) - _CHECK_SIZE
        if len(data) != size or data[:4] != _MAGIC or crc32(data[:end]) != number(data, end, 4):
            raise StoreError(
                "%s: damaged; the limits in it are lost, send them again" % self._path
            )
        table[:] = data[_HEAD_SIZE:end]
        return number(data, 4, 4)

    def save(self, table, sequence: int) -> None:
        """StoreError if the file system does not take it; the file is then as before."""
        fresh = self._path + ".new"
        head = bytearray(_MAGIC + bytes(4))
        put(head, 4, 4, sequence)
        check = bytearray(_CHECK_SIZE)
        put(check, 0, _CHECK_SIZE, crc32(table, crc32(head)))
        try:
            with open(fresh, "wb") as file:
                file.write(head)
                file.write(table)
                file.write(check)
            os.rename(fresh, self._path)
        except OSError as error:
            raise StoreError("%s: cannot be written (%s)" % (self._path, error))
