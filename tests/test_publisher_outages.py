"""Outages of every kind in simulated time: nothing is lost, and little is sent twice."""

from __future__ import annotations

import random

import pytest
from wallbox.link import LATE_ACK

from tests.link_world import drained, faults, world

MINUTE_MS = 60_000


def test_a_swallowed_puback_costs_a_second_and_at_most_the_window():
    box = drained(1)
    swallowed: list[int] = []

    def puback(packet_id: int) -> bool:
        if not swallowed:
            swallowed.append(packet_id)
            return False
        return True

    box.broker.puback = puback
    began = box.now
    box.ledger.write(1000)
    assert box.run(10_000, lambda: box.errors)
    assert box.errors == [(LATE_ACK, "PUBACK")]
    assert box.now - began < 1100
    box.run(1000)
    assert box.delivered
    resent = [packet for packet in box.broker.publishes if packet.dup]
    assert resent[0].packet_id == swallowed[0]
    assert box.session.resent <= 64
    assert box.publisher.rewinds == box.publisher.probes == 0


def test_held_and_swapped_pubacks():
    box = world(2000, payload_limit=64)
    held: list[int] = []

    def puback(packet_id: int) -> bool:
        held.append(packet_id)
        if len(held) == 7:
            for number in reversed(held):
                box.broker.send_puback(number)
            held.clear()
        return False

    box.broker.puback = puback
    box.run(3000)
    box.broker.puback = lambda packet_id: True
    assert box.run(20_000, lambda: box.delivered)
    box.check()


def test_a_black_hole_is_noticed_and_mended():
    box = drained(100, keep_alive_s=30)
    box.network = False
    box.run(16_000 + 1100)
    assert [error[0] for error in box.errors] == [LATE_ACK]
    box.ledger.write(100)
    box.network = True
    assert box.run(2000, lambda: box.delivered)
    box.check()


def test_the_connection_is_cut_at_every_byte_to_the_broker():
    whole = world(40, payload_limit=256, window_messages=3)
    assert whole.run(5000, lambda: whole.delivered)
    whole.run(1000)
    assert whole.bytes_to_broker > 1500
    for at in range(whole.bytes_to_broker):
        box = world(40, payload_limit=256, window_messages=3)
        box.cut_to_broker_at = at
        assert box.run(8000, lambda: box.delivered), at  # noqa: B023
        box.check()
        assert box.operator.duplicates <= 3 * 8
        assert len(box.broker.connects) in (1, 2)


def test_the_connection_is_cut_at_every_byte_to_the_box():
    whole = world(40, payload_limit=256, window_messages=3)
    assert whole.run(5000, lambda: whole.delivered)
    whole.run(1000)
    for at in range(whole.bytes_to_box):
        box = world(40, payload_limit=256, window_messages=3)
        box.cut_to_box_at = at
        # cut behind the last statement but before its PUBACK, nothing is left to do
        assert box.run(8000, lambda: box.delivered), at  # noqa: B023
        box.check()
        assert box.operator.duplicates <= 3 * 8
        assert box.publisher.rewinds == box.publisher.probes == 0


@pytest.mark.parametrize("number", range(40))
def test_random_misfortunes_lose_nothing(number):
    draw = random.Random(number)
    box = world(300, delay_ms=draw.choice((5, 20, 60)), window_messages=draw.choice((4, 64)))
    for _ in range(40):
        box.run(draw.choice((50, 300, 1500, 8000)))
        faults(box, draw)
        box.ledger.write(draw.choice((0, 1, 40)))
        if draw.random() < 0.3:
            box.ledger.forget(min(box.ledger.acknowledged, box.session.base))
    box.network = True
    box.operator.restart(box.now)
    box.step_ms = 10
    assert box.run(3 * MINUTE_MS, lambda: box.delivered)
    box.check()
    written = box.ledger.next_sequence - 1
    assert box.operator.duplicates < 45 * written
    # and then there is peace
    box.run(5000)
    before = len(box.broker.publishes)
    box.run(5 * MINUTE_MS)
    assert len(box.broker.publishes) == before
