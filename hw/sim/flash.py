"""NOR flash and ESP32 partitions in a file or in RAM: strict, counted, with modelled time.

One source for MicroPython and CPython. Reading, programming and erasing allocate nothing once
a length has been used, because a file system calls its device with the heap locked.

The contents go straight to the file, so killing the process is a power cut: a sector whose
erase was under way is left half erased, in steps of 512 bytes. Programming and power cuts
inside one program are played by `flash_faults`.

Times are those of the W25Q64JV/W25Q128JV class, typical values: page program 0.4 to 0.8 ms,
sector erase 45 ms; reading is arithmetic, 40 MHz on two lines.
"""

import io
import os

SECTOR_SIZE = 4096
FLASH_SIZE = 4 * 1024 * 1024
PROGRAM_UNIT = 128  # bytes
PROGRAM_US = 450  # for each PROGRAM_UNIT begun
ERASE_US = 45_000  # a sector; 400 ms at worst
READ_BYTES_PER_US = 10

_CHUNK = 512
_EINVAL = 22
_EIO = 5

# ioctl operations of a MicroPython block device
_BLOCK_COUNT = 4
_BLOCK_SIZE = 5
_BLOCK_ERASE = 6


class IllegalProgram(OSError):
    """A program tried to set a bit that is 0; only an erase can."""


