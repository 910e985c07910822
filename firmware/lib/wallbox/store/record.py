"""The record: one fact with its time, its check and its place in the keyed chain (docs/SPEC.md)."""

from binascii import crc32
from hashlib import sha256
from struct import pack_into

from micropython import const

LENGTH_MIN = const(27)
LENGTH_MAX = const(254)
PAYLOAD_MAX = const(227)
PAYLOAD_AT = const(17)
TAIL = const(10)  # check and mac
MAC_SIZE = const(8)

# kinds that belong to the store; all others belong to the core
BATCH = const(60)
STATE = const(61)
WATERMARK = const(62)

_BLOCK = const(64)  # of SHA-256
_RECORD_AT = const(72)  # behind the inner pad and the mac of the record before
_VIEWS_MAX = const(24)


def number(buf, offset: int, width: int) -> int:
    """The little-endian number of `width` bytes at `offset`."""
    value = 0
    while width:
        width -= 1
        value = value << 8 | buf[offset + width]
    return value


def put(buf, offset: int, width: int, value: int) -> None:
    """Writes `value` as `width` little-endian bytes."""
    for index in range(width):
        buf[offset + index] = value & 0xFF
        value >>= 8


def fold(crc: int) -> int:
    """The 16 bits of a CRC-32 that a record keeps."""
    return (crc ^ crc >> 16) & 0xFFFF


def length_at(view, offset: int, end: int) -> int:
    """The length of the record at `offset` of the memoryview, if its check is right, else 0."""
    if offset >= end:
        return 0
    length = view[offset]
    if length < LENGTH_MIN or length > LENGTH_MAX or offset + length > end:
        return 0
    check = offset + length - TAIL
    if view[check] | view[check + 1] << 8 != fold(crc32(view[offset:check])):
        return 0
    return length


def unpack(buf, offset: int = 0) -> tuple:
    """(sequence, kind, quality, boot, uptime_ms, utc_s, payload) of the record at `offset`."""
    kind = buf[offset + 1]
    return (
        number(buf, offset + 2, 4),
        kind & 0x3F,
        kind >> 6,
        number(buf, offset + 6, 2),
        number(buf, offset + 8, 5),
        number(buf, offset + 13, 4),
        bytes(buf[offset + PAYLOAD_AT : offset + buf[offset] - TAIL]),
    )


class Chain:
    """Composes one record after the other, each under the mac of the one before.

    The record under work lies in `record`, the mac before it in `previous`. Besides the two
    hash objects that SHA-256 forces, nothing is allocated.

    `kind` (the quality in its upper bits), `boot`, `uptime_ms`, `utc_s` and `payload` are the
    fields of the record under work, as attributes, for speed: a function with more than eleven
    values (parameters, variables, parts of an expression) has its frame on MicroPython's heap,
    and behind that frame each hash object looks for its place through all the garbage.
    """

    def __init__(self, key: bytes):
        if not key:
            raise ValueError("store: the key is empty")
        if len(key) > _BLOCK:
            key = sha256(key).digest()
        self._inner = bytearray(_RECORD_AT + LENGTH_MAX)
        self._outer = bytearray(_BLOCK + 32)
        for index in range(_BLOCK):
            byte = key[index] if index < len(key) else 0
            self._inner[index] = byte ^ 0x36
            self._outer[index] = byte ^ 0x5C
        whole = memoryview(self._inner)
        self.previous = whole[_BLOCK:_RECORD_AT]
        self.record = whole[_RECORD_AT:]
        self._views: dict = {}
        self.view = self.record  # of the record just composed
        self.kind = self.boot = self.uptime_ms = self.utc_s = self._sequence = 0
        self.payload: bytes | bytearray | memoryview = b""
        self._mac = b""

    def tag(self, message) -> bytes:
        """The first 8 bytes of HMAC-SHA256(key, message)."""
        inner = sha256(bytes(self._inner[:_BLOCK]) + message).digest()
        return self._finish(inner)[:MAC_SIZE]

    def whole(self, length: int):
        """A view of the record under work."""
        views = self._views.get(length)
        return views[0] if views else self.record[:length]

    def compose(
        self, kind: int, sequence: int, boot: int, uptime_ms: int, utc_s: int, payload, length: int
    ) -> int:
        """Packs and seals a record; kind with the quality in its upper bits. Returns its length."""
        self.kind = kind
        self._sequence = sequence
        self.boot = boot
        self.uptime_ms = uptime_ms
        self.utc_s = utc_s
        self.payload = payload
        return self._pack(length)

    def _pack(self, length: int) -> int:
        # in parts that are small integers on the ESP32, which need no heap
        high = self.uptime_ms >> 16
        pack_into(
            "<BBIH", self.record, 0, length + LENGTH_MIN, self.kind, self._sequence, self.boot
        )
        pack_into(
            "<HHBI", self.record, 8, self.uptime_ms & 0xFFFF, high & 0xFFFF, high >> 16, self.utc_s
        )
        if len(self.payload) == length:
            self.record[PAYLOAD_AT : PAYLOAD_AT + length] = self.payload
        else:
            self._copy(length)
        return self._seal(length + LENGTH_MIN)

    def _copy(self, length: int) -> None:
        record, payload = self.record, self.payload
        for index in range(length):
            record[PAYLOAD_AT + index] = payload[index]

    def _seal(self, total: int) -> int:
        self.view, checked, chained = self._views.get(total) or self._keep_views(total)
        check = crc32(checked)
        check ^= check >> 16
        self.record[total - TAIL] = check & 0xFF
        self.record[total - TAIL + 1] = check >> 8 & 0xFF
        self._mac = self._finish(sha256(chained).digest())
        pack_into("<8s", self.record, total - MAC_SIZE, self._mac)
        return total

    def accept(self) -> None:
        """The record just composed becomes the one before."""
        pack_into("<8s", self.previous, 0, self._mac)

    def follows(self, length: int) -> bool:
        """True if the record under work carries the mac that `previous` and the key give."""
        chained = memoryview(self._inner)[: _RECORD_AT + length - MAC_SIZE]
        mac = self._finish(sha256(chained).digest())
        return mac[:MAC_SIZE] == self.record[length - MAC_SIZE : length]

    def advance(self, length: int) -> None:
        """The record under work, however it came there, becomes the one before."""
        record = self.record
        start = length - MAC_SIZE
        for index in range(MAC_SIZE):
            self.previous[index] = record[start + index]

    def _keep_views(self, length: int) -> tuple:
        views = (
            self.record[:length],
            self.record[: length - TAIL],
            memoryview(self._inner)[: _RECORD_AT + length - MAC_SIZE],
        )
        if len(self._views) < _VIEWS_MAX:
            self._views[length] = views
        return views

    def _finish(self, inner: bytes) -> bytes:
        self._outer[_BLOCK:] = inner
        return sha256(self._outer).digest()
