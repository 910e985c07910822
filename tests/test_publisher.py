"""What the operator's statements do, and that nothing is repeated without need.

The box's publisher and session run against a broker, an operator and a network in simulated time.
"""

from __future__ import annotations

import pytest
from wallbox.link import DELIVERED, LINK_UP

from tests.link_world import KEY, SERIAL, MemoryLedger, World, drained, statement, world

ACK = f"wallbox/{SERIAL}/ack"
MINUTE_MS = 60_000
HOUR_MS = 60 * MINUTE_MS


def test_a_backlog_is_delivered_once_and_in_order():
    box = world(20_160, delay_ms=50)
    assert box.run(MINUTE_MS, lambda: box.delivered)
    box.check()
    assert box.operator.duplicates == box.operator.holes == 0
    assert box.reports == [LINK_UP, DELIVERED]
    messages = [packet for packet in box.broker.publishes if packet.qos]
    assert len(messages) == 20_160 // 32
    assert max(packet.size for packet in messages) < 1100


def test_connection_and_status():
    box = drained(1)
    (hello,) = box.broker.connects
    assert hello.client_id == hello.user == SERIAL
    assert hello.password is None
    assert not hello.clean_session
    assert hello.keep_alive_s == 30
    assert hello.will is not None
    assert hello.will.topic == f"wallbox/{SERIAL}/status"
    assert hello.will.payload == b'{"online":false}'
    assert (hello.will.qos, hello.will.retain) == (1, True)
    assert box.broker.subscriptions == {ACK, f"wallbox/{SERIAL}/command"}
    (status,) = [packet for packet in box.broker.publishes if packet.topic.endswith("status")]
    assert (status.payload, status.qos, status.retain) == (b"{}", 0, True)


def test_a_statement_that_waited_at_the_broker_is_reported_behind_link_up():
    box = drained(100)
    box.cut()
    box.broker.outgoing.append((ACK, statement(100, bytes(8))))
    box.run(1000)
    assert box.reports == 2 * [LINK_UP, DELIVERED]


def test_user_password_and_client_id_from_the_configuration():
    box = World(MemoryLedger(), user="u", password="secret", client_id="c")
    box.run(500)
    (hello,) = box.broker.connects
    assert (hello.client_id, hello.user, hello.password) == ("c", "u", b"secret")


def test_the_status_goes_out_at_most_once_a_second():
    box = drained(1)
    before = len(box.broker.publishes)
    for _ in range(500):
        box.publisher.status_wanted = True
        box.run(10)
    assert 4 <= len(box.broker.publishes) - before <= 6


def test_a_status_that_is_too_long_is_left_out():
    box = drained(1)
    before = len(box.broker.publishes)
    for length, sent in ((2049, 0), (2048, 1)):
        box.publisher.status = lambda: b"x" * length  # noqa: B023
        box.publisher.status_wanted = True
        box.run(2000)
        assert len(box.broker.publishes) - before == sent
    assert box.publisher.too_long == 1


def test_farewell():
    box = drained(1)
    assert box.publisher.farewell()
    box.run(100)
    assert box.broker.status == b'{"online":false}'
    assert box.broker.stream.packets[-1].kind == "DISCONNECT"
    assert not box.publisher.farewell()


def test_a_record_is_on_its_way_as_soon_as_it_is_written():
    box = drained(1)
    box.ledger.write()
    box.run(5 + box.delay_ms)
    assert box.operator.stand == 2


# --- the operator's statements ---


def test_without_an_operator_the_box_does_not_spin():
    box = world(100)
    box.operator.running = False
    box.run(10_000)
    sent = box.broker.stream.packets[:]
    assert len(box.broker.operator_queue) == 4
    box.step_ms = 500
    box.publisher.session.keep_alive_ms = 10 * HOUR_MS
    box.run(24 * HOUR_MS)
    again = [packet for packet in box.broker.publishes if packet.qos][4:]
    # after 1, 2, 4 ... 32 minutes, then once an hour, one message
    assert 25 <= len(again) <= 29
    assert {packet.payload for packet in again} == {box.broker.publishes[1].payload}
    assert len(sent) < 20
    assert box.errors == []
    box.step_ms = 5
    box.operator.restart(box.now)
    assert box.run(5_000, lambda: box.delivered)
    box.check()


