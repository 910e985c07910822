"""A broker, an operator and a network in simulated time, around the firmware's own session.

Everything that the box sends goes through the independent decoder. No clock, no socket: a hundred
outages take a second.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import deque
from collections.abc import Callable

from wallbox.link import LinkError
from wallbox.link.publisher import Publisher

from tests.mqtt_decoder import Acknowledge, ClientStream, Connect, Packet, Publish, Subscribe

KEY = b"link world"
SERIAL = "WB000001"


def record(sequence: int, size: int = 32) -> bytes:
    """Bytes of the right shape: length, sequence where it belongs, content that differs."""
    filler = hashlib.sha256(b"%d" % sequence).digest() * 8
    return bytes((size, 1)) + sequence.to_bytes(4, "little") + filler[: size - 6]


def statement(sequence: int, mac: bytes, key: bytes = KEY) -> bytes:
    """What an operator publishes as its acknowledgement."""
    head = sequence.to_bytes(4, "little") + mac
    return head + hmac.digest(key, b"ack" + head, "sha256")[:8]


class MemoryLedger:
    """The ledger's face towards the link, in RAM."""

    def __init__(self, size: Callable[[int], int] = lambda sequence: 32) -> None:
        self.size = size
        self.records: dict[int, bytes] = {}
        self.next_sequence = 1
        self.oldest_sequence = 1
        self.acknowledged = 0

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            sequence = self.next_sequence
            self.records[sequence] = record(sequence, self.size(sequence))
            self.next_sequence += 1

    def forget(self, sequence: int) -> None:
        """The space up to here is used again."""
        while self.oldest_sequence <= sequence:
            del self.records[self.oldest_sequence]
            self.oldest_sequence += 1

    def read_into(self, sequence: int, buf: memoryview) -> tuple[int, int, int]:
        assert len(buf) >= 254
        sequence = max(sequence, self.oldest_sequence)
        at, last = 0, sequence - 1
        while (data := self.records.get(last + 1)) and at + len(data) <= len(buf):
            buf[at : at + len(data)] = data
            at += len(data)
            last += 1
        return (at, sequence, last) if at else (0, 0, 0)

    def acknowledge_message(self, payload: bytes) -> bool:
        sequence = int.from_bytes(payload[:4], "little")
        if sequence >= self.next_sequence or payload != statement(sequence, payload[4:12]):
            return False
        self.acknowledged = max(self.acknowledged, sequence)
        return True


class Operator:
    """Stores records in order and says where it stands, as docs/mqtt.md demands."""

    def __init__(self, broker: Broker, slow_ms: int = 100) -> None:
        self.broker = broker
        self.slow_ms = slow_ms
        self.stored: list[bytes] = []
        self.duplicates = 0
        self.holes = 0
        self.running = True
        self.state_at: int | None = None

    @property
    def stand(self) -> int:
        return len(self.stored)

    def take(self, payload: bytes, now: int) -> None:
        at = 0
        while at < len(payload):
            data = payload[at : at + payload[at]]
            sequence = int.from_bytes(data[2:6], "little")
            if sequence == self.stand + 1:
                self.stored.append(data)
            elif sequence <= self.stand:
                assert self.stored[sequence - 1] == data
                self.duplicates += 1
            else:
                self.holes += 1
            at += len(data)
        if self.state_at is None:
            self.state_at = now + self.slow_ms

    def service(self, now: int) -> None:
        if self.running:
            while self.broker.operator_queue:
                self.take(self.broker.operator_queue.popleft(), now)
            if self.state_at is not None and now >= self.state_at:
                self.state_at = None
                self.state(now)

    def state(self, now: int) -> None:
        self.broker.publish(f"wallbox/{SERIAL}/ack", statement(self.stand, bytes(8)), now)

    def restart(self, now: int) -> None:
        self.running = True
        self.state(now)


