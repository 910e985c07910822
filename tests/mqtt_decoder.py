"""A strict decoder of what an MQTT 3.1.1 client sends, written from the standard alone.

It shares nothing with the firmware's codec and says with the number of the normative statement
what a client did wrong. UNSUBSCRIBE, which the box never sends, is not known. `ClientStream`
follows one connection: order of packets, packet ids in use, nothing after DISCONNECT.
"""

from __future__ import annotations

from dataclasses import dataclass, field


class ProtocolError(AssertionError):
    """The client broke the standard; the text begins with the statement's number."""


@dataclass
class Packet:
    kind: str
    size: int = 0  # with fixed header


@dataclass
class Will:
    topic: str
    payload: bytes
    qos: int
    retain: bool


@dataclass
class Connect(Packet):
    client_id: str = ""
    clean_session: bool = True
    keep_alive_s: int = 0
    user: str | None = None
    password: bytes | None = None
    will: Will | None = None


@dataclass
class Publish(Packet):
    topic: str = ""
    payload: bytes = b""
    qos: int = 0
    dup: bool = False
    retain: bool = False
    packet_id: int = 0
    raw: bytes = b""


@dataclass
class Acknowledge(Packet):  # PUBACK, PUBREC, PUBREL, PUBCOMP
    packet_id: int = 0


@dataclass
class Subscribe(Packet):
    packet_id: int = 0
    topics: list[tuple[str, int]] = field(default_factory=list)


# kind -> (name, flags a client must set; None = PUBLISH has its own)
KINDS: dict[int, tuple[str, int | None]] = {
    1: ("CONNECT", 0),
    3: ("PUBLISH", None),
    4: ("PUBACK", 0),
    5: ("PUBREC", 0),
    6: ("PUBREL", 2),
    7: ("PUBCOMP", 0),
    8: ("SUBSCRIBE", 2),
    12: ("PINGREQ", 0),
    14: ("DISCONNECT", 0),
}


def require(condition: object, statement: str) -> None:
    if not condition:
        raise ProtocolError(statement)


class Reader:
    """Reads the fields of one packet's body."""

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.at = 0

    def take(self, count: int) -> bytes:
        require(self.at + count <= len(self.body), "2.2.3 the remaining length is too short")
        self.at += count
        return self.body[self.at - count : self.at]

    def byte(self) -> int:
        return self.take(1)[0]

    def integer(self) -> int:
        return int.from_bytes(self.take(2), "big")

    def binary(self) -> bytes:
        return self.take(self.integer())

    def text(self) -> str:
        data = self.binary()
        try:
            value = data.decode("utf-8", "strict")
        except UnicodeDecodeError as error:
            raise ProtocolError("MQTT-1.5.3-1 ill-formed UTF-8") from error
        require("\0" not in value, "MQTT-1.5.3-2 U+0000 in a string")
        return value

    def packet_id(self) -> int:
        value = self.integer()
        require(value, "MQTT-2.3.1-1 the packet id is 0")
        return value

    @property
    def left(self) -> int:
        return len(self.body) - self.at


def split(data: bytes) -> tuple[int, bytes, int] | None:
    """(first byte, body, size) of the packet at the start of data, None while it is incomplete."""
    length = shift = 0
    at = 1
    while True:
        if at >= len(data):
            return None
        byte = data[at]
        length |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            require(byte or at == 2, "2.2.3 the remaining length has needless bytes")
            break
        shift += 7
        require(shift <= 21, "2.2.3 the remaining length has more than four bytes")
    if len(data) < at + length:
        return None
    return data[0], data[at : at + length], at + length


def decode(first: int, body: bytes, size: int) -> Packet:
    """One packet. Raises ProtocolError."""
    kind, flags = first >> 4, first & 0x0F
    require(kind in KINDS, f"2.2.1 a client does not send packet type {kind}")
    name, expected = KINDS[kind]
    require(expected is None or flags == expected, f"MQTT-2.2.2-1 flags {flags} of {name}")
    reader = Reader(body)
    packet: Packet
    if name == "CONNECT":
        packet = _connect(reader, size)
    elif name == "PUBLISH":
        packet = _publish(reader, flags, size)
    elif name == "SUBSCRIBE":
        packet = _subscribe(reader, size)
    elif name in ("PINGREQ", "DISCONNECT"):
        packet = Packet(name, size)
    else:
        packet = Acknowledge(name, size, reader.packet_id())
    require(not reader.left, f"2.2.3 {reader.left} bytes too many in {name}")
    return packet


def _connect(reader: Reader, size: int) -> Connect:
    require(reader.text() == "MQTT", "MQTT-3.1.2-1 protocol name")
    require(reader.byte() == 4, "MQTT-3.1.2-2 protocol level")
    flags = reader.byte()
    require(not flags & 1, "MQTT-3.1.2-3 reserved flag")
    clean, has_will, qos, retain = flags & 2, flags & 4, flags >> 3 & 3, flags & 32
    if not has_will:
        require(not qos, "MQTT-3.1.2-13 will QoS without will")
        require(not retain, "MQTT-3.1.2-15 will retain without will")
    require(qos < 3, "MQTT-3.1.2-14 will QoS 3")
    require(flags & 128 or not flags & 64, "MQTT-3.1.2-22 a password without a user")
    keep_alive_s = reader.integer()
    client_id = reader.text()
    require(client_id or clean, "MQTT-3.1.3-7 an empty client id needs a clean session")
    will = None
    if has_will:
        topic = _topic(reader.text())
        will = Will(topic, reader.binary(), qos, bool(retain))
    user = reader.text() if flags & 128 else None
    password = reader.binary() if flags & 64 else None
    return Connect("CONNECT", size, client_id, bool(clean), keep_alive_s, user, password, will)