def test_a_broker_that_forgot_its_queue_while_the_operator_was_away():
    box = world(500)
    box.operator.running = False
    box.run(3000)
    box.broker.operator_queue.clear()
    box.operator.restart(box.now)
    assert box.run(6000, lambda: box.delivered)
    assert box.publisher.rewinds == 1
    assert box.operator.duplicates == 0


def test_a_hole_makes_the_operator_ask():
    box = world(100)
    box.broker.queue_limit = 2
    box.operator.running = False
    box.run(3000)
    box.broker.queue_limit = 100
    box.operator.running = True  # without a statement of its own
    box.run(1000)
    assert box.operator.stand == 64
    box.ledger.write()
    assert box.run(6000, lambda: box.delivered)
    assert box.operator.holes > 0
    assert box.publisher.rewinds == 1


def test_silence_is_broken_after_a_minute_and_the_answer_tells_what_is_missing():
    """The broker has lost everything, and nobody knows."""
    box = world(500)
    box.operator.running = False
    box.run(3000)
    box.broker.operator_queue.clear()
    box.operator.running = True
    assert not box.run(55_000, lambda: box.operator.stand)
    assert box.run(10_000, lambda: box.delivered)
    assert box.publisher.probes == 1
    assert box.publisher.rewinds == 0
    assert box.operator.duplicates == 0


def test_when_only_the_statement_was_lost_nothing_but_one_message_is_repeated():
    box = drained(500)
    box.ledger.write(100)
    box.broker.subscriptions.clear()
    box.run(3000)
    assert box.operator.stand == 600
    assert box.ledger.acknowledged == 500
    box.broker.subscriptions.add(ACK)
    assert box.run(MINUTE_MS, lambda: box.delivered)
    assert box.publisher.probes == 1
    assert 1 <= box.operator.duplicates <= 32
    box.run(10 * MINUTE_MS)
    assert box.operator.duplicates <= 32


def test_an_operator_restored_from_an_older_copy_gets_what_it_lacks():
    box = drained(500)
    del box.operator.stored[200:]
    box.operator.restart(box.now)
    assert box.run(6000, lambda: box.operator.stand == 500)
    box.check()
    assert box.ledger.acknowledged == 500


def test_an_operator_restored_from_a_copy_that_is_too_old_gets_what_the_box_still_has():
    box = drained(500)
    box.ledger.forget(300)
    del box.operator.stored[200:]
    box.operator.restart(box.now)
    box.run(20_000)
    assert box.operator.stand == 200
    assert box.operator.holes > 0
    repeated = [packet for packet in box.broker.publishes if packet.qos][16:]
    assert repeated[0].payload[2:6] == (301).to_bytes(4, "little")
    box.step_ms = 200
    box.operator.slow_ms = 1000
    before = len(box.broker.publishes)
    box.run(24 * HOUR_MS)
    # it keeps asking at its own pace, once an hour in the end
    assert len(box.broker.publishes) - before < 40 * 8


def test_statements_from_before_the_session_was_lost_shorten_the_repetition():
    box = drained(500)
    box.ledger.write(400)
    box.broker.subscriptions.clear()
    box.run(1000)
    box.broker.subscriptions = None
    box.cut()
    box.run(300)
    assert box.run(3000, lambda: box.delivered)
    assert box.operator.duplicates <= 400
    assert box.publisher.probes == box.publisher.rewinds == 0


