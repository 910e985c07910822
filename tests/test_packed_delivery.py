"""Packed messages between box and operator: when they are used, repeated, refused."""

import random

import pytest
from sqlalchemy import select

from host.collect.database import Database, quarantine, records
from host.collect.keeper import Keeper, Message
from host.keys import KeyStore
from host.records import acknowledgement
from tests.boxes import Ledger
from tests.link_world import World, faults, intervals
from tests.test_packed import Store, sent

MINUTE_MS = 60_000
SERIAL = "WB-000001"


def ledger_messages(box):
    return [packet.payload for packet in box.broker.publishes if packet.qos]


def test_a_backlog_of_intervals_goes_packed_and_a_lone_record_whole():
    box = World(intervals(2000), packed=True)
    assert box.run(MINUTE_MS, lambda: box.delivered)
    box.check()
    found = ledger_messages(box)
    assert {payload[0] for payload in found} == {1}
    assert sum(map(len, found)) < 2000 * 48 // 3
    assert box.publisher.rewinds == 0

    one = World(intervals(1), packed=True)
    assert one.run(MINUTE_MS, lambda: one.delivered)
    assert ledger_messages(one) == [one.ledger.records[1]]


def test_packed_messages_are_repeated_with_the_same_bytes():
    box = World(intervals(2000), delay_ms=50, packed=True)
    assert box.run(MINUTE_MS, lambda: len(ledger_messages(box)) > 3)
    box.run(25)
    box.cut()
    assert box.run(MINUTE_MS, lambda: box.delivered)
    box.check()
    again = [packet for packet in box.broker.publishes if packet.dup]
    assert again
    for packet in again:
        assert packet.payload[0] == 1
        assert ledger_messages(box).count(packet.payload) == 2


def test_an_operator_that_cannot_unpack_gets_whole_records():
    box = World(intervals(2000), packed=True)
    box.operator.unpacks = False
    assert box.run(2 * MINUTE_MS, lambda: box.delivered)
    box.check()
    found = ledger_messages(box)
    last_packed = max(number for number, payload in enumerate(found) if payload[0] == 1)
    assert last_packed < len(found) - 1


@pytest.mark.parametrize("number", range(15))
def test_random_misfortunes_in_the_middle_of_a_message_lose_nothing(number):
    draw = random.Random(number)
    box = World(intervals(1500), delay_ms=draw.choice((5, 20, 60)), packed=True)
    box.slow = True
    box.publisher.status = lambda: b"{}" * 500  # lies where a message was begun
    for _ in range(30):
        box.run(draw.choice((10, 50, 300, 1500)))
        if draw.random() < 0.5:
            faults(box, draw)
        box.publisher.status_wanted = True
        box.ledger.write(draw.choice((0, 1, 200)))
    box.network = True
    box.operator.restart(box.now)
    assert box.run(4 * MINUTE_MS, lambda: box.delivered)
    box.check()
    assert any(payload[0] == 1 for payload in ledger_messages(box))


def keeper(directory):
    (directory / "keys").mkdir(mode=0o700)
    keys = KeyStore(directory / "keys")
    keys.create(SERIAL, bytes(range(32)))
    return Keeper(Database(directory / "collector.db", create=True), keys)


def rows(keeper, *columns):
    with keeper._database.reading() as connection:
        return [tuple(row) for row in connection.execute(select(*columns))]


def test_the_operator_stores_the_bytes_of_the_box(tmp_path):
    box = Ledger(bytes(range(32)))
    made = box.registers(300)
    found = keeper(tmp_path)
    packed = [message for *_, message, _ in sent(Store(made), 1024)]
    assert all(message[0] == 1 for message in packed)
    kept = found.keep(Message(f"wallbox/{SERIAL}/ledger", message) for message in packed)
    assert rows(found, records.c.sequence, records.c.data) == list(enumerate(made, 1))
    assert kept.acknowledgements[SERIAL] == acknowledgement(box.key, 300, made[-1][-8:])
    assert kept.notices == []


def test_what_its_last_mac_does_not_prove_is_put_aside_and_asked_for(tmp_path):
    box = Ledger(bytes(range(32)))
    made = box.registers(20)
    found = keeper(tmp_path)
    ((*_, message, _),) = sent(Store(made[:10]), 1024)
    broken = message[:-1] + bytes((message[-1] ^ 1,))
    kept = found.keep([Message(f"wallbox/{SERIAL}/ledger", broken)])
    assert rows(found, records.c.sequence) == []
    assert rows(found, quarantine.c.reason, quarantine.c.data) == [("packed", broken)]
    assert kept.acknowledgements[SERIAL][:4] == bytes(4)
    (notice,) = kept.notices
    assert (notice.level, notice.code) == ("alarm", "packed")
    found.keep([Message(f"wallbox/{SERIAL}/ledger", b"".join(made))])
    assert len(rows(found, records.c.sequence)) == 20
