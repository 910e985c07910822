"""The ledger read as messages: whole records or packed ones (docs/mqtt.md), as many as fit."""

from micropython import const

LONGEST_RECORD = const(254)
PACKED = const(0x8000)  # in a message's length: it is of the packed form

_FORM = const(1)
_UPTIME_AT = const(8)
_UTC_AT = const(13)
_PAYLOAD_AT = const(17)
_TAIL = const(10)
_MAC = const(8)
_RUNS_MAX = const(8)
_RISE_MAX = const(0x3FFFFF)  # 70 minutes; shifted by a byte it is still a small integer


class Outbox:
    """A read-ahead of a few records, because the ledger itself reads 254 bytes or more."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.memory = memoryview(bytearray(3 * LONGEST_RECORD))
        self.ahead = self.memory[LONGEST_RECORD:]  # in front of it the record before
        self.sequence = 0  # of the first record that waits in `ahead`, 0 = none
        self.start = 0  # in `memory`
        self.end = 0
        self.before = 0  # in `memory`: the record packed last

    def read(self, sequence, limit, buf):
        """Puts records from `sequence` on, at least one, at most `limit` bytes, into `buf`.

        Returns (bytes, last sequence), (0, 0) if there is none. buf: 254 bytes or more.
        """
        if limit >= LONGEST_RECORD:
            length, _, last = self.ledger.read_into(sequence, buf)
            return length, last
        if not self._find(sequence):
            return 0, 0
        memory = self.memory
        start = self.start
        end = start + memory[start]
        last = self.sequence
        while end < self.end and end + memory[end] - start <= limit:
            end += memory[end]
            last += 1
        buf[: end - start] = memory[start:end]
        self.start = end
        self.sequence = last + 1 if end < self.end else 0
        return end - start, last

    def pack(self, sequence, limit, buf):
        """The same with PACKED in the number of bytes, where records resemble each other.

        The bytes follow from first and limit; the length that comes out, as limit, gives them
        again.
        """
        if not self._find(sequence) or self.memory[self.start] + 1 + _MAC > limit:
            return self.read(sequence, limit, buf)
        last = self.sequence
        end = self._take(buf, 1)
        limit -= _MAC
        shorter = False
        while self._find(last + 1) and self.sequence == last + 1:
            put = self._pack(buf, end, limit)
            if put:
                shorter = True
                self._advance()
                end = put
            elif end + self.memory[self.start] <= limit:
                end = self._take(buf, end)
            else:
                break
            last += 1
        if not shorter:
            buf[: end - 1] = buf[1:end]
            return end - 1, last
        buf[0] = _FORM
        mac = self.before + self.memory[self.before] - _MAC
        buf[end : end + _MAC] = self.memory[mac : mac + _MAC]
        return end + _MAC | PACKED, last

    def _find(self, sequence):
        """The first record from there on is the next one of `memory`; its sequence, 0 = none."""
        if sequence != self.sequence:
            length, self.sequence, _ = self.ledger.read_into(sequence, self.ahead)
            self.start = LONGEST_RECORD
            self.end = LONGEST_RECORD + length
        return self.sequence

    def _take(self, buf, at):
        start = self.start
        end = at + self.memory[start]
        buf[at:end] = self.memory[start : start + end - at]
        self._advance()
        return end

    def _advance(self):
        memory = self.memory
        before = self.start
        self.start += memory[before]
        self.sequence += 1
        if self.start == self.end:  # what is read next takes its place
            memory[: self.end - before] = memory[before : self.end]
            before = self.sequence = 0
        self.before = before

    def _pack(self, buf, at, limit):
        """Puts the next record as what differs from the one before; where it ends, 0 = cannot."""
        memory = self.memory
        new = self.start
        old = self.before
        if memory[new] != memory[old] or memory[new + 1] != memory[old + 1]:
            return 0
        if memory[new + 6] != memory[old + 6] or memory[new + 7] != memory[old + 7]:
            return 0
        uptime_ms = _rise(memory, new + _UPTIME_AT, old + _UPTIME_AT, 5)
        utc_s = _rise(memory, new + _UTC_AT, old + _UTC_AT, 4)
        if uptime_ms < 0 or utc_s < 0:
            return 0
        if utc_s:
            utc_s -= uptime_ms // 1000 - 1
            if not 1 <= utc_s <= 2:
                return 0
        head = at
        at += 1
        while uptime_ms > 127:  # at most 4 bytes, for which the mac leaves room
            buf[at] = uptime_ms & 127 | 128
            uptime_ms >>= 7
            at += 1
        buf[at] = uptime_ms
        buf[head] = utc_s
        return self._differ(buf, head, at + 1, limit)

    def _differ(self, buf, head, at, limit):
        """Puts the bytes of the payload that differ, a run each; counts the runs in the head."""
        memory = self.memory
        new = self.start + _PAYLOAD_AT
        turn = self.before - self.start
        end = self.start + memory[self.start] - _TAIL
        same = new  # from here on nothing differs, up to `new`
        while new < end:
            if memory[new] == memory[new + turn]:
                new += 1
                continue
            same = new - same
            if same > 15 or buf[head] >= 3 * _RUNS_MAX or at + 2 > limit:
                return 0
            buf[head] += 3
            run = at
            at += 1
            while new < end and at < limit and at - run <= 16:
                if memory[new] == memory[new + turn]:
                    break
                buf[at] = memory[new]
                at += 1
                new += 1
            buf[run] = same << 4 | at - run - 2
            same = new
        return at if at <= limit else 0


def _rise(view, new, old, width):
    """The difference of two numbers, -1 if it is negative or more than _RISE_MAX."""
    value = 0
    while width:
        width -= 1
        value = (value << 8) + view[new + width] - view[old + width]
        if not 0 <= value <= _RISE_MAX:
            return -1
    return value