def test_an_old_statement_redelivered_or_retained_is_no_question():
    box = drained(500)
    old = statement(100, bytes(8))
    for flags in (10, 3):
        box.publisher.on_publish(ACK.encode(), memoryview(old), flags, box.now)
    box.run(10_000)
    assert box.operator.duplicates == 0


def test_statements_that_overtake_a_question_answer_it():
    box = drained(500)
    box.broker.publish(ACK, statement(100, bytes(8)))
    box.broker.publish(ACK, statement(500, bytes(8)))
    box.run(10_000)
    assert box.operator.duplicates == 0


def test_questions_without_end_are_answered_ever_more_rarely():
    box = drained(320)
    box.operator.running = False
    sent = len(box.broker.publishes)
    box.step_ms = 50
    for _ in range(2 * 3600):
        box.broker.publish(ACK, statement(0, bytes(8)))
        box.run(1000)
    assert box.publisher.rewinds <= 12
    assert len(box.broker.publishes) - sent <= 12 * 10


@pytest.mark.parametrize(
    "payload",
    [
        b"",
        bytes(20),
        statement(100, bytes(8))[:19],
        statement(100, bytes(8)) + b"x",
        statement(100, bytes(8), key=KEY + b"?"),
        statement(100_000, bytes(8)),
        b"x" * 100,
    ],
)
def test_what_is_not_the_operators_statement_has_no_effect(payload):
    box = world(100)
    box.operator.running = False
    box.run(1000)
    box.broker.publish(ACK, payload)
    box.run(1000)
    assert box.publisher.refused == 1
    assert box.ledger.acknowledged == 0
    assert DELIVERED not in box.reports
    assert box.errors == []


def test_other_topics_and_commands_without_a_handler_are_counted():
    box = drained(1)
    box.broker.subscriptions.add("something/else")
    box.broker.publish("something/else", b"x")
    box.broker.publish(f"wallbox/{SERIAL}/command", b"{}")
    box.run(100)
    assert box.publisher.ignored == 2
    commands: list[bytes] = []
    box.publisher.on_command = lambda payload, flags: commands.append(bytes(payload))
    box.broker.publish(f"wallbox/{SERIAL}/command", b"{}")
    box.run(100)
    assert commands == [b"{}"]


def test_what_is_offered_goes_out_in_its_order_as_far_as_there_is_room():
    box = drained(1)
    topics = (box.publisher.reply_topic, box.publisher.trace_topic)
    pieces = [b"%d" % number * 1024 for number in range(5)]

    def stream(buf):
        piece = pieces.pop(0) if pieces else b""
        buf[: len(piece)] = piece
        return len(piece)

    replies = [b"an answer", b""]

    def answer(buf):
        text = replies.pop(0)
        buf[: len(text)] = text
        return len(text)

    assert box.publisher.offer(topics[1], stream)
    assert box.publisher.offer(topics[0], answer)
    assert box.publisher.offer(topics[0], lambda buf: 0)
    assert box.publisher.offer(topics[0], lambda buf: 0)
    for _ in range(4):
        assert box.publisher.offer(topics[0], lambda buf: 0)
    assert not box.publisher.offer(topics[0], answer), "too many wait"
    box.run(2000)
    order = [p.topic.split("/")[-1] for p in box.broker.publishes]
    assert order.index("reply") < order.index("trace") + 2, "an answer waits for no trace"
    said = [packet for packet in box.broker.publishes if packet.topic.endswith("/trace")]
    assert [packet.payload for packet in said] == [b"%d" % n * 1024 for n in range(5)]
    answers = [packet for packet in box.broker.publishes if packet.topic.endswith("/reply")]
    assert [packet.payload for packet in answers] == [b"an answer"]
    assert box.publisher.offers == []


def test_a_reconnection_with_nothing_to_deliver_is_delivered_too():
    box = drained(50)
    reports = len(box.reports)
    box.cut()
    box.run(20_000)
    assert box.reports[reports:] == [LINK_UP, DELIVERED]
    assert box.operator.duplicates == 1