class Broker:
    """One client's session at a broker, and the connection to it. `puback(id)` may be replaced."""

    def __init__(self) -> None:
        self.operator_queue: deque[bytes] = deque()
        self.queue_limit = 100_000
        self.status: bytes | None = None
        self.subscriptions: set[str] | None = None  # None = no session
        self.outgoing: deque[tuple[str, bytes]] = deque()
        self.inflight: dict[int, tuple[str, bytes]] = {}
        self.next_id = 1
        self.connected = False
        self.stream = ClientStream()
        self.carried: dict[int, tuple[str, bytes]] = {}
        self.send: Callable[[bytes], None] = lambda data: None
        self.puback: Callable[[int], bool] = lambda packet_id: True
        self.connack_code = 0
        self.mute = False
        self.connects: list[Connect] = []
        self.publishes: list[Publish] = []
        self.present: list[bool] = []

    def lose_session(self) -> None:
        self.subscriptions = None
        self.outgoing.clear()
        self.inflight.clear()

    def accept(self, send: Callable[[bytes], None]) -> None:
        self.stream = ClientStream(self.carried)
        self.send = send

    def gone(self) -> None:
        """The connection ended."""
        self.carried = self.stream.unacknowledged
        self.stream = ClientStream(self.carried)
        self.connected = False
        self.send = lambda data: None

    def receive(self, data: bytes, now: int) -> None:
        for packet in self.stream.feed(data):
            if not self.mute:
                self._handle(packet, now)

    def _handle(self, packet: Packet, now: int) -> None:
        if isinstance(packet, Connect):
            self.connects.append(packet)
            present = self.subscriptions is not None and not self.connack_code
            self.present.append(present)
            if not present:
                self.stream.session_lost()
                self.carried = {}
            self.send(bytes((0x20, 2, present, self.connack_code)))
            if self.connack_code:
                return
            self.connected = True
            self.subscriptions = self.subscriptions or set()
            for packet_id, (topic, payload) in self.inflight.items():
                self._send_publish(packet_id, topic, payload, dup=True)
            self._flush()
        elif isinstance(packet, Subscribe):
            assert self.subscriptions is not None
            self.subscriptions |= {topic for topic, _ in packet.topics}
            self.stream.acknowledged(packet.packet_id)
            self.send(
                bytes((0x90, 2 + len(packet.topics)))
                + packet.packet_id.to_bytes(2, "big")
                + bytes(qos for _, qos in packet.topics)
            )
            self._flush()
        elif isinstance(packet, Publish):
            self.publishes.append(packet)
            if packet.topic.endswith("/status"):
                self.status = packet.payload
            elif len(self.operator_queue) < self.queue_limit:
                self.operator_queue.append(packet.payload)
            if packet.qos and self.puback(packet.packet_id):
                self.send_puback(packet.packet_id)
        elif isinstance(packet, Acknowledge):
            self.inflight.pop(packet.packet_id, None)
        elif packet.kind == "PINGREQ":
            self.send(b"\xd0\x00")

    def send_puback(self, packet_id: int) -> None:
        self.send(b"\x40\x02" + packet_id.to_bytes(2, "big"))

    def publish(self, topic: str, payload: bytes, now: int = 0) -> None:
        """Somebody publishes to the box with QoS 1."""
        if self.subscriptions is not None and topic in self.subscriptions:
            self.outgoing.append((topic, payload))
            self._flush()

    def _flush(self) -> None:
        while self.connected and self.outgoing and self.subscriptions:
            topic, payload = self.outgoing.popleft()
            self.inflight[self.next_id] = (topic, payload)
            self._send_publish(self.next_id, topic, payload)
            self.next_id = self.next_id % 65535 + 1

    def _send_publish(self, packet_id: int, topic: str, payload: bytes, dup: bool = False) -> None:
        name = topic.encode()
        body = len(name).to_bytes(2, "big") + name + packet_id.to_bytes(2, "big") + payload
        assert len(body) < 128
        self.send(bytes((0x32 | dup << 3, len(body))) + body)


