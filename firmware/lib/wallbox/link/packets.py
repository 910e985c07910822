"""MQTT 3.1.1 packets: encoders into the caller's buffer, a strict parser of what a broker sends.

Encoders take `buf` (memoryview) and a position and return the position behind the packet.
A topic or string is a field: two bytes of length, then UTF-8 (see `field`).
"""

from micropython import const

from . import MALFORMED, LinkError

RETAIN = const(1)
QOS_1 = const(2)
DUP = const(8)

PUBACK = const(0x40)
PINGREQ = const(0xC0)
DISCONNECT = const(0xE0)

_CONNACK = const(0x20)
_PUBLISH = const(0x30)
_SUBACK = const(0x90)
_PINGRESP = const(0xD0)

_TOPIC_MAX = const(96)  # bytes; the longest that the box subscribes to has 40
_TOPICS_MAX = const(8)  # that one SUBACK answers

_CONNECT = b"\x00\x04MQTT\x04"
_WILL = const(0x2C)  # with QoS 1, retained
_USER = const(0x80)
_PASSWORD = const(0x40)


def field(text) -> bytes:
    """A str or bytes with its length in front, 0..65,535 bytes."""
    data = text.encode() if isinstance(text, str) else bytes(text)
    assert len(data) < 65536
    return bytes((len(data) >> 8, len(data) & 255)) + data


def _head(buf, at, first, length):
    buf[at] = first
    while length > 127:
        at += 1
        buf[at] = length & 127 | 128
        length >>= 7
    buf[at + 1] = length
    return at + 2


def connect(buf, at, client_id, keep_alive_s, will_topic, will, user=None, password=None):
    """CONNECT with clean_session 0 and a will of QoS 1, retained. All but the time are fields."""
    flags = _WILL
    fields = [client_id, will_topic, will]
    if user is not None:
        flags |= _USER
        fields.append(user)
        if password is not None:
            flags |= _PASSWORD
            fields.append(password)
    length = 10
    for data in fields:
        length += len(data)
    at = _head(buf, at, 0x10, length)
    buf[at : at + 7] = _CONNECT
    buf[at + 7] = flags
    buf[at + 8] = keep_alive_s >> 8
    buf[at + 9] = keep_alive_s & 255
    at += 10
    for data in fields:
        buf[at : at + len(data)] = data
        at += len(data)
    return at


def subscribe(buf, at, packet_id, topics):
    """SUBSCRIBE to all topics (fields) with QoS 1."""
    length = 2
    for topic in topics:
        length += len(topic) + 1
    at = _head(buf, at, 0x82, length)
    buf[at] = packet_id >> 8
    buf[at + 1] = packet_id & 255
    at += 2
    for topic in topics:
        end = at + len(topic)
        buf[at:end] = topic
        buf[end] = 1
        at = end + 1
    return at


def short(buf, at, first, packet_id=0):
    """PUBACK with its packet id; PINGREQ or DISCONNECT without."""
    buf[at] = first
    buf[at + 1] = 0
    if packet_id:
        buf[at + 1] = 2
        buf[at + 2] = packet_id >> 8
        buf[at + 3] = packet_id & 255
        at += 2
    return at + 2


def payload_at(at, topic, flags):
    """Where the payload has to lie before `publish` puts the header in front of it."""
    return at + 3 + len(topic) + (flags & QOS_1)


def publish(buf, at, topic, flags, packet_id, length):
    """PUBLISH of `length` < 16,000 bytes that lie at `payload_at`; flags: DUP, QOS_1, RETAIN."""
    remaining = len(topic) + (flags & QOS_1) + length
    assert remaining < 16384
    buf[at] = _PUBLISH | flags
    if remaining < 128:
        # the header is a byte shorter than was left for it
        payload = payload_at(at, topic, flags)
        buf[payload - 1 : payload - 1 + length] = buf[payload : payload + length]
        buf[at + 1] = remaining
        at += 2
    else:
        buf[at + 1] = remaining & 127 | 128
        buf[at + 2] = remaining >> 7
        at += 3
    end = at + len(topic)
    buf[at:end] = topic
    if flags & QOS_1:
        buf[end] = packet_id >> 8
        buf[end + 1] = packet_id & 255
        end += 2
    return end + length


