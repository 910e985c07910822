"""One client's session at an MQTT broker, without I/O; what the client sends is decoded."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

from tests.mqtt_decoder import Acknowledge, ClientStream, Connect, Packet, Publish, Subscribe


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