class NorFlash:
    """`size` bytes of NOR flash, in the file `path` (made if missing) or in RAM if None.

    A file-backed flash keeps its erase counters in `path + ".wear"`, across power cuts.
    """

    def __init__(
        self, path: str | None = None, size: int = FLASH_SIZE, sector_size: int = SECTOR_SIZE
    ) -> None:
        if size <= 0 or size % sector_size or sector_size % _CHUNK:
            raise ValueError(f"flash: {size} bytes in sectors of {sector_size} do not work out")
        self.size = size
        self.sector_size = sector_size
        self.operations = 0  # programs and erases begun
        self.program_calls = 0
        self.bytes_programmed = 0
        self.read_calls = 0
        self.bytes_read = 0
        self.erases = 0
        self.illegal_programs = 0
        self.modelled_us = 0
        self._blank = b"\xff" * _CHUNK
        self._old = bytearray(_CHUNK)
        self._views: dict = {}
        for length in range(32, 257, 32):
            self._view(length)
        self._view(_CHUNK)
        self._counter = bytearray(4)
        sectors = size // sector_size
        self._file = _storage(path, size, b"\xff")
        self._wear = _storage(None if path is None else path + ".wear", 4 * sectors, b"\0")

    def read_into(self, address: int, buf: bytearray | memoryview) -> None:
        """Fill `buf` from `address` on. OSError outside of the flash."""
        length = len(buf)
        self._check(address, length, "read")
        self._file.seek(address)
        self._file.readinto(buf)
        self.read_calls += 1
        self.bytes_read += length
        self.modelled_us += length // READ_BYTES_PER_US

    def program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        """Clear bits to make `address` hold `buf`. IllegalProgram (nothing is changed) if a bit
        would have to be set; OSError outside of the flash."""
        length = len(buf)
        self._check(address, length, "program")
        self._check_legal(address, buf, length)
        self.operations += 1
        self.program_calls += 1
        self.bytes_programmed += length
        self.modelled_us += (length + PROGRAM_UNIT - 1) // PROGRAM_UNIT * PROGRAM_US
        self._program(address, buf)

    def erase(self, address: int) -> None:
        """Set every bit of the sector that begins at `address`. OSError if none begins there."""
        self._check(address, self.sector_size, "erase")
        if address % self.sector_size:
            raise OSError(_EINVAL, f"flash: erase at {address:#x}: no sector begins there")
        self.operations += 1
        self.erases += 1
        self.modelled_us += ERASE_US
        self._count_erase(address // self.sector_size)
        self._erase(address)

    def erase_count(self, sector: int) -> int:
        """How often sector number `sector` was erased."""
        self._wear.seek(4 * sector)
        self._wear.readinto(self._counter)
        return int.from_bytes(self._counter, "little")

    def image(self) -> bytes:
        """The whole contents."""
        self._file.seek(0)
        return bytes(self._file.read(self.size))

    def load(self, address: int, contents: bytes | bytearray) -> None:
        """Put `contents` at `address` as the factory does: no rules, no counters."""
        self._check(address, len(contents), "load")
        self._file.seek(address)
        self._file.write(contents)

    def close(self) -> None:
        """Close the files; the flash is not to be used afterwards."""
        self._file.close()
        self._wear.close()

    def _program(self, address: int, buf: bytes | bytearray | memoryview) -> None:
        self._file.seek(address)
        self._file.write(buf)

    def _erase(self, address: int) -> None:
        self._file.seek(address)
        for _ in range(self.sector_size // _CHUNK):
            self._file.write(self._blank)

    def _count_erase(self, sector: int) -> None:
        count = self.erase_count(sector) + 1
        for index in range(4):
            self._counter[index] = (count >> (8 * index)) & 0xFF
        self._wear.seek(4 * sector)
        self._wear.write(self._counter)

    def _check(self, address: int, length: int, verb: str) -> None:
        if address < 0 or address + length > self.size:
            raise OSError(_EINVAL, f"flash: {verb} of {length} bytes at {address:#x}: outside")

    def _view(self, length: int) -> tuple:
        view = self._views.get(length)
        if view is None:
            view = (memoryview(self._old)[:length], memoryview(self._blank)[:length])
            self._views[length] = view
        return view

    def _check_legal(self, address: int, buf: bytes | bytearray | memoryview, length: int) -> None:
        done = 0
        while done < length:
            count = min(length - done, _CHUNK)
            old, blank = self._view(count)
            self._file.seek(address + done)
            self._file.readinto(old)
            if old != blank:
                for index in range(count):
                    if buf[done + index] & ~old[index] & 0xFF:
                        self.illegal_programs += 1
                        at = address + done + index
                        raise IllegalProgram(
                            _EIO,
                            f"flash: program at {at:#x}: {old[index]:#04x} cannot become"
                            f" {buf[done + index]:#04x} without an erase",
                        )
            done += count


class Partition:
    """The part of a flash that begins at `offset`, with the verbs of `esp32.Partition`.

    `writeblocks(n, buf)` erases first and takes whole sectors; `writeblocks(n, buf, offset)`
    programs only. OSError for whatever the ESP32 refuses.
    """

    def __init__(
        self,
        flash: NorFlash,
        offset: int,
        size: int,
        label: str = "",
        kind: int = 1,
        subtype: int = 0x40,
    ) -> None:
        sector_size = flash.sector_size
        if offset % sector_size or size % sector_size or not 0 <= offset <= flash.size - size:
            raise ValueError(f"partition {label}: {size:#x} bytes at {offset:#x} do not fit")
        self._flash = flash
        self._sector_size = sector_size
        self._offset = offset
        self._size = size
        self._label = label
        self._kind = kind
        self._subtype = subtype

    def info(self) -> tuple:
        """(type, subtype, address, size, label, encrypted)"""
        return (self._kind, self._subtype, self._offset, self._size, self._label, False)

    def readblocks(self, block: int, buf: bytearray | memoryview, offset: int = 0) -> None:
        """Fill `buf` from `offset` bytes behind the begin of `block` on."""
        self._flash.read_into(self._address(block, offset, len(buf)), buf)

    def writeblocks(
        self, block: int, buf: bytes | bytearray | memoryview, offset: int | None = None
    ) -> None:
        """With `offset`: program. Without: erase, then program whole sectors."""
        if offset is not None:
            self._flash.program(self._address(block, offset, len(buf)), buf)
            return
        address = self._address(block, 0, len(buf))
        if len(buf) % self._sector_size:
            raise OSError(
                _EINVAL, f"partition {self._label}: {len(buf)} bytes are no whole sectors"
            )
        for sector in range(0, len(buf), self._sector_size):
            self._flash.erase(address + sector)
        self._flash.program(address, buf)

    def ioctl(self, operation: int, argument: int = 0) -> int | None:
        """Block count (4), block size (5), erase block `argument` (6); the others do nothing."""
        if operation == _BLOCK_COUNT:
            return self._size // self._sector_size
        if operation == _BLOCK_SIZE:
            return self._sector_size
        if operation == _BLOCK_ERASE:
            self._flash.erase(self._address(argument, 0, self._sector_size))
            return 0
        return 0 if operation in (1, 2, 3) else None

    def _address(self, block: int, offset: int, length: int) -> int:
        start = block * self._sector_size + offset
        if start < 0 or start + length > self._size:
            raise OSError(
                _EINVAL, f"partition {self._label}: {length} bytes at {start:#x}: outside"
            )
        return self._offset + start


def _storage(path: str | None, size: int, fill: bytes):  # type: ignore[no-untyped-def]
    """A binary file of `size` bytes to seek, read and write without a buffer of its own."""
    if path is None:
        return io.BytesIO(fill * size)
    try:
        found = os.stat(path)[6]
    except OSError:
        found = 0
    if found != size:
        if found:
            raise ValueError(f"{path}: {found} bytes, not the {size} of this flash: remove it")
        with open(path, "wb") as file:
            for _ in range(0, size, _CHUNK):
                file.write(fill * min(_CHUNK, size))
    return open(path, "r+b", 0)