class Parser:
    """Cuts a byte stream into packets and calls `peer` for each.

    peer: on_connack(present, code 0..5), on_puback(id), on_suback(id, body), on_pingresp(),
    on_publish(topic bytes, payload memoryview valid during the call, flags, id 0 = QoS 0).
    A packet longer than `size` bytes is not stored; its payload is None. A topic longer than
    96 bytes is none that the box could have asked for: nothing is made of it, not even a copy.
    Raises LinkError(MALFORMED, reason) for what no broker may send to this client.
    """

    def __init__(self, peer, size=2048):
        self.peer = peer
        self.size = size
        self.body = memoryview(bytearray(size))
        self.reset()

    def reset(self):
        self.first = 0  # first byte of the packet under way, 0 = none
        self.shift = 0  # of the next byte of the remaining length, -1 = length is known
        self.length = 0
        self.got = 0

    def feed(self, data, end):
        """Takes data[0:end]; data is a memoryview or bytes."""
        at = 0
        while at < end:
            if not self.first:
                if data[at] == PUBACK and at + 4 <= end and data[at + 1] == 2:
                    self._puback(data[at + 2] << 8 | data[at + 3])
                    at += 4
                    continue
                self.first = _checked(data[at])
                at += 1
            elif self.shift >= 0:
                byte = data[at]
                at += 1
                self.length |= (byte & 127) << self.shift
                self.shift += 7
                if byte < 128:
                    self.shift = -1
                    self._check_length()
                elif self.shift > 21:
                    raise LinkError(MALFORMED, "remaining length")
            else:
                count = min(end - at, self.length - self.got)
                room = min(count, self.size - self.got)
                if room > 0:
                    self.body[self.got : self.got + room] = data[at : at + room]
                self.got += count
                at += count
            if self.shift < 0 and self.got == self.length:
                first = self.first
                length = self.length
                self.reset()
                self._complete(first, length)

    def _check_length(self):
        kind = self.first & 0xF0
        length = self.length
        if kind == _PUBLISH:
            good = length >= (5 if self.first & QOS_1 else 3)
        elif kind == _PINGRESP:
            good = length == 0
        elif kind == _SUBACK:
            good = 2 < length <= 2 + _TOPICS_MAX
        else:
            good = length == 2
        if not good:
            raise LinkError(MALFORMED, "length")

    def _complete(self, first, length):
        kind = first & 0xF0
        body = self.body
        if kind == _PUBLISH:
            self._publish(first & 15, length)
        elif kind == _PINGRESP:
            self.peer.on_pingresp()
        elif kind == _CONNACK:
            if body[0] > 1 or body[1] > 5 or (body[0] and body[1]):
                raise LinkError(MALFORMED, "CONNACK")
            self.peer.on_connack(body[0], body[1])
        elif kind == _SUBACK:
            for at in range(2, length):
                if body[at] > 2 and body[at] != 128:
                    raise LinkError(MALFORMED, "SUBACK")
            self.peer.on_suback(body[0] << 8 | body[1], body[2:length])
        else:
            self._puback(body[0] << 8 | body[1])

    def _puback(self, packet_id):
        if not packet_id:
            raise LinkError(MALFORMED, "packet id")
        self.peer.on_puback(packet_id)

    def _publish(self, flags, length):
        body = self.body
        at = 2 + (body[0] << 8 | body[1])
        end = at + (flags & QOS_1)
        if at == 2 or at > 2 + _TOPIC_MAX or end > min(length, self.size):
            raise LinkError(MALFORMED, "topic length")
        topic = bytes(body[2:at])
        try:
            str(topic, "utf-8")
        except UnicodeError:
            raise LinkError(MALFORMED, "topic")
        if b"\x00" in topic or b"+" in topic or b"#" in topic:
            raise LinkError(MALFORMED, "topic")
        packet_id = 0
        if flags & QOS_1:
            packet_id = body[at] << 8 | body[at + 1]
            if not packet_id:
                raise LinkError(MALFORMED, "packet id")
        payload = body[end:length] if length <= self.size else None
        self.peer.on_publish(topic, payload, flags, packet_id)


def _checked(first):
    """The first byte of a packet, if a broker may send it to this client."""
    if first & 0xF0 == _PUBLISH:
        # no QoS 2: it was not subscribed to; DUP only with QoS 1
        good = not first & 4 and (first & QOS_1 or not first & DUP)
    else:
        good = first in (_CONNACK, PUBACK, _SUBACK, _PINGRESP)
    if not good:
        raise LinkError(MALFORMED, "packet type")
    return first