class World:
    """The box, a network with delay, the broker, the operator. `run(ms)` lets time pass."""

    def __init__(self, ledger: MemoryLedger, delay_ms: int = 10, **config: object) -> None:
        self.ledger = ledger
        self.config = {"serial": SERIAL, **config}
        self.delay_ms = delay_ms
        self.step_ms = 5
        self.now = 0
        self.broker = Broker()
        self.operator = Operator(self.broker)
        self.reports: list[int] = []
        self.errors: list[tuple[object, ...]] = []
        self.network = True
        self.connect_at: int | None = 0
        self.to_broker: deque[tuple[int, bytes]] = deque()
        self.to_box: deque[tuple[int, bytes]] = deque()
        self.bytes_to_broker = 0
        self.bytes_to_box = 0
        self.cut_to_broker_at: int | None = None  # bytes of the whole run
        self.cut_to_box_at: int | None = None
        self.boot()

    def boot(self) -> None:
        """The box starts: only the ledger has survived."""
        self.publisher = Publisher(self.config, self.ledger, lambda: b"{}", self.reports.append)
        self.session = self.publisher.session
        self.session.on_puback = self._on_puback
        self._disconnected()
        # a client that loses its memory cannot send again what it had in flight
        self.broker.carried = {}
        self.broker.stream = ClientStream()

    def _on_puback(self, packet_id: int) -> None:
        """What the box knows to be acknowledged, whatever the broker has sent."""
        self.broker.stream.acknowledged(packet_id)
        type(self.session).on_puback(self.session, packet_id)

    def cut(self) -> None:
        """The connection breaks; what is under way is lost."""
        self.session.closed()
        self._disconnected()

    def _disconnected(self) -> None:
        for _, data in self.to_broker:
            self.broker.stream.feed(data)
        self.broker.gone()
        self.to_broker.clear()
        self.to_box.clear()
        self.connect_at = self.now + 100

    def _connect(self) -> None:
        self.connect_at = None
        self.broker.accept(lambda data: self.to_box.append((self.now + self.delay_ms, data)))
        self.session.connected(self.now)

    def step(self) -> None:
        self.now += self.step_ms
        if self.connect_at is not None:
            if self.network and self.now >= self.connect_at:
                self._connect()
        else:
            try:
                self._box()
            except LinkError as error:
                self.errors.append(error.args)
                self.cut()
        while self.to_broker and self.to_broker[0][0] <= self.now:
            data = self.to_broker.popleft()[1]
            start, self.bytes_to_broker = self.bytes_to_broker, self.bytes_to_broker + len(data)
            limit = self.cut_to_broker_at
            if limit is not None and start <= limit < self.bytes_to_broker:
                self.broker.receive(data[: limit - start], self.now)
                self.broker.stream.feed(data[limit - start :])
                self.cut()
            elif self.network:
                self.broker.receive(data, self.now)
            else:
                self.broker.stream.feed(data)
        self.operator.service(self.now)

    def _box(self) -> None:
        while self.to_box and self.to_box[0][0] <= self.now:
            data = self.to_box.popleft()[1]
            start, self.bytes_to_box = self.bytes_to_box, self.bytes_to_box + len(data)
            limit = self.cut_to_box_at
            if limit is not None and start <= limit < self.bytes_to_box:
                data = data[: limit - start]
                self.session.received(data, len(data), self.now)
                self.cut()
                return
            if self.network:
                for at in range(0, len(data), 256):
                    part = data[at : at + 256]
                    self.session.received(part, len(part), self.now)
        self.session.service(self.now)
        self.publisher.service(self.now)
        while self.session.fill():
            data = bytes(self.session.out[self.session.start : self.session.end])
            self.to_broker.append((self.now + self.delay_ms, data))
            self.session.sent(len(data), self.now)

    def run(self, duration_ms: int, until: Callable[[], object] | None = None) -> bool:
        """Let time pass; True as soon as `until()` is."""
        end = self.now + duration_ms
        while self.now < end:
            self.step()
            if until is not None and until():
                return True
        return False

    @property
    def delivered(self) -> bool:
        """The operator has everything, and the box knows."""
        written = self.ledger.next_sequence - 1
        return self.operator.stand == written == self.ledger.acknowledged

    def check(self) -> None:
        """The operator has each record once, in order, with the ledger's bytes."""
        for sequence, data in self.ledger.records.items():
            assert self.operator.stored[sequence - 1] == data


def faults(world: World, draw: random.Random) -> None:
    """One random misfortune."""
    kind = draw.randrange(8)
    if kind <= 2:
        world.cut()
    elif kind == 3:
        world.broker.lose_session()
        world.cut()
    elif kind == 4:
        world.boot()
    elif kind == 5:
        # the broker forgets what it had acknowledged
        world.broker.operator_queue.clear()
        world.cut()
    elif kind == 6:
        world.operator.running = not world.operator.running
        if world.operator.running:
            world.operator.restart(world.now)
    else:
        world.network = not world.network
