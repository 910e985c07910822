# The operator's collector: stores each record once, and says where it stands.
#
# Told a second time, and in the common subset: that of host/collect has SQLite and threads.

from binascii import crc32

from host.years.on_box.macs import Mac

RECORD_LEAST = 27
TAIL = 10


class Wrong(Exception):
    """What an honest box never sends. args: which invariant, one line."""


def _number(data, at, width):
    return int.from_bytes(data[at : at + width], "little")


def _whole(payload, at, end):
    """The record at `at`, None if there is none."""
    if at >= end or payload[at] < RECORD_LEAST or at + payload[at] > end:
        return None
    data = payload[at : at + payload[at]]
    check = crc32(data[:-TAIL])
    if _number(data, len(data) - TAIL, 2) != (check ^ check >> 16) & 0xFFFF:
        return None
    return data


class Collector:
    """stored: records as they lie in flash; stored[0] has number 1. expect(sequence, data) is
    asked of each record before it is stored."""

    def __init__(self, key, expect):
        self.mac = Mac(key)
        self.expect = expect
        self.stored = []
        self.previous = self.genesis = self.mac.tag(b"wallbox ledger")
        self.base = 0  # records before the chain's present begin, which were given up
        self.candidate = None
        self.holes_accepted = 0
        self.repeated = self.holes = self.refused = self.messages = self.packed = 0
        self.bytes_stored = 0

    @property
    def stand(self):
        return self.base + len(self.stored)

    def statement(self):
        head = self.stand.to_bytes(4, "little") + self.previous
        return head + self.mac.tag(b"ack" + head)

    def take(self, payload):
        """One message of the box."""
        self.messages += 1
        records = self._unpacked(payload) if payload[:1] == b"\x01" else self._split(payload)
        for data in records:
            if not self._judge(data):
                return

    def _judge(self, data):
        sequence = _number(data, 2, 4)
        place = sequence - self.base - 1
        if place < 0:
            return True  # of a part that was given up
        if place < len(self.stored):
            if self.stored[place] != data:
                raise Wrong("once", "record %d came again with other bytes" % sequence)
            self.repeated += 1
            return True
        if place > len(self.stored):
            self.holes += 1
            return False
        mac = self.mac.tag(self.previous + data[:-8])
        if mac != data[-8:]:
            raise Wrong("verifies", "record %d does not follow from the one before" % sequence)
        self.expect(sequence, data)
        self.stored.append(data)
        self.bytes_stored += len(data)
        self.previous = mac
        return True

    def _split(self, payload):
        found = []
        at = 0
        while at < len(payload):
            data = _whole(payload, at, len(payload))
            if data is None:
                raise Wrong("verifies", "no record at byte %d of a message" % at)
            found.append(data)
            at += len(data)
        return found

    def _unpacked(self, payload):
        """docs/packed.md"""
        self.packed += 1
        end = len(payload) - 8
        data = _whole(payload, 1, end)
        if data is None:
            raise Wrong("verifies", "a packed message without a record")
        found = [data]
        at = 1 + len(data)
        while at < end:
            if payload[at] >= RECORD_LEAST:
                data = _whole(payload, at, end)
                if data is None:
                    raise Wrong("verifies", "no record at byte %d of a packed message" % at)
                at += len(data)
            else:
                data, at = self._restored(data, payload, at)
            found.append(data)
        if data[-8:] != payload[end:]:
            raise Wrong("verifies", "a packed message that its mac does not prove")
        return found

    def _restored(self, before, payload, at):
        runs, step = payload[at] // 3, payload[at] % 3
        at += 1
        rise_ms = shift = 0
        while True:
            byte = payload[at]
            at += 1
            rise_ms |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                break
        made = bytearray(before[:-TAIL])
        made[2:6] = (_number(before, 2, 4) + 1).to_bytes(4, "little")
        made[8:13] = (_number(before, 8, 5) + rise_ms).to_bytes(5, "little")
        if step:
            utc_s = _number(before, 13, 4) + rise_ms // 1000 + step - 1
            made[13:17] = utc_s.to_bytes(4, "little")
        place = 17
        for _ in range(runs):
            place += payload[at] >> 4
            count = (payload[at] & 15) + 1
            made[place : place + count] = payload[at + 1 : at + 1 + count]
            place += count
            at += 1 + count
        check = crc32(made)
        whole = bytes(made) + ((check ^ check >> 16) & 0xFFFF).to_bytes(2, "little")
        return whole + self.mac.tag(before[-8:] + whole), at
