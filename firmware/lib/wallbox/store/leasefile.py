"""The table of leases in a file: what the ledger's facts have made of it up to some snapshot.

Saved as a new file that takes the old one's name, so that a power cut leaves one of the two whole.
"""

import os
from binascii import crc32

from . import StoreError
from .record import number, put

NAME = "leases.bin"
_MAGIC = b"WBL1"
_CHECK_SIZE = 4


class LeaseFile:
    """The file at `path`: magic, table, CRC-32 of both. Its length tells the table's."""

    def __init__(self, path: str = NAME):
        self._path = path

    def load(self, table) -> bool:
        """Fills the table; False if there is no file. StoreError: it is damaged, or no file."""
        try:
            with open(self._path, "rb") as file:
                data = file.read(len(_MAGIC) + len(table) + _CHECK_SIZE + 1)
        except OSError as error:
            if error.args[0] == 2:  # ENOENT
                return False
            raise StoreError("%s: cannot be read (%s)" % (self._path, error))
        end = len(data) - _CHECK_SIZE
        whole = len(data) == len(_MAGIC) + len(table) + _CHECK_SIZE and data[:4] == _MAGIC
        if not whole or crc32(memoryview(data)[:end]) != number(data, end, _CHECK_SIZE):
            raise StoreError(
                "%s: damaged; the limits in it are lost, send them again" % self._path
            )
        table[:] = memoryview(data)[len(_MAGIC) : end]
        return True

    def save(self, table) -> None:
        """StoreError if the file system does not take it; the file is then as before."""
        fresh = self._path + ".new"
        check = bytearray(_CHECK_SIZE)
        put(check, 0, _CHECK_SIZE, crc32(table, crc32(_MAGIC)))
        try:
            with open(fresh, "wb") as file:
                file.write(_MAGIC)
                file.write(table)
                file.write(check)
            os.rename(fresh, self._path)
        except OSError as error:
            raise StoreError("%s: cannot be written (%s)" % (self._path, error))
