"""The codec: what it writes is read by an independent decoder, what it reads may be anything."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.link import MALFORMED, LinkError, packets

from tests.mqtt_decoder import Connect, ProtocolError, Publish, Subscribe, decode, split

BODY = st.binary(max_size=300)
NAMES = st.text(st.characters(codec="utf-8", exclude_characters="\0+#"), min_size=1, max_size=40)


def read(buf: memoryview, end: int):
    data = bytes(buf[:end])
    parts = split(data)
    assert parts is not None and parts[2] == end
    return decode(*parts)


def buffer(size: int = 20_000) -> memoryview:
    return memoryview(bytearray(size))


class Peer:
    """Writes down what the parser calls."""

    def __init__(self) -> None:
        self.calls: list[tuple] = []

    def on_connack(self, present, code):
        self.calls.append(("connack", present, code))

    def on_puback(self, packet_id):
        self.calls.append(("puback", packet_id))

    def on_suback(self, packet_id, codes):
        self.calls.append(("suback", packet_id, bytes(codes)))

    def on_pingresp(self):
        self.calls.append(("pingresp",))

    def on_publish(self, topic, payload, flags, packet_id):
        content = None if payload is None else bytes(payload)
        self.calls.append(("publish", topic, content, flags, packet_id))


def parse(data: bytes, cuts: list[int] | None = None, size: int = 2048) -> list[tuple]:
    peer = Peer()
    parser = packets.Parser(peer, size)
    edges = sorted({0, len(data), *(cuts or [])})
    for start, end in zip(edges, edges[1:], strict=False):
        part = memoryview(data)[start:end]
        parser.feed(part, len(part))
    return peer.calls


def broker_publish(topic: bytes, payload: bytes, flags: int = 0, packet_id: int = 0) -> bytes:
    body = len(topic).to_bytes(2, "big") + topic
    body += packet_id.to_bytes(2, "big") if flags & 6 else b""
    body += payload
    head, length = bytearray([0x30 | flags]), len(body)
    while length > 127:
        head.append(length & 127 | 128)
        length >>= 7
    return bytes(head) + bytes([length]) + body


EXCHANGE = (
    b"\x20\x02\x01\x00"
    + b"\x90\x04\x00\x07\x01\x01"
    + b"\x40\x02\x12\x34"
    + b"\xd0\x00"
    + broker_publish(b"wallbox/WB1/ack", bytes(20), 2, 9)
    + broker_publish(b"wallbox/WB1/command", b"x" * 500, 11, 10)
)
CALLS = [
    ("connack", 1, 0),
    ("suback", 7, b"\x01\x01"),
    ("puback", 0x1234),
    ("pingresp",),
    ("publish", b"wallbox/WB1/ack", bytes(20), 2, 9),
    ("publish", b"wallbox/WB1/command", b"x" * 500, 11, 10),
]


@given(st.binary(min_size=1, max_size=30), BODY, st.integers(5, 65535), BODY, BODY, st.booleans())
def test_connect(client, will, keep_alive_s, user, password, with_user):
    client_id, user_name = client.hex(), user.hex()
    buf = buffer()
    end = packets.connect(
        buf,
        0,
        packets.field(client_id),
        keep_alive_s,
        packets.field("wallbox/x/status"),
        packets.field(will),
        packets.field(user_name) if with_user else None,
        packets.field(password) if with_user else None,
    )
    found = read(buf, end)
    assert isinstance(found, Connect)
    assert (found.client_id, found.keep_alive_s) == (client_id, keep_alive_s)
    assert not found.clean_session
    assert found.will is not None
    assert (found.will.topic, found.will.payload) == ("wallbox/x/status", will)
    assert (found.will.qos, found.will.retain) == (1, True)
    assert found.user == (user_name if with_user else None)
    assert found.password == (password if with_user else None)


@given(
    NAMES,
    st.integers(0, 3000),
    st.integers(1, 65535),
    st.sampled_from([0, 1, 2, 3, 10, 11]),
    st.integers(0, 5),
)
def test_publish_puts_the_header_in_front_of_the_payload(name, length, packet_id, flags, start):
    buf = buffer()
    payload = random.Random(length).randbytes(length)
    topic = packets.field(name)
    at = packets.payload_at(start, topic, flags)
    buf[at : at + length] = payload
    end = packets.publish(buf, start, topic, flags, packet_id, length)
    found = read(buf[start:], end - start)
    assert isinstance(found, Publish)
    assert (found.topic, found.payload) == (name, payload)
    assert (found.qos, found.dup, found.retain) == (flags >> 1 & 3, bool(flags & 8), flags & 1)
    assert found.packet_id == (packet_id if flags & 2 else 0)


@given(st.lists(NAMES, min_size=1, max_size=8), st.integers(1, 65535))
def test_subscribe(names, packet_id):
    buf = buffer()
    end = packets.subscribe(buf, 0, packet_id, [packets.field(name) for name in names])
    found = read(buf, end)
    assert isinstance(found, Subscribe)
    assert found.packet_id == packet_id
    assert found.topics == [(name, 1) for name in names]


def test_small_packets():
    buf = buffer()
    end = packets.short(buf, 0, packets.PUBACK, 0x1234)
    end = packets.short(buf, end, packets.PINGREQ)
    end = packets.short(buf, end, packets.DISCONNECT)
    assert bytes(buf[:end]) == b"\x40\x02\x12\x34\xc0\x00\xe0\x00"


def test_a_whole_exchange():
    assert parse(EXCHANGE) == CALLS


def test_cut_anywhere():
    for cut in range(1, len(EXCHANGE)):
        assert parse(EXCHANGE, [cut]) == CALLS


def test_byte_by_byte():
    assert parse(EXCHANGE, list(range(len(EXCHANGE)))) == CALLS


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x10\x02\x00\x00", "packet type"),  # a client's packet
        (b"\x00", "packet type"),
        (b"\xf0\x00", "packet type"),
        (b"\x50\x02\x00\x01", "packet type"),  # QoS 2 was never asked for
        (b"\xb0\x02\x00\x01", "packet type"),  # nor an unsubscription
        (b"\x21\x02\x00\x00", "packet type"),  # reserved flags
        (b"\x41\x02\x00\x01", "packet type"),
        (b"\x34\x07\x00\x01a\x00\x01", "packet type"),  # PUBLISH of QoS 2
        (b"\x36\x07\x00\x01a\x00\x01", "packet type"),  # of QoS 3
        (b"\x38\x04\x00\x01a", "packet type"),  # DUP with QoS 0
        (b"\x20\x03", "length"),
        (b"\x20\x01", "length"),
        (b"\x40\x03", "length"),
        (b"\x90\x02", "length"),
        (b"\xd0\x01", "length"),
        (b"\x30\x02", "length"),
        (b"\x32\x04", "length"),
        (b"\x30\xff\xff\xff\xff", "remaining length"),
        (b"\x20\x02\x02\x00", "CONNACK"),
        (b"\x20\x02\x00\x06", "CONNACK"),
        (b"\x20\x02\x01\x05", "CONNACK"),  # session present with a refusal
        (b"\x40\x02\x00\x00", "packet id"),
        (b"\x90\x03\x00\x01\x03", "SUBACK"),
        (broker_publish(b"", b"xx"), "topic length"),
        (b"\x30\x04\x00\x05ab", "topic length"),
        (b"\x32\x05\x00\x02ab\x00", "topic length"),  # no room for the id
        (broker_publish(b"a/\xff", b""), "topic"),
        (broker_publish(b"a/\x00b", b""), "topic"),
        (broker_publish(b"a/+", b""), "topic"),
        (broker_publish(b"#", b""), "topic"),
        (broker_publish(b"a", b"", 2, 0), "packet id"),
    ],
)
def test_malformed(data, reason):
    for cuts in ([], list(range(len(data)))):
        with pytest.raises(LinkError) as caught:
            parse(data, cuts)
        assert caught.value.args == (MALFORMED, reason)


def test_a_publish_longer_than_the_buffer_is_skipped_and_reported():
    long = broker_publish(b"wallbox/WB1/command", b"y" * 70_000, 2, 77)
    cuts = list(range(0, len(long), 256))
    calls = parse(long + b"\xd0\x00", cuts, size=128)
    assert calls == [("publish", b"wallbox/WB1/command", None, 2, 77), ("pingresp",)]


def test_the_longest_topic():
    assert parse(broker_publish(b"t" * 96, b"x")) == [("publish", b"t" * 96, b"x", 0, 0)]


@pytest.mark.parametrize("size", [97, 200, 3000, 65535])
def test_a_topic_that_the_box_cannot_have_asked_for_is_malformed(size):
    """And is not copied to find that out, however deep it is."""
    deep = (b"/" * size)[:size]
    for name in (deep, b"t" * size):
        data = broker_publish(name, b"x" * 10, 2, 1)
        with pytest.raises(LinkError) as caught:
            parse(data, list(range(0, len(data), 256)))
        assert caught.value.args == (MALFORMED, "topic length")


def test_a_topic_longer_than_the_buffer_is_malformed():
    with pytest.raises(LinkError):
        parse(broker_publish(b"t" * 90, b"", 2, 1), size=64)


def test_the_longest_suback():
    codes = bytes([1] * 8)
    assert parse(b"\x90\x0a\x00\x07" + codes) == [("suback", 7, codes)]
    with pytest.raises(LinkError):
        parse(b"\x90\x0b\x00\x07" + codes + b"\x01")


@given(st.binary(max_size=600), st.lists(st.integers(0, 600), max_size=5))
def test_any_bytes_raise_nothing_but_link_error(data, cuts):
    try:
        parse(data, [cut for cut in cuts if cut < len(data)], size=64)
    except LinkError as error:
        assert error.args[0] == MALFORMED
        assert isinstance(error.args[1], str)


def test_a_hundred_thousand_mutated_packets(seed):
    draw = random.Random(seed)
    originals = [
        EXCHANGE[:4],
        EXCHANGE[4:10],
        EXCHANGE[10:14],
        EXCHANGE[14:16],
        broker_publish(b"wallbox/WB1/ack", bytes(20), 2, 9),
        broker_publish(b"wallbox/WB1/command", b"x" * 150, 2, 10),
    ]
    peer = Peer()
    parser = packets.Parser(peer, 128)
    refused = 0
    for _ in range(100_000):
        data = bytearray(draw.choice(originals))
        for _ in range(draw.randint(1, 3)):
            at = draw.randrange(len(data))
            action = draw.randrange(4)
            if action == 0:
                data[at] ^= 1 << draw.randrange(8)
            elif action == 1:
                data[at] = draw.choice((0, 1, 127, 128, 255))
            elif action == 2:
                data.insert(at, draw.randrange(256))
            elif len(data) > 1:
                del data[at]
        try:
            parser.feed(memoryview(data), len(data))
        except LinkError:
            refused += 1
            parser.reset()
    assert refused > 10_000
    assert len(parser.body) == 128


def test_the_independent_decoder_refuses_what_the_standard_forbids():
    for data in (
        b"\x30\x80\x00\x00\x01a",  # needless length byte
        b"\x32\x05\x00\x01a\x00\x00",  # packet id 0
        b"\x80\x06\x00\x01\x00\x01a\x01",  # flags of SUBSCRIBE
        b"\x10\x0c\x00\x04MQTT\x04\x00\x00\x1e\x00\x00",  # no client id, no clean session
    ):
        with pytest.raises(ProtocolError):
            parts = split(data)
            assert parts is not None
            decode(*parts)
