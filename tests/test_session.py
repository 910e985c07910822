"""The session, driven by hand: window, packet ids, late answers, keep-alive, resumption."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.link import LATE_ACK, MALFORMED, NO_BROKER, REFUSED, LinkError, packets
from wallbox.link.session import Session

from tests.link_world import SERIAL, MemoryLedger, record
from tests.mqtt_decoder import Acknowledge, ClientStream, Connect, Packet, Publish, Subscribe

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
        self.session.cursor = self.session.source.acknowledged + 1

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


# --- beginning ---


def test_the_first_packets():
    box = filled(3)
    hello = box.connect().stream.packets[0]
    assert isinstance(hello, Connect)
    assert not hello.clean_session
    subscribe, message = box.sent()
    assert isinstance(subscribe, Subscribe)
    assert subscribe.topics == [("a/ack", 1), ("a/command", 1)]
    assert isinstance(message, Publish)
    assert (message.topic, message.qos, message.dup, message.retain) == (TOPIC, 1, False, False)
    assert message.payload == record(1) + record(2) + record(3)
    assert (box.owner.connected, box.owner.forgotten) == (1, 1)


@pytest.mark.parametrize("code", [1, 2, 3, 4, 5])
def test_a_refusal(code):
    box = Box()
    box.session.connected(box.now)
    box.sent()
    with pytest.raises(LinkError) as caught:
        box.get(bytes((0x20, 2, 0, code)))
    assert caught.value.args == (REFUSED, code)


def test_a_refused_subscription():
    box = Box().connect()
    (subscribe,) = box.sent()
    with pytest.raises(LinkError) as caught:
        box.suback(subscribe.packet_id, b"\x01\x80")
    assert caught.value.args == (REFUSED, 128)
    assert box.owner.subscribed == 0


@pytest.mark.parametrize(
    "data",
    [
        b"\x20\x02\x00\x00",  # a second CONNACK
        b"\x90\x04\x77\x77\x01\x01",  # SUBACK for another id
        b"\x90\x03\x00\x01\x01",  # SUBACK for one topic of two
    ],
)
def test_answers_out_of_place(data):
    box = Box().connect()
    box.sent()
    with pytest.raises(LinkError) as caught:
        box.get(data)
    assert caught.value.args[0] == MALFORMED


@pytest.mark.parametrize(
    "data", [b"\x40\x02\x00\x01", b"\x30\x03\x00\x01a", b"\x90\x03\x00\x01\x01"]
)
def test_answers_before_connack(data):
    box = Box()
    box.session.connected(box.now)
    with pytest.raises(LinkError) as caught:
        box.get(data)
    assert caught.value.args[0] == MALFORMED


def test_a_broker_that_says_nothing():
    box = Box()
    box.session.connected(box.now)
    box.sent()
    box.later(9_999)
    with pytest.raises(LinkError) as caught:
        box.later(1)
    assert caught.value.args[0] == NO_BROKER


# --- window ---


def test_the_window_counts_messages():
    box = filled(100, payload_limit=32, window_messages=5)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    assert contents(messages) == b"".join(record(sequence) for sequence in range(1, 6))
    assert box.messages() == []
    box.puback(messages[0].packet_id)
    (message,) = box.messages()
    assert message.payload == record(6)


def test_the_window_counts_bytes():
    box = filled(1000, window_bytes=5700)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    assert sum(message.size for message in messages) <= 5700
    assert len(messages) == 5
    assert all(len(message.payload) == 1024 for message in messages)
    assert box.session.bytes <= 5700
    box.puback(messages[0].packet_id)
    assert len(box.messages()) == 1


@given(st.permutations(range(8)))
def test_pubacks_in_any_order(order):
    box = filled(50, payload_limit=32, window_messages=8)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    assert len(messages) == 8
    done: set[int] = set()
    total = 8
    for index in order:
        box.puback(messages[index].packet_id)
        done.add(index)
        contiguous = next((i for i in range(8) if i not in done), 8)
        total += len(box.messages())
        assert total == 8 + contiguous
    assert box.session.base == 8


def test_a_puback_nobody_waits_for_is_ignored():
    box = filled(2)
    box.up()
    box.puback(999)
    assert box.session.count == 1


def test_messages_are_packed_up_to_the_limit_and_a_long_record_goes_alone():
    sizes = {1: 100, 2: 100, 3: 254, 4: 100}
    box = Box(MemoryLedger(lambda sequence: sizes.get(sequence, 50)), payload_limit=200)
    box.ledger.write(6)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    assert [len(message.payload) for message in messages] == [200, 254, 200]


def test_new_records_leave_when_they_are_written():
    box = filled(1)
    box.up()
    box.ledger.write(1)
    (message,) = box.messages()
    assert message.payload == record(2)


def test_packet_ids_wrap_and_skip_those_in_flight():
    box = filled(0, payload_limit=32, window_messages=64)
    box.ledger.size = lambda sequence: 27
    box.up()
    draw = random.Random(1)
    in_flight: list[int] = []
    wraps = published = last = 0
    while published < 200_000:
        box.ledger.write(64 - len(in_flight))
        box.session.now = box.now
        while box.session.fill():
            data = bytes(box.session.out[box.session.start : box.session.end])
            for packet in box.stream.feed(data):
                assert isinstance(packet, Publish)
                number = packet.packet_id
                assert 1 <= number <= 65535
                wraps += number < last
                last = number
                in_flight.append(number)
                published += 1
            box.session.sent(len(data), box.now)
        box.stream.packets.clear()
        box.stream.packets.append(Packet("CONNECT"))
        # some PUBACKs are held back, so that ids stay in flight across the wrap
        keep = [number for number in in_flight if draw.random() < 0.02]
        box.puback(*(number for number in in_flight if number not in keep))
        in_flight = keep
        box.ledger.forget(box.session.base)
    assert wraps == published // 65535


def test_an_id_in_flight_for_a_whole_round_is_skipped():
    box = filled(3, payload_limit=32)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    in_flight = {message.packet_id for message in messages}
    assert in_flight == {2, 3, 4}
    used = [box.session._next_id() for _ in range(2 * 65535)]
    assert not in_flight & set(used)
    assert set(used) | in_flight == set(range(1, 65536))


# --- late answers, keep-alive ---


def test_a_late_puback_drops_the_connection():
    box = filled(1)
    box.up()
    box.later(1000)
    with pytest.raises(LinkError) as caught:
        box.later(1)
    assert caught.value.args == (LATE_ACK, "PUBACK")


def test_late_means_four_smoothed_round_trips():
    box = Box(payload_limit=32)
    box.up()
    for _ in range(40):
        box.ledger.write(1)
        (message,) = box.messages()
        box.later(500)
        box.puback(message.packet_id)
    assert box.session.late_ms() == pytest.approx(2000, abs=100)


def test_the_limit_doubles_as_long_as_nothing_is_acknowledged():
    """A broker that always needs 3 s must not be dropped for ever."""
    box = filled(1)
    box.up()
    limits = []
    for _ in range(3):
        limits.append(box.session.late_ms())
        with pytest.raises(LinkError):
            box.later(limits[-1] + 1)
        box.session.closed()
        box.up(present=1)
    assert limits == [1000, 2000, 4000]
    box.later(3000)
    box.puback(box.stream.packets[-1].packet_id)
    assert box.session.late_ms() > 3000
    box.ledger.write(1)
    box.messages()
    box.later(3000)


def test_only_the_oldest_message_is_timed_anew_when_others_are_acknowledged():
    box = filled(10, payload_limit=32)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    box.later(100)
    box.puback(*(message.packet_id for message in messages[1:]))
    box.later(900)
    with pytest.raises(LinkError):
        box.later(1)


def test_keep_alive_pings_and_expects_an_answer():
    box = Box(keep_alive_s=30)
    box.up()
    box.later(14_999)
    assert box.sent() == []
    box.later(1)
    assert [packet.kind for packet in box.sent()] == ["PINGREQ"]
    box.later(50)
    assert box.sent() == []
    box.get(b"\xd0\x00")
    box.later(15_000)
    assert [packet.kind for packet in box.sent()] == ["PINGREQ"]
    box.later(1000)
    with pytest.raises(LinkError) as caught:
        box.later(1)
    assert caught.value.args == (LATE_ACK, "PINGRESP")


def test_a_broker_that_only_listens_is_noticed():
    """Messages of QoS 0 keep the broker content but tell the box nothing."""
    box = Box(keep_alive_s=30)
    box.up()
    kinds = []
    for _ in range(20):
        box.later(1000)
        box.session.publish(packets.field("s"), 0, lambda buf: 0)
        kinds += [packet.kind for packet in box.sent()]
        if "PINGREQ" in kinds:
            break
    assert len(kinds) == 16


def test_a_late_suback_drops_the_connection():
    box = Box().connect()
    box.sent()
    with pytest.raises(LinkError) as caught:
        box.later(1001)
    assert caught.value.args == (LATE_ACK, "SUBACK")


# --- resumption ---


def test_resumption_sends_only_what_is_in_flight_with_dup_and_the_same_bytes():
    box = filled(20, payload_limit=64, window_messages=6)
    first = [packet for packet in box.up() if isinstance(packet, Publish)]
    box.puback(first[0].packet_id, first[2].packet_id, first[4].packet_id)
    more = box.messages()
    assert len(more) == 1
    waiting = [first[1], first[3], first[5], *more]
    box.session.closed()
    again = [packet for packet in box.up(present=1) if isinstance(packet, Publish)]
    assert [message.packet_id for message in again] == [message.packet_id for message in waiting]
    assert [message.payload for message in again] == [message.payload for message in waiting]
    assert all(message.dup for message in again)
    assert box.session.resent == 4
    box.puback(*(message.packet_id for message in again))
    rest = box.messages()
    assert contents(rest) == b"".join(record(sequence) for sequence in range(15, 21))
    assert not any(message.dup for message in rest)


def test_records_written_meanwhile_do_not_change_a_message_in_flight():
    box = filled(1)
    (first,) = [packet for packet in box.up() if isinstance(packet, Publish)]
    box.ledger.write(10)
    box.session.closed()
    again, rest = [packet for packet in box.up(present=1) if isinstance(packet, Publish)]
    assert (again.payload, again.packet_id, again.dup) == (first.payload, first.packet_id, True)
    assert rest.payload == b"".join(record(sequence) for sequence in range(2, 12))


def test_a_connection_lost_again_while_resuming():
    box = filled(200, payload_limit=32, window_messages=60)
    first = [packet for packet in box.up() if isinstance(packet, Publish)]
    box.session.closed()
    box.connect(present=1)
    box.session.fill()
    half = [
        packet
        for packet in box.stream.feed(bytes(box.session.out[: box.session.end]))
        if isinstance(packet, Publish)
    ]
    assert 0 < len(half) < 60
    box.puback(half[0].packet_id)
    box.session.closed()
    again = [packet for packet in box.up(present=1) if isinstance(packet, Publish)]
    wanted = [message.packet_id for message in first[1:]]
    assert [message.packet_id for message in again[:59]] == wanted


def test_a_lost_session_forgets_what_is_in_flight():
    box = filled(10, payload_limit=32)
    box.up()
    box.session.closed()
    box.ledger.acknowledged = 3
    messages = [packet for packet in box.up(present=0) if isinstance(packet, Publish)]
    assert contents(messages) == b"".join(record(sequence) for sequence in range(4, 11))
    assert not any(message.dup for message in messages)


def test_what_the_ledger_no_longer_holds_ends_the_resumption():
    box = filled(6, payload_limit=64)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    assert len(messages) == 3
    box.ledger.acknowledged = 3
    box.ledger.forget(3)
    box.session.closed()
    box.stream.in_use.clear()  # the decoder would miss what nobody needs any more
    rest = [packet for packet in box.up(present=1) if isinstance(packet, Publish)]
    assert contents(rest) == record(4) + record(5) + record(6)
    assert not any(message.dup for message in rest)
    box.puback(*(message.packet_id for message in rest))
    assert box.session.count == 0


def test_a_jump_of_the_cursor_waits_until_nothing_is_in_flight():
    box = filled(10, payload_limit=32)
    messages = [packet for packet in box.up() if isinstance(packet, Publish)]
    box.session.cursor = 5
    assert box.messages() == []
    box.puback(*(message.packet_id for message in messages[:-1]))
    assert box.messages() == []
    box.puback(messages[-1].packet_id)
    again = box.messages()
    assert contents(again) == b"".join(record(sequence) for sequence in range(5, 11))
    box.session.closed()
    resumed = [packet for packet in box.up(present=1) if isinstance(packet, Publish)]
    assert [message.payload for message in resumed] == [message.payload for message in again]


# --- inbound ---


def test_a_message_is_acknowledged_after_it_was_handled():
    box = Box()
    box.up()
    box.get(b"\x32\x0c\x00\x05a/ack\x00\x09yes")
    assert box.owner.messages == [(b"a/ack", b"yes", 2)]
    assert box.owner.before_acknowledgement == [0]
    (answer,) = box.sent()
    assert isinstance(answer, Acknowledge)
    assert (answer.kind, answer.packet_id) == ("PUBACK", 9)


def test_a_retained_message_before_suback_and_qos_0():
    box = Box().connect()
    box.get(b"\x31\x0a\x00\x05a/ackyes")
    assert box.owner.messages == [(b"a/ack", b"yes", 1)]
    assert [packet.kind for packet in box.sent()] == ["SUBSCRIBE"]


def test_answers_to_a_full_chunk_always_fit():
    box = filled(1000)
    box.connect()
    data = b"\x32\x05\x00\x01a\x00\x01" * 200
    for at in range(0, len(data), 256):
        while box.session.end > box.session.answer_limit:
            box.sent()
        box.session.fill()
        box.get(data[at : at + 256])
    box.sent()
    pubacks = [packet for packet in box.stream.packets if packet.kind == "PUBACK"]
    assert len(pubacks) == 200


def test_partial_writes():
    box = filled(100)
    box.session.connected(box.now)
    stream, session = ClientStream(), box.session
    draw = random.Random(2)
    connack = False
    for _ in range(5000):
        if session.fill():
            part = bytes(session.out[session.start : session.end])[: draw.randint(1, 40)]
            for packet in stream.feed(part):
                if isinstance(packet, Publish):
                    stream.acknowledged(packet.packet_id)
                    session.on_puback(packet.packet_id)
            session.sent(len(part), box.now)
        elif not connack:
            connack = True
            box.get(b"\x20\x02\x00\x00")
        else:
            break
    assert contents([packet for packet in stream.packets if isinstance(packet, Publish)]) == (
        b"".join(record(sequence) for sequence in range(1, 101))
    )


@given(st.lists(st.binary(max_size=40), max_size=20), st.booleans())
def test_whatever_a_broker_sends_raises_link_errors_alone(chunks, connected):
    box = filled(5)
    if connected:
        box.up()
    else:
        box.session.connected(box.now)
    try:
        for chunk in chunks:
            while box.session.end > box.session.answer_limit:
                box.sent()
            box.get(chunk)
            box.session.fill()
    except LinkError:
        pass
