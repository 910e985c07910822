"""The link on the real interpreter against three brokers: C, Python and Rust.

mosquitto over TLS: test_link_tls.py and test_broker_files.py. rumqttd comes with iotcore, which
runs it in a process of its own.
"""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import pytest
from paho.mqtt import subscribe
from wallbox import link as codes

from hw.sim.broker import Amqtt
from hw.sim.ports import free_port
from tests.link_fixtures import delivered, make_box  # noqa: F401
from tests.link_peers import SERIAL, PahoOperator
from tests.mosquitto import wait_until
from tests.tcp_proxy import Proxy

CONNACK, PUBACK = 0x20, 0x40


@pytest.fixture(params=["mosquitto", "amqtt", "rumqttd"])
def port(request):
    """Of a broker that runs while the test does."""
    if request.param == "mosquitto":
        yield request.getfixturevalue("mosquitto").port
    elif request.param == "amqtt":
        broker = Amqtt()
        broker.start()
        yield broker.port
        broker.stop()
    else:
        from iotcore import Broker

        with Broker(port=free_port(), listen="127.0.0.1") as broker:
            yield broker.port


@pytest.fixture
def operator(port):
    made = PahoOperator(port)
    yield made
    made.close()


@pytest.fixture
def line(port):
    """The line to the broker; what the box sends over it is decoded."""
    with Proxy(port) as made:
        yield made
        made.check()


def test_every_record_arrives_once_and_the_box_hears_of_it(make_box, operator, line):
    box = make_box(line.port).start(write=2000)
    operator.wait(2000)
    delivered(box, operator)
    assert operator.duplicates == operator.holes == 0
    assert box.reports == [codes.LINK_UP, codes.DELIVERED]


def test_a_session_is_resumed_with_the_same_packet_ids(make_box, operator, line):
    """Between `held` and its end the broker has the messages, and the box does not know."""
    held: list[int] = []
    present: list[int] = []
    holding = False

    def keep_back(packet: bytes) -> bool:
        if packet[0] == CONNACK:
            present.append(packet[2])
        if packet[0] == PUBACK and holding:
            held.append(int.from_bytes(packet[2:4], "big"))
            return True
        return False

    line.keep_back = keep_back
    box = make_box(line.port, payload_limit=64).start(write=10)
    box.wait_report(codes.DELIVERED)
    wait_until(lambda: box.state()["acknowledged"] == 10, what="the first ten")
    holding = True
    box.tell("write 6")
    wait_until(lambda: len(held) >= 3, what="PUBACKs to hold back")
    holding = False
    line.cut()
    box.wait_report(codes.DELIVERED, since=3)
    again = [packet for packet in line.publishes if packet.dup]
    assert present[:2] == [0, 1]
    assert [packet.packet_id for packet in again] == held
    first = {packet.packet_id: packet.payload for packet in line.publishes if not packet.dup}
    assert [packet.payload for packet in again] == [first[number] for number in held]
    operator.wait(16)
    delivered(box, operator)


def test_the_status_is_retained_and_the_last_will_takes_its_place(make_box, port, operator):
    box = make_box(port).start()
    wait_until(lambda: operator.statuses, what="status")
    assert operator.statuses[-1].startswith(b'{"online": true')
    box.kill()
    wait_until(lambda: operator.statuses[-1] == b'{"online":false}', what="last will")
    message = subscribe.simple(
        f"wallbox/{SERIAL}/status", qos=1, port=port, hostname="127.0.0.1", client_id="late"
    )
    assert (message.payload, message.retain) == (b'{"online":false}', True)
