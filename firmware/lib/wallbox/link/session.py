"""One MQTT session: what is in flight, what is late, what goes out next. No I/O, no clock.

In flight is a queue of ledger positions, 8 bytes a message: packet id (0 = acknowledged out of
turn), form and length of the payload, last sequence. A message begins behind the last sequence of
the one before it, so it can be read from the ledger again, the same bytes.
"""

from array import array

from micropython import const

from . import LATE_ACK, MALFORMED, NO_BROKER, REFUSED, LinkError, packets
from .outbox import LONGEST_RECORD, PACKED, Outbox

_CONNECT_TIMEOUT_MS = const(10000)
_LATE_MIN_MS = const(1000)
_LATE_MAX_MS = const(60000)
_PAYLOAD_MAX = const(2048)  # of `publish`
_LEDGER_FLAGS = const(2)  # QoS 1
_LENGTH = const(0x7FFF)
_WORTH_PACKING = const(100)  # bytes of payload

CHUNK = const(256)  # bytes that `received` takes at most; their answers always fit


class Session:
    """owner: topics (fields), hello(buf, at), on_connected(now), on_forgotten() (nothing is in
    flight any more: set `cursor`), on_subscribed(), on_publish(topic, payload, flags, now).
    Of the ledger it needs read_into and next_sequence.
    """

    def __init__(self, owner, ledger, topic, config):
        self.owner = owner
        self.ledger = ledger
        self.outbox = Outbox(ledger)
        self.topic = topic
        self.overhead = packets.payload_at(0, topic, _LEDGER_FLAGS)
        self.window = window = config.get("window_messages", 64)
        self.window_bytes = config.get("window_bytes", 5700)
        self.payload_limit = limit = config.get("payload_limit", 1024)
        # packed messages are a little longer, so that a number of them fills the window
        number = max(1, self.window_bytes // (self.overhead + limit))
        self.packed_limit = min(self.window_bytes // number - self.overhead, limit * 9 // 8)
        self.keep_alive_ms = config.get("keep_alive_s", 30) * 1000
        size = config.get("out_size", 2944)
        self.out = memoryview(bytearray(size))
        self.out_limit = size - CHUNK - 16  # behind it only answers and pings
        self.answer_limit = size - CHUNK - 8
        assert self.overhead + max(limit * 9 // 8, LONGEST_RECORD) <= self.out_limit
        self.parser = packets.Parser(self, config.get("in_size", 2048))
        self.ids = array("H", bytes(2 * window))
        self.lengths = array("H", bytes(2 * window))
        self.lasts = array("I", bytes(4 * window))
        self.head = 0
        self.count = 0
        self.bytes = 0  # not acknowledged, with headers
        self.base = 0  # last sequence before the oldest message in flight
        self.pending = 0  # newest messages in flight that this connection has not carried yet
        self.cursor = 1  # next sequence to send
        self.packed = config.get("packed", True)
        self.plain_to = 0  # up to here no message is packed: the operator asks for it again
        self.last_id = 0
        self.newest_id = 0  # of the message added last
        self.srtt_8 = 0  # smoothed round trip, 1/8 ms
        self.strikes = 0  # connections dropped for a late answer since the last PUBACK
        self.published = 0
        self.resent = 0
        self.acknowledged = 0  # messages
        self.closed()

    def closed(self):
        """The connection is gone; what is in flight stays."""
        self.up = False  # the broker has accepted the client
        self.outbox.drop()
        self.parser.reset()
        self.start = self.end = 0
        self.packing = False
        self.timed_id = 0
        self.awaiting = False  # CONNACK, SUBACK or PINGRESP; never two of them at once
        self.subscribe_id = 0

    def connected(self, now):
        """The transport stands: CONNECT goes out."""
        self.closed()
        self.now = self.heard_at = self.sent_at = now
        self.end = self.owner.hello(self.out, 0)
        self._await()

    def _await(self):
        self.awaiting = True
        self.asked_at = self.now

    def _answered(self):
        self.awaiting = False
        self._sample(self.asked_at)

    def _sample(self, since):
        took = self.now - since
        self.srtt_8 += took - (self.srtt_8 >> 3) if self.srtt_8 else took << 3

    def late_ms(self):
        """An answer that takes longer drops the connection; doubled by each such drop in a row."""
        limit = max(_LATE_MIN_MS, self.srtt_8 >> 1)
        return min(limit << min(self.strikes, 6), _LATE_MAX_MS)

    def disconnect(self):
        """DISCONNECT goes out, and nothing behind it."""
        self.end = packets.short(self.out, self.end, packets.DISCONNECT)
        self.up = False

    def received(self, data, length, now):
        """Takes up to CHUNK bytes. Call it only while end <= answer_limit. Raises LinkError."""
        self.now = self.heard_at = now
        self.parser.feed(data, length)

    def on_connack(self, present, code):
        if self.up or not self.awaiting:
            raise LinkError(MALFORMED, "CONNACK")
        if code:
            raise LinkError(REFUSED, code)
        self._answered()
        self.up = True
        self.waiting_since = self.now
        self.pending = self.count
        if not present:
            self._forget()
        self.owner.on_connected(self.now)
        self.subscribe_id = self._next_id()
        self.end = packets.subscribe(self.out, self.end, self.subscribe_id, self.owner.topics)
        self._await()

    def _forget(self):
        self.count = self.pending = self.bytes = 0
        self.owner.on_forgotten()

    def on_suback(self, packet_id, codes):
        good = packet_id == self.subscribe_id and len(codes) == len(self.owner.topics)
        if not good:  # a packet id is never 0
            raise LinkError(MALFORMED, "SUBACK")
        self.subscribe_id = 0
        self._answered()
        for code in codes:  # `in` does not search a memoryview on MicroPython
            if code == 128:
                raise LinkError(REFUSED, 128)
        self.owner.on_subscribed()

    def on_pingresp(self):
        if self.awaiting and self.up and not self.subscribe_id:
            self._answered()

    def on_puback(self, packet_id):
        if not self.up:
            raise LinkError(MALFORMED, "PUBACK")
        at = self.head
        for _ in range(self.count):
            if self.ids[at] == packet_id:
                break
            at = (at + 1) % self.window
        else:
            return  # of a session that is forgotten
        self.ids[at] = 0
        self.acknowledged += 1
        self.strikes = 0
        if packet_id == self.timed_id:
            self.timed_id = 0
            self._sample(self.timed_at)
        self.bytes -= self.overhead + (self.lengths[at] & _LENGTH)
        if at == self.head:
            self.waiting_since = self.now
            while self.count and not self.ids[self.head]:
                self.base = self.lasts[self.head]
                self.count -= 1
                self.head = (self.head + 1) % self.window
            if self.pending > self.count:
                self.pending = self.count

    def on_publish(self, topic, payload, flags, packet_id):
        if not self.up:
            raise LinkError(MALFORMED, "PUBLISH")
        self.owner.on_publish(topic, payload, flags, self.now)
        if packet_id:
            self.end = packets.short(self.out, self.end, packets.PUBACK, packet_id)

    def service(self, now):
        """Looks for what is late and keeps the connection alive. Raises LinkError."""
        self.now = now
        if not self.up:
            if self.awaiting and now - self.asked_at >= _CONNECT_TIMEOUT_MS:
                raise LinkError(NO_BROKER, "no CONNACK")
            return
        late = self.late_ms()
        if self.count > self.pending and now - self.waiting_since > late:
            self._late("PUBACK")
        if self.awaiting:
            if now - self.asked_at > late:
                self._late("SUBACK" if self.subscribe_id else "PINGRESP")
        elif now - min(self.sent_at, self.heard_at) >= self.keep_alive_ms // 2:
            self.end = packets.short(self.out, self.end, packets.PINGREQ)
            self._await()

    def _late(self, what):
        self.strikes += 1
        raise LinkError(LATE_ACK, what)

    def fill(self):
        """Writes what may go now behind `end`. True if there is something to send.

        A packed message is written alone; `packing`: call again, others had their turn.
        """
        self.packing = False
        if self.up and self.end < self.out_limit:
            while self.pending and self._again():
                pass
            while not self.pending and self.message():
                pass
        return self.end > self.start

    def sent(self, length, now):
        """The transport took so many of the bytes from `start` on."""
        self.sent_at = now
        self.start += length
        if self.start == self.end:
            self.start = self.end = 0
            self.outbox.drop()  # other bytes have been where it was put

    def _next_id(self):
        # The ids in flight follow each other round the circle, from the head's to the newest:
        # whoever meets the head's goes on behind the newest.
        packet_id = self.last_id % 65535 + 1
        if self.count and packet_id == self.ids[self.head]:
            packet_id = self.newest_id % 65535 + 1
        self.last_id = packet_id
        return packet_id

    def _read(self, sequence, limit, packed):
        """A length of -1: not now, or `packing` and not all of it yet."""
        at = self.end + self.overhead
        buf = self.out[at : at + max(limit, LONGEST_RECORD)]
        if not packed:
            return self.outbox.read(sequence, limit, buf)
        if self.end:
            return -1, 0
        found = self.outbox.pack(sequence, limit, buf)
        self.packing = found[0] < 0
        return found

    def _again(self):
        """Puts the oldest message that this connection has not carried; False if it has no room."""
        at = (self.head + self.count - self.pending) % self.window
        packet_id = self.ids[at]
        if packet_id:
            form = self.lengths[at] & PACKED
            length = self.lengths[at] & _LENGTH
            if self.end + self.overhead + max(length, LONGEST_RECORD) > self.out_limit:
                return False
            first = self.lasts[at - 1] if self.pending < self.count else self.base
            read, last = self._read(first + 1, length, form)
            if read < 0:
                return False
            if read != length | form or last != self.lasts[at]:
                # its place is used again, so the operator has it: the session is of no more use
                self._forget()
                return False
            self._put(packet_id, length, packets.DUP)
            self.resent += 1
        self.pending -= 1
        return True

    def message(self):
        """Puts one message from the cursor on, if the window and the buffer have room."""
        if self.cursor >= self.ledger.next_sequence:
            return False
        count = self.count
        limit = self.payload_limit
        packed = self.packed and self.cursor > self.plain_to and limit >= _WORTH_PACKING
        if packed:
            limit = self.packed_limit
        if count:
            newest = (self.head + count - 1) % self.window
            if (
                count == self.window
                or self.bytes + self.overhead + limit > self.window_bytes
                or self.cursor != self.lasts[newest] + 1  # a jump waits until nothing is in flight
            ):
                return False
        if self.end + self.overhead + max(limit, LONGEST_RECORD) > self.out_limit:
            return False
        length, last = self._read(self.cursor, limit, packed)
        if length <= 0:
            return False
        if not count:
            self.base = self.cursor - 1
            self.waiting_since = self.now
        at = (self.head + count) % self.window
        packet_id = self.newest_id = self._next_id()
        self.ids[at] = packet_id
        self.lengths[at] = length
        self.lasts[at] = last
        length &= _LENGTH
        self.count = count + 1
        self.bytes += self.overhead + length
        self.cursor = last + 1
        self._put(packet_id, length, 0)
        self.published += 1
        return True

    def _put(self, packet_id, length, dup):
        flags = _LEDGER_FLAGS | dup
        self.end = packets.publish(self.out, self.end, self.topic, flags, packet_id, length)
        if not self.timed_id:
            self.timed_id = packet_id
            self.timed_at = self.now

    def publish(self, topic, flags, build):
        """Puts a message of QoS 0 whose payload `build(buf) -> length` writes into 2,048 bytes.

        Nothing goes out if it writes nothing. False: not now, there is no room.
        """
        at = packets.payload_at(self.end, topic, flags)
        if not self.up or at + _PAYLOAD_MAX > self.out_limit:
            return False
        length = build(self.out[at : at + _PAYLOAD_MAX])
        if length:
            self.end = packets.publish(self.out, self.end, topic, flags, 0, length)
        return True
