"""What `esp32.NVS` keeps: two copies of all entries, each in one half of the nvs partition.

Simulation only.  A copy: magic `NVS1`, generation u32, length u32, crc32 u32, then entries
`namespace\\0key\\0`, type u8, length u16, value.  The header is written last.  What was put but
not committed is lost with a reset; the chip's own driver is kinder.
"""

import binascii
import struct

import _flash
from micropython import const

BASE = 0x9000
_HALF = const(3 * 4096)
_OVERHEAD = const(3)  # type and length behind the two names
_changed = None  # all entries, while some are not committed


def _newest():
    """(half, generation, data) of the newest intact copy."""
    best = (1, 0, b"")
    for half in range(2):
        header = bytearray(16)
        _flash.read(BASE + half * _HALF, header)
        magic, generation, length, crc = struct.unpack("<4sIII", header)
        if magic == b"NVS1" and generation > best[1] and length <= _HALF - 16:
            data = bytearray(length)
            _flash.read(BASE + half * _HALF + 16, data)
            if binascii.crc32(data) == crc:
                best = (half, generation, data)
    return best


def _entries(data):
    at = 0
    while at < len(data):
        end = data.find(b"\0", data.find(b"\0", at) + 1) + 1
        kind, size = struct.unpack_from("<BH", data, end)
        start = end + _OVERHEAD
        yield bytes(data[at:end]), kind, bytes(data[start : start + size])
        at = start + size


def _name(namespace, key):
    if not 0 < len(key) < 16:
        raise OSError(-0x1109, "ESP_ERR_NVS_KEY_TOO_LONG")
    return namespace.encode() + b"\0" + key.encode() + b"\0"


def get(namespace, key, kind):
    name = _name(namespace, key)
    if _changed is None:
        for found, its_kind, value in _entries(_newest()[2]):
            if found == name and its_kind == kind:
                return value
    elif name in _changed and _changed[name][0] == kind:
        return _changed[name][1]
    raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")


def put(namespace, key, kind, value):
    global _changed
    name = _name(namespace, key)
    if _changed is None:
        _changed = {found: (k, v) for found, k, v in _entries(_newest()[2])}
    if value is None:
        if _changed.pop(name, None) is None:
            raise OSError(-0x1102, "ESP_ERR_NVS_NOT_FOUND")
    else:
        if len(value) > 1984:
            raise OSError(-0x110E, "ESP_ERR_NVS_VALUE_TOO_LONG")
        _changed[name] = (kind, value)


def commit():
    global _changed
    if _changed is None:
        return
    data = b"".join(
        [n + struct.pack("<BH", k, len(v)) + v for n, (k, v) in sorted(_changed.items())]
    )
    if len(data) > _HALF - 16:
        raise OSError(-0x1105, "ESP_ERR_NVS_NOT_ENOUGH_SPACE")
    half, generation, _ = _newest()
    base = BASE + (1 - half) * _HALF
    for sector in range(base // 4096, base // 4096 + 3):
        _flash.erase(sector)
    _flash.program(base + 16, data)
    crc = binascii.crc32(data)
    _flash.program(base, struct.pack("<4sIII", b"NVS1", generation + 1, len(data), crc))
    _changed = None
