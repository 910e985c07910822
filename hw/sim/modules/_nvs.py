"""What `esp32.NVS` keeps: two copies of all entries, each in one half of the nvs partition.

Simulation only.  A copy: magic `NVS1`, generation u32, length u32, crc32 u32, then entries
`namespace\\0key\\0type u8 length u16 value`.  The header is written last.
"""

import binascii
import struct

import _flash
import esp32

_BASE = esp32.Partition.find(1, 2)[0].info()[2]
_HALF = 3 * 4096
_entries = {}
_generation = 0
_active = 1


def _load():
    global _generation, _active
    header = bytearray(16)
    for half in range(2):
        _flash.read(_BASE + half * _HALF, header)
        magic, generation, length, crc = struct.unpack("<4sIII", header)
        if magic != b"NVS1" or generation <= _generation or length > _HALF - 16:
            continue
        data = bytearray(length)
        _flash.read(_BASE + half * _HALF + 16, data)
        if binascii.crc32(data) != crc:
            continue
        _generation = generation
        _active = half
        _entries.clear()
        at = 0
        while at < length:
            end = data.index(b"\0", data.index(b"\0", at) + 1)
            kind, size = struct.unpack_from("<BH", data, end + 1)
            _entries[bytes(data[at:end])] = (kind, bytes(data[end + 4 : end + 4 + size]))
            at = end + 4 + size


def _name(namespace, key):
    if not 0 < len(key) < 16:
        raise OSError(-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
    return namespace.encode() + b"\0" + key.encode()


def get(namespace, key, kind):
    entry = _entries.get(_name(namespace, key))
    if entry is None or entry[0] != kind:
        raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
    return entry[1]


def put(namespace, key, kind, value):
    name = _name(namespace, key)
    if value is None:
        if name not in _entries:
            raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
        del _entries[name]
    else:
        if len(value) > 1984:
            raise OSError(-0x110E, "ESP_ERR_NVS_VALUE_TOO_LONG")
        _entries[name] = (kind, value)


def commit():
    global _generation, _active
    data = b"".join(
        name + struct.pack("<xBH", kind, len(value)) + value
        for name, (kind, value) in _entries.items()
    )
    if len(data) > _HALF - 16:
        raise OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
    half = 1 - _active
    base = _BASE + half * _HALF
    for sector in range(3):
        _flash.erase(base // 4096 + sector)
    _flash.program(base + 16, data)
    _generation += 1
    _flash.program(
        base, struct.pack("<4sIII", b"NVS1", _generation, len(data), binascii.crc32(data))
    )
    _active = half


_load()
