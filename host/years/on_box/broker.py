# An MQTT 3.1.1 broker with one client, in simulated time; it may lose, repeat and forget.

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 12, 14
QUEUE_MOST = 1000  # messages for the collector, as mosquitto's default


class Broken(Exception):
    """The client does not keep to MQTT."""


def publish(topic, payload, flags, packet_id=0):
    body = bytes((len(topic) >> 8, len(topic) & 255)) + topic
    if flags & 6:
        body += bytes((packet_id >> 8, packet_id & 255))
    body += payload
    length = len(body)
    if length < 128:
        return bytes((0x30 | flags, length)) + body
    return bytes((0x30 | flags, length & 127 | 128, length >> 7)) + body


class Line:
    """One TCP connection: bytes in order, until it ends. Both sides write, the other hears later.

    hear(data) and gone() are the box's side.
    """

    def __init__(self, site, hear, gone):
        self.site = site
        self.hear = hear
        self.gone = gone
        self.open = True
        self.silent = False  # everything is lost from now on, and nobody is told
        self.data = b""  # of a packet that is not complete yet
        self.first = True
        self._up_at = self._down_at = 0

    def to_broker(self, data):
        """From the box."""
        self._up_at = max(self._up_at, self.site.at + self.site.net.delay_ms())
        self.site.later(self._up_at, self._arrives, data)

    def to_box(self, data):
        self._down_at = max(self._down_at, self.site.at + self.site.net.delay_ms())
        self.site.later(self._down_at, self._heard, data)

    def _arrives(self, data):
        if self.open and not self.silent and self.site.net.path_up:
            self.site.broker.receive(self, data)

    def _heard(self, data):
        if self.open and not self.silent and self.site.net.path_up:
            self.hear(data)

    def cut(self):
        """Both sides learn it."""
        if self.open:
            self.open = False
            self.gone()


class Broker:
    """deliver(payload) -> the collector takes it. Faults are chances: one in so many, 0 = never."""

    def __init__(self, site, serial, chance):
        self.site = site
        self.chance = chance
        self.prefix = b"wallbox/" + serial
        self.line = None
        self.up = True
        self.session = False  # one is kept
        self.subscribed = False
        self.outgoing = []  # (topic, payload, packet id or 0)
        self.next_id = 1
        self.queue = []  # payloads for the collector
        self.retained = b""
        self.seen = (0, bytes(8))  # what whoever reads along knows of the newest record
        self.lose_puback = self.repeat_puback = self.delay_puback = 0
        self.lose_message = self.repeat_message = self.swap_message = 0
        self.refuse_code = 0
        self.dropped = 0  # messages acknowledged and then lost
        self.counts = [0, 0, 0, 0, 0]  # connections, publishes, pubacks lost, repeated, delayed

    def accept(self, line):
        if self.line is not None:
            self.line.cut()
        self.line = line

    def stop(self):
        self.up = False
        if self.line is not None:
            self.line.cut()
            self.line = None

    def forget(self):
        """Amnesia: sessions and what waited in them. The connection ends."""
        self.session = self.subscribed = False
        self.outgoing = []
        if self.line is not None:
            self.line.cut()
            self.line = None

    def receive(self, line, data):
        if line is not self.line:
            return
        line.data += data
        while line.open:
            packet = _packet(line.data)
            if packet is None:
                return
            first, body, size = packet
            line.data = line.data[size:]
            if (first >> 4 == CONNECT) != line.first:
                raise Broken("CONNECT is first, and only")
            line.first = False
            self._handle(line, first, body)

    def _handle(self, line, first, body):
        kind = first >> 4
        if kind == CONNECT:
            self._connect(line, body)
        elif kind == PUBLISH:
            self._publish(line, first & 15, body)
        elif kind == SUBSCRIBE:
            self.subscribed = True
            line.to_box(b"\x90\x04" + body[:2] + b"\x01\x01")
            self._flush()
        elif kind == PUBACK:
            packet_id = body[0] << 8 | body[1]
            for index in range(len(self.outgoing)):
                if self.outgoing[index][2] == packet_id:
                    self.outgoing.pop(index)
                    break
            self._flush()
        elif kind == PINGREQ:
            line.to_box(b"\xd0\x00")
        elif kind == DISCONNECT:
            self.line = None
            line.open = False
        else:
            raise Broken("a client does not send type %d" % kind)

    def _connect(self, line, body):
        if body[:7] != b"\x00\x04MQTT\x04" or body[7] & 3:
            raise Broken("CONNECT")
        self.counts[0] += 1
        if self.refuse_code:
            line.to_box(bytes((0x20, 2, 0, self.refuse_code)))
            return
        line.to_box(bytes((0x20, 2, 1 if self.session else 0, 0)))
        self.session = True
        if self.subscribed:
            for topic, payload, packet_id in self.outgoing:
                if packet_id:
                    line.to_box(publish(topic, payload, 10, packet_id))
            self._flush()

    def _publish(self, line, flags, body):
        length = body[0] << 8 | body[1]
        topic = body[2 : 2 + length]
        at = 2 + length
        if not flags & 6:
            if topic == self.prefix + b"/status":
                self.retained = body[at:]
            elif topic == self.prefix + b"/reply":
                self.site.operator.replied(body[at:])
            return
        packet_id = body[at] << 8 | body[at + 1]
        if not packet_id or flags & 6 != 2 or topic != self.prefix + b"/ledger":
            raise Broken("PUBLISH")
        self.counts[1] += 1
        self.seen = (self.site.rig.onlooker.next_sequence - 1, body[-8:])
        self._queue(body[at + 2 :])
        puback = b"\x40\x02" + body[at : at + 2]
        if self._happens(self.lose_puback):
            self.counts[2] += 1
        elif self._happens(self.delay_puback):
            self.counts[4] += 1  # later ones overtake it
            self.site.later(self.site.at + self.chance.between(20, 900), line.to_box, puback)
        else:
            line.to_box(puback)
        if self._happens(self.repeat_puback):
            self.counts[3] += 1
            line.to_box(puback)

    def _happens(self, one_in):
        return one_in > 0 and self.chance.one_in(one_in)

    def _queue(self, payload):
        if self._happens(self.lose_message) or len(self.queue) >= QUEUE_MOST:
            self.dropped += 1
            return
        self.queue.append(payload)
        if self._happens(self.repeat_message):
            self.queue.append(payload)
        if len(self.queue) > 1 and self._happens(self.swap_message):
            self.queue[-1], self.queue[-2] = self.queue[-2], self.queue[-1]
        self.site.collector_wanted()

    def send(self, name, payload):
        """Somebody publishes to the box, with QoS 1; lost without a session."""
        if self.session and self.subscribed:
            self.outgoing.append((self.prefix + name, payload, 0))
            self._flush()

    def send_raw(self, data):
        """What no broker should send."""
        if self.line is not None:
            self.line.to_box(data)

    def _flush(self):
        if self.line is None or not self.subscribed:
            return
        for index in range(len(self.outgoing)):
            topic, payload, packet_id = self.outgoing[index]
            if not packet_id:
                self.outgoing[index] = (topic, payload, self.next_id)
                self.line.to_box(publish(topic, payload, 2, self.next_id))
                self.next_id = self.next_id % 65535 + 1


def _packet(data):
    """(first byte, body, size) or None."""
    length = shift = 0
    at = 1
    while True:
        if at >= len(data):
            return None
        byte = data[at]
        at += 1
        length |= (byte & 127) << shift
        if byte < 128:
            break
        shift += 7
        if shift > 21:
            raise Broken("remaining length")
    if len(data) < at + length:
        return None
    return data[0], data[at : at + length], at + length
