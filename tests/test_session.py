"""The session, driven by hand: how it begins, its window, late answers, keep-alive."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.link import LATE_ACK, MALFORMED, NO_BROKER, REFUSED, LinkError, packets

from tests.link_world import MemoryLedger, record
from tests.mqtt_decoder import Connect, Packet, Publish, Subscribe
from tests.session_box import TOPIC, Box, contents, filled

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
        box.session.publish(packets.field("s"), 0, lambda buf: 1)
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
