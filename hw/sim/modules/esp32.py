"""`esp32` of MicroPython: partitions of the simulated flash and non-volatile storage."""

import gc
import struct

import _flash
import _nvs
from micropython import const

HEAP_DATA = const(4)
HEAP_EXEC = const(1)

_TABLE = const(0x8000)


def _check(error, name):
    raise OSError(-error, name)


class Partition:
    BOOT = const(0)
    RUNNING = const(1)
    TYPE_APP = const(0)
    TYPE_DATA = const(1)

    def __init__(self, id, block_size=4096):
        if id in (0, 1):
            entry = next(_entries(0, -1, None))
        else:
            entry = next(_entries(-1, -1, id), None)
            if entry is None:
                _check(0x105, "ESP_ERR_NOT_FOUND")
        self._set(entry, block_size)

    def _set(self, entry, block_size):
        if block_size != 4096:
            raise ValueError("only blocks of 4096 bytes are simulated")
        self._info = entry
        self._offset = entry[2]
        self._size = entry[3]

    @staticmethod
    def find(type=0, subtype=255, label=None, block_size=4096):
        found = []
        for entry in _entries(type, -1 if subtype == 255 else subtype, label):
            partition = object.__new__(Partition)
            partition._set(entry, block_size)
            found.append(partition)
        return found

    def info(self):
        return self._info

    def _address(self, block, offset, size):
        start = block * 4096 + offset
        if start < 0 or start + size > self._size:
            _check(0x102, "ESP_ERR_INVALID_ARG")
        return self._offset + start

    def readblocks(self, block, buf, offset=0):
        _flash.read(self._address(block, offset, len(buf)), buf)

    def writeblocks(self, block, buf, offset=None):
        if offset is None:
            at = self._address(block, 0, len(buf))
            if len(buf) % 4096:
                _check(0x104, "ESP_ERR_INVALID_SIZE")
            for sector in range(at // 4096, (at + len(buf) + 4095) // 4096):
                _flash.erase(sector)
            _flash.program(at, buf)
        else:
            _flash.program(self._address(block, offset, len(buf)), buf)

    def ioctl(self, command, argument):
        if command in (1, 2, 3):
            return 0
        if command == 4:
            return self._size // 4096
        if command == 5:
            return 4096
        if command == 6:
            _flash.erase(self._address(argument, 0, 4096) // 4096)
            return 0

    def set_boot(self):
        raise OSError(-0x102, "ESP_ERR_INVALID_ARG")

    @classmethod
    def mark_app_valid_cancel_rollback(cls):
        pass


def _entries(type, subtype, label):
    """(type, subtype, address, size, label, encrypted) of what the partition table lists."""
    buf = bytearray(32)
    at = _TABLE
    while True:
        _flash.read(at, buf)
        if buf[0] != 0xAA or buf[1] != 0x50:
            return
        _, kind, sub, offset, size, name, flags = struct.unpack("<HBBII16sI", buf)
        name = name.rstrip(b"\0").decode()
        if type in (-1, kind) and subtype in (-1, sub) and label in (None, name):
            yield (kind, sub, offset, size, name, bool(flags & 1))
        at += 32


class NVS:
    """Keys and namespaces of 1 to 15 characters; see _nvs.py for what is kept where."""

    def __init__(self, namespace):
        if not 0 < len(namespace) < 16:
            _check(0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
        self._namespace = namespace

    def set_i32(self, key, value):
        if not -0x80000000 <= value <= 0x7FFFFFFF:
            raise OverflowError("overflow converting long int to machine word")
        _nvs.put(self._namespace, key, 0, struct.pack("<i", value))

    def get_i32(self, key):
        return struct.unpack("<i", _nvs.get(self._namespace, key, 0))[0]

    def set_blob(self, key, value):
        _nvs.put(self._namespace, key, 1, bytes(value))

    def get_blob(self, key, buffer):
        value = _nvs.get(self._namespace, key, 1)
        if len(value) > len(buffer):
            _check(0x110C, "ESP_ERR_NVS_INVALID_LENGTH")
        buffer[: len(value)] = value
        return len(value)

    def erase_key(self, key):
        _nvs.put(self._namespace, key, 0, None)

    def commit(self):
        _nvs.commit()


_least_free = 0


def idf_heap_info(capabilities):
    """[(total, free, largest free block, least ever free)] of the interpreter's own heap."""
    global _least_free
    if not capabilities & HEAP_DATA:
        return []
    gc.collect()
    free = gc.mem_free()
    if not 0 < _least_free < free:
        _least_free = free
    return [(free + gc.mem_alloc(), free, _largest(free), _least_free)]


def _largest(free):
    """Found by trying: this heap cannot grow, and an allocation that fails collects first."""
    low, high = 0, free // 64 + 1
    while high - low > 1:
        middle = (low + high) // 2
        try:
            bytearray(middle * 64)
            low = middle
        except MemoryError:
            high = middle
    gc.collect()
    return low * 64


def mcu_temperature():
    return 40
