"""The link on the real interpreter against real brokers: nothing lost, nothing out of order.

The box is tests/link_box.py on MicroPython with the heap of an ESP32 that has grown once. Its
ledger lies in a file; what the operator stored is compared with it byte by byte.
"""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

from sqlalchemy import select
from wallbox import link as codes

from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database, records
from host.keys import KeyStore
from tests.link_fixtures import delivered, lazy, make_box, operator, proxy  # noqa: F401
from tests.link_peers import KEY, SERIAL, PahoOperator
from tests.mosquitto import wait_until


def test_thousands_of_records_once_and_in_order(make_box, proxy, operator):
    box = make_box(proxy.port).start(write=5000)
    operator.wait(5000)
    delivered(box, operator)
    assert operator.duplicates == operator.holes == 0
    assert box.reports == [codes.LINK_UP, codes.DELIVERED]
    assert all(packet.size < 1200 for packet in proxy.publishes)
    assert sum(packet.qos for packet in proxy.publishes) < 5000 // 32 + 10


def test_one_record_a_message_and_new_ones_while_connected(make_box, mosquitto, operator):
    box = make_box(mosquitto.port, payload_limit=32).start(write=300)
    operator.wait(300)
    for _ in range(5):
        box.tell("write 1")
    operator.wait(305)
    assert operator.messages >= 305
    delivered(box, operator)
    assert operator.duplicates == 0


def test_the_status_is_retained_and_the_will_replaces_it(make_box, mosquitto, operator):
    box = make_box(mosquitto.port).start()
    wait_until(lambda: operator.statuses, what="status")
    assert operator.statuses[-1].startswith(b'{"online": true')
    box.tell("write 3")
    box.tell("status")
    wait_until(lambda: len(operator.statuses) > 1, what="second status")
    assert operator.statuses[-1] != operator.statuses[0]
    box.kill()
    wait_until(lambda: operator.statuses[-1] == b'{"online":false}', what="last will")


def test_an_orderly_end_says_goodbye(make_box, mosquitto, operator):
    box = make_box(mosquitto.port).start(write=10)
    operator.wait(10)
    box.stop()
    wait_until(lambda: operator.statuses[-1] == b'{"online":false}', what="goodbye")
    wait_until(
        lambda: f"Client {SERIAL} disconnected." in mosquitto.log_path.read_text(),
        what="the broker's line about it",
    )


def test_a_flash_that_fails_is_no_lost_connection_and_nothing_is_lost(
    make_box, mosquitto, operator
):
    box = make_box(mosquitto.port).start(write=10)
    operator.wait(10)
    box.tell("flash bad")
    box.tell("write 3")
    box.wait_report(codes.STORE_FAILED)
    assert "store: [Errno 5] EIO" in [line.get("text") for line in box.lines]
    box.tell("flash good")
    operator.wait(13)
    delivered(box, operator)
    assert codes.LOST not in box.reports


# --- the broker goes away ---


def test_the_broker_is_killed_in_mid_drain(make_box, mosquitto, operator):
    box = make_box(mosquitto.port, payload_limit=32, window_messages=8).start(write=4000)
    for part in (500, 1500, 2500):
        operator.wait(part)
        mosquitto.kill()
        box.wait_report(codes.NO_BROKER, since=len(box.reports) - 1)
        mosquitto.start()
    operator.wait(4000)
    delivered(box, operator)
    assert operator.duplicates < 3 * 4000


def test_the_broker_is_stopped_and_keeps_its_sessions(make_box, mosquitto, operator):
    box = make_box(mosquitto.port, payload_limit=32, window_messages=8).start(write=3000)
    for part in (500, 1500):
        operator.wait(part)
        mosquitto.restart()
    operator.wait(3000)
    delivered(box, operator)


def test_the_power_is_cut_in_mid_drain(make_box, mosquitto, operator):
    box = make_box(mosquitto.port, payload_limit=32, window_messages=8).start(write=3000)
    for part in (500, 1500):
        operator.wait(part)
        box.kill()
        box.start(write=10)
    operator.wait(3020)
    delivered(box, operator)


def test_the_operator_is_away_and_comes_back(make_box, mosquitto):
    """Without a session of the operator at the broker everything that was sent is gone."""
    box = make_box(mosquitto.port).start(write=1000)
    wait_until(lambda: box.state()["pubacks"] >= 5, what="PUBACKs")
    assert box.state()["acknowledged"] == 0
    operator = PahoOperator(mosquitto.port)
    try:
        operator.wait(1000)
        delivered(box, operator)
    finally:
        operator.close()
    assert operator.duplicates == 0


def test_with_the_collector_through_a_killed_broker_and_a_power_cut(
    make_box, lazy, mosquitto, tmp_path
):
    (tmp_path / "keys").mkdir(mode=0o700)
    keys = KeyStore(tmp_path / "keys")
    keys.create(SERIAL, KEY)
    database = Database(tmp_path / "collector.db", create=True)
    settings = BrokerSettings("127.0.0.1", mosquitto.port)

    def stored() -> list[bytes]:
        with database.reading() as connection:
            query = select(records.c.data).order_by(records.c.sequence)
            return list(connection.execute(query).scalars())

    with Collector(settings, database, keys, lambda notice: None, retry_s=0.1):
        box = make_box(mosquitto.port, payload_limit=100, window_messages=8).start(write=2000)
        wait_until(lambda: len(stored()) > 300, what="some records")
        mosquitto.kill()
        mosquitto.start()
        wait_until(lambda: len(stored()) > 900, 30, what="more records")
        box.kill()
        box.start(write=10)

        def done() -> bool:
            state = box.state()
            return state["next"] > 2010 and state["acknowledged"] == state["next"] - 1

        wait_until(done, 30, what="delivery")
        box.stop()
    assert stored() == box.records()
    database.close()
