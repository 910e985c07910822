"""A session with its ledger, driven by hand; what it sends is decoded."""

from __future__ import annotations

from wallbox.link import packets
from wallbox.link.session import Session

from tests.link_world import SERIAL, MemoryLedger
from tests.mqtt_decoder import ClientStream, Connect, Packet, Publish, Subscribe

TOPIC = f"wallbox/{SERIAL}/ledger"
SUBSCRIPTIONS = (packets.field("a/ack"), packets.field("a/command"))


class Owner:
    topics = SUBSCRIPTIONS

    def __init__(self) -> None:
        self.session: Session | None = None
        self.connected = 0
        self.forgotten = 0
        self.subscribed = 0
        self.messages: list[tuple] = []
        self.before_acknowledgement: list[int] = []

    def hello(self, buf, at):
        name = packets.field(SERIAL)
        return packets.connect(buf, at, name, 30, name, packets.field(b"gone"))

    def on_connected(self, now):
        self.connected += 1

    def on_forgotten(self):
        self.forgotten += 1
        self.session.cursor = self.session.ledger.acknowledged + 1

    def on_subscribed(self):
        self.subscribed += 1

    def on_publish(self, topic, payload, flags, now):
        self.before_acknowledgement.append(self.session.end)
        self.messages.append((topic, None if payload is None else bytes(payload), flags))


class Box:
    """A session with its ledger; what it sends is decoded."""

    def __init__(self, ledger: MemoryLedger | None = None, **config: object) -> None:
        self.ledger = ledger or MemoryLedger()
        self.owner = Owner()
        config.setdefault("packed", False)
        self.session = Session(self.owner, self.ledger, packets.field(TOPIC), config)
        self.owner.session = self.session
        self.stream = ClientStream()
        self.now = 1000

    def sent(self) -> list[Packet]:
        """What goes out now."""
        session, found = self.session, []
        while session.fill():
            found += self.stream.feed(bytes(session.out[session.start : session.end]))
            session.sent(session.end - session.start, self.now)
        return found

    def messages(self) -> list[Publish]:
        return [packet for packet in self.sent() if isinstance(packet, Publish)]

    def get(self, data: bytes) -> None:
        self.session.received(data, len(data), self.now)

    def puback(self, *packet_ids: int) -> None:
        for packet_id in packet_ids:
            self.stream.acknowledged(packet_id)
            self.get(b"\x40\x02" + packet_id.to_bytes(2, "big"))

    def connect(self, present: int = 0) -> Box:
        """CONNECT, CONNACK; the SUBSCRIBE waits in the buffer."""
        self.stream = ClientStream(self.stream.unacknowledged)
        if not present:
            self.stream.session_lost()
        self.session.connected(self.now)
        (hello,) = self.sent()
        assert isinstance(hello, Connect)
        self.get(bytes((0x20, 2, present, 0)))
        return self

    def subscribe(self) -> list[Packet]:
        """Send SUBSCRIBE, get SUBACK; what else went out."""
        sent = self.sent()
        assert isinstance(sent[0], Subscribe)
        self.suback(sent[0].packet_id)
        return sent[1:]

    def suback(self, packet_id: int, codes: bytes = b"\x01\x01") -> None:
        self.stream.acknowledged(packet_id)
        self.get(bytes((0x90, 2 + len(codes))) + packet_id.to_bytes(2, "big") + codes)

    def up(self, present: int = 0) -> list[Packet]:
        return self.connect(present).subscribe()

    def later(self, milliseconds: int) -> None:
        self.now += milliseconds
        self.session.service(self.now)


def filled(count: int, **config: object) -> Box:
    box = Box(**config)
    box.ledger.write(count)
    return box


def contents(messages: list[Publish]) -> bytes:
    return b"".join(message.payload for message in messages)