def _publish(reader: Reader, flags: int, size: int) -> Publish:
    qos, dup, retain = flags >> 1 & 3, bool(flags & 8), bool(flags & 1)
    require(qos < 3, "MQTT-3.3.1-4 both QoS bits are set")
    require(qos or not dup, "MQTT-3.3.1-2 DUP with QoS 0")
    topic = _topic(reader.text())
    packet_id = reader.packet_id() if qos else 0
    payload = reader.take(reader.left)
    return Publish("PUBLISH", size, topic, payload, qos, dup, retain, packet_id)


def _subscribe(reader: Reader, size: int) -> Subscribe:
    packet = Subscribe("SUBSCRIBE", size, reader.packet_id())
    while reader.left:
        name = _filter(reader.text())
        qos = reader.byte()
        require(qos < 3, "MQTT-3.8.3-4 requested QoS")
        packet.topics.append((name, qos))
    require(packet.topics, "MQTT-3.8.3-3 no topic filter")
    return packet


def _topic(name: str) -> str:
    require(name, "MQTT-4.7.3-1 an empty topic")
    require("+" not in name and "#" not in name, "MQTT-3.3.2-2 a wildcard in a topic name")
    return name


def _filter(name: str) -> str:
    require(name, "MQTT-4.7.3-1 an empty topic filter")
    for at, level in enumerate(levels := name.split("/")):
        require("#" not in level or (level == "#" and at == len(levels) - 1), "MQTT-4.7.1-2 '#'")
        require("+" not in level or level == "+", "MQTT-4.7.1-3 '+'")
    return name


class ClientStream:
    """The bytes of one connection from client to broker, as packets, with the rules of order.

    `unacknowledged`: QoS 1 publishes (id -> topic and payload) that the session carries over from
    an earlier connection; tell what the broker acknowledged with `acknowledged(id)`. `lossy`: it
    is not known what an earlier connection carried, so nothing is required of DUP.
    """

    def __init__(
        self, unacknowledged: dict[int, tuple[str, bytes]] | None = None, lossy: bool = False
    ) -> None:
        self.lossy = lossy
        self.data = b""
        self.packets: list[Packet] = []
        self.carried = dict(unacknowledged or {})
        self.in_use: dict[int, tuple[str, bytes]] = {}
        self.ended = False

    def feed(self, data: bytes) -> list[Packet]:
        """The packets that became complete. Raises ProtocolError."""
        self.data += data
        found = []
        while self.data:
            parts = split(self.data)
            if parts is None:
                break
            packet = decode(*parts)
            if isinstance(packet, Publish):
                packet.raw = self.data[: parts[2]]
            self.data = self.data[parts[2] :]
            self._follow(packet)
            found.append(packet)
        self.packets += found
        return found

    def acknowledged(self, packet_id: int) -> None:
        """The broker sent PUBACK or SUBACK."""
        self.in_use.pop(packet_id, None)

    def session_lost(self) -> None:
        """CONNACK says that there is no session."""
        self.carried.clear()

    @property
    def unacknowledged(self) -> dict[int, tuple[str, bytes]]:
        """What the next connection of the same session has to carry."""
        publishes = {number: what for number, what in self.in_use.items() if what[0]}
        return {**self.carried, **publishes}

    def _follow(self, packet: Packet) -> None:
        require(not self.ended, "MQTT-3.14.4-2 a packet after DISCONNECT")
        first = not self.packets
        require((packet.kind == "CONNECT") == first, "MQTT-3.1.0-1/-2 CONNECT is first and only")
        self.packets.append(packet)
        try:
            self._rules(packet)
        finally:
            self.packets.pop()

    def _rules(self, packet: Packet) -> None:
        self.ended = packet.kind == "DISCONNECT"
        if isinstance(packet, Publish) and packet.qos:
            number = packet.packet_id
            content = (packet.topic, packet.payload)
            require(number not in self.in_use, "MQTT-2.3.1-4 the packet id is in use")
            if self.lossy:
                pass
            elif packet.dup:
                carried = self.carried.pop(number, None)
                require(carried is not None, "MQTT-3.3.1-1 DUP on a first delivery")
                require(carried == content, "MQTT-3.3.1-1 DUP with other content")
            else:
                require(number not in self.carried, "MQTT-2.3.1-4 the packet id is in use")
                require(not self.carried, "MQTT-4.6.0-1 resend in order, before anything new")
            self.in_use[number] = content
        elif isinstance(packet, Subscribe):
            require(packet.packet_id not in self.in_use, "MQTT-2.3.1-4 the packet id is in use")
            require(packet.packet_id not in self.carried, "MQTT-2.3.1-4 the packet id is in use")
            self.in_use[packet.packet_id] = ("", b"")
