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
_TURN = const(8)  # records packed at a time

# what is equal in records that resemble each other: length, kind and quality, boot, and the upper
# bytes of the times, so that numbers stay small and one record in 4 hours is not packed
_ALIKE = b"\x00\x01\x06\x07\x0b\x0c\x0f\x10"


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
        self.first = 0  # what the message that is packed in part was asked for
        self.limit = 0
        self.last = 0  # sequence of its last record, 0 = there is none
        self.filled = 0  # bytes of that message
        self.shorter = False

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

        (-1, 0): only a few records were packed, so that others have their turn; call it again
        with the same arguments, and with `buf` as it was left, or `drop` it.
        The bytes follow from first and limit; the length that comes out, as limit, gives them
        again.
        """
        if not self.last or sequence != self.first or limit != self.limit:
            self.last = 0
            if not self._find(sequence) or self.memory[self.start] + 1 + _MAC > limit:
                return self.read(sequence, limit, buf)
            self.first = sequence
            self.limit = limit
            self.last = self.sequence
            self.shorter = False
            self.filled = self._take(buf, 1)
        for _ in range(_TURN):
            if not self._find(self.last + 1) or self.sequence != self.last + 1:
                return self._close(buf)
            if not self._add(buf, limit - _MAC):
                return self._close(buf)
        return -1, 0

    def drop(self):
        """What is packed in part is not continued."""
        self.last = 0

    def _add(self, buf, limit):
        end = self._pack(buf, self.filled, limit)
        if end:
            self.shorter = True
            self._advance()
        elif self.filled + self.memory[self.start] <= limit:
            end = self._take(buf, self.filled)
        else:
            return False
        self.filled = end
        self.last += 1
        return True

    def _close(self, buf):
        end = self.filled
        last = self.last
        self.last = 0
        if not self.shorter:
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
        for offset in _ALIKE:
            if memory[new + offset] != memory[old + offset]:
                return 0
        rise_ms = _rise(memory, new + _UPTIME_AT, old + _UPTIME_AT)
        rise_ms += memory[new + _UPTIME_AT + 2] - memory[old + _UPTIME_AT + 2] << 16
        step = _rise(memory, new + _UTC_AT, old + _UTC_AT)
        if step:
            step -= rise_ms // 1000 - 1
            if not 1 <= step <= 2:
                return 0
        if rise_ms < 0:
            return 0
        buf[at] = step
        return self._differ(buf, at, _number(buf, at + 1, rise_ms), limit)

    def _differ(self, buf, head, at, limit):
        """Puts the bytes of the payload that differ, a run each; counts the runs in the head."""
        memory = self.memory
        new = self.start
        turn = self.before - new
        same = new + _PAYLOAD_AT  # behind the run before
        run = 0
        for place in range(same, new + memory[new] - _TAIL):
            if memory[place] == memory[place + turn]:
                run = 0
                continue
            if run and at - run <= 16:
                buf[run] += 1
            else:
                if place - same > 15 or buf[head] >= 3 * _RUNS_MAX:
                    return 0
                buf[head] += 3
                run = at
                buf[run] = place - same << 4
                at += 1
            if at >= limit:
                return 0
            buf[at] = memory[place]
            at += 1
            same = place + 1
        return at if at <= limit else 0


def _rise(view, new, old):
    return (view[new + 1] - view[old + 1] << 8) + view[new] - view[old]


def _number(buf, at, value):
    """Seven bits a byte, at most 4 of them, for which the mac leaves room behind any limit."""
    while value > 127:
        buf[at] = value & 127 | 128
        value >>= 7
        at += 1
    buf[at] = value
    return at + 1
