"""The trace: what the core saw, for replay and diagnosis. The oldest makes room."""

from micropython import const

from .record import BATCH, PAYLOAD_MAX, put
from .ring import Ring

NAME = b"wallbox trace"
EVENT_MAX = const(224)  # bytes of a packed event
SNAPSHOT = const(0xF0)  # an entry that is no event: a piece of a snapshot, checkpoint.py
DECIDED = const(0xF1)  # likewise: CRC-32 of what the core decided since the snapshot
_ENTRY = const(3)  # delta_ms u16, length u8
_DELTA_MAX = const(0xFFFF)
_BATCHES = const(4)


class Trace(Ring):
    """Events gather in RAM, and one flush makes them records.

    `lost` counts the events for which there was no room in RAM.
    """

    def __init__(self, device, key: bytes):
        Ring.__init__(self, device, NAME, key, True)
        self.lost = 0
        self._batches = tuple([bytearray(PAYLOAD_MAX) for _ in range(_BATCHES)])
        self._lengths = [0] * _BATCHES
        self._begins = [0] * _BATCHES
        self._last_ms = 0
        self._filled = 0  # batches behind which another one was begun

    @property
    def pending(self) -> int:
        """Bytes in RAM."""
        return sum(self._lengths)

    def append_event(self, buf, length: int, now: int) -> bool:
        """Keeps the packed event buf[:length] for the next flush; False if there is no room."""
        assert length <= EVENT_MAX
        index = self._filled
        used = self._lengths[index]
        delta_ms = now - self._last_ms if used else 0
        if used and (used + _ENTRY + length > PAYLOAD_MAX or delta_ms > _DELTA_MAX):
            index += 1
            if index == _BATCHES:
                self.lost += 1
                return False
            self._filled = index
            used = delta_ms = 0
        if not used:
            self._begins[index] = now
        batch = self._batches[index]
        put(batch, used, 2, delta_ms)
        batch[used + 2] = length
        used += _ENTRY
        for at in range(length):
            batch[used + at] = buf[at]
        self._lengths[index] = used + length
        self._last_ms = now
        return True

    def flush(self, now: int, boot: int, utc_s: int, quality: int) -> None:
        """Writes what has gathered; utc_s belongs to now, 0 = unknown. StoreError: it is kept."""
        index = 0
        while index <= self._filled:
            length = self._lengths[index]
            if length:
                begin_ms = self._begins[index]
                at_s = utc_s - (now - begin_ms) // 1000 if utc_s else 0
                self.append(
                    BATCH, quality, boot, begin_ms, max(at_s, 0), self._batches[index], length
                )
                self._lengths[index] = 0
            index += 1
        self._filled = 0

    def last_of(self, kind: int, sectors: int = 4):
        """The newest event whose first byte is `kind`, in the newest `sectors` sectors.

        Returns (event, uptime_ms, boot, utc_s, quality), or None.
        """
        sector = self.head
        while sector >= 0 and sectors:
            last = self.last_in(sector)
            found = None
            for record in self.records(self.first[sector]):
                if record[0] > last:
                    break
                if record[1] == BATCH:
                    found = _last_in(record, kind) or found
            if found:
                return found
            sector = self.before(sector)
            sectors -= 1
        return None


def events(payload, uptime_ms: int):
    """Yields (uptime_ms, event) of a batch; uptime_ms as its record has it."""
    offset = 0
    while offset + _ENTRY <= len(payload):
        uptime_ms += payload[offset] | payload[offset + 1] << 8
        end = offset + _ENTRY + payload[offset + 2]
        yield uptime_ms, payload[offset + _ENTRY : end]
        offset = end


def _last_in(record: tuple, kind: int):
    _, _, quality, boot, begin_ms, utc_s, payload = record
    found = None
    for uptime_ms, event in events(payload, begin_ms):
        if event and event[0] == kind:
            at_s = utc_s + (uptime_ms - begin_ms) // 1000 if utc_s else 0
            found = (event, uptime_ms, boot, at_s, quality)
    return found
