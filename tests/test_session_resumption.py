"""The session, driven by hand: resumption after a lost connection, and what comes in."""

from __future__ import annotations

import random

from hypothesis import given
from hypothesis import strategies as st
from wallbox.link import LinkError

from tests.link_world import record
from tests.mqtt_decoder import Acknowledge, ClientStream, Publish
from tests.session_box import Box, contents, filled

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
