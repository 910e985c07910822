"""The mosquitto files that are shipped: a box reaches its own topics alone, whoever it says it is.

A box is honest (tests/link_box.py on MicroPython), or a client with a box's certificate that tries
everything.
"""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from wallbox import link as codes

from tests.conftest import NO_MOSQUITTO
from tests.interpreter import ROOT
from tests.link_fixtures import make_box  # noqa: F401
from tests.link_peers import SERIAL, PahoOperator
from tests.mosquitto import mosquitto_path, wait_until
from tests.shipped_broker import CERTIFICATE, OPERATOR, PSK, Client, ShippedBroker

OTHER = "WB000002"
JOBS = ("ledger", "status", "reply", "trace", "ack", "command")
FROM_BOX, TO_BOX = JOBS[:4], JOBS[4:]
END = b"end"


@pytest.fixture
def broker(tmp_path):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    made = ShippedBroker(tmp_path / "broker", {SERIAL: "11" * 32, OTHER: "22" * 32})
    made.start()
    yield made
    made.stop()


@pytest.fixture
def connect(broker):
    """Connects a paho client: connect(name, listener, client_id)."""
    clients: list[Client] = []

    def start(name: str, listener: str = CERTIFICATE, client_id: str = "") -> Client:
        clients.append(Client(broker, name, listener, client_id))
        return clients[-1]

    yield start
    for client in clients:
        client.close()


@pytest.fixture
def operator(broker):
    certificate, key = broker.authority.issue("operator")
    made = PahoOperator(
        broker.ports[OPERATOR], tls=(broker.authority.ca_file, certificate, key)
    )
    yield made
    made.close()


def topics(serial: str, jobs: tuple[str, ...] = JOBS) -> list[str]:
    return [f"wallbox/{serial}/{job}" for job in jobs]


def everything(clients: list[Client]) -> list[str]:
    names = [client.name for client in clients]
    return [topic for name in names for topic in topics(name)] + ["wallbox", "other"]


def test_who_may_write_and_read_what(connect):
    """Everybody writes everywhere and reads everything; what arrives is what was allowed."""
    operator = connect("operator", OPERATOR)
    a, b, stranger = connect(SERIAL), connect(OTHER), connect("stranger")
    clients = [operator, a, b, stranger]
    places = everything(clients)
    for client in clients:
        client.subscribe("#", *places)
    for client in clients:
        for place in places:
            client.attempt(place, client.name.encode())
    # the broker handles each client's messages in their order, so this comes last
    for box in (a, b, stranger):
        box.publish(f"wallbox/{box.name}/status", payload=END)
        operator.publish(f"wallbox/{box.name}/ack", payload=END)
        wait_until(lambda: (f"wallbox/{box.name}/ack", END) in box.got, what=box.name)  # noqa: B023
        wait_until(
            lambda: (f"wallbox/{box.name}/status", END) in operator.got,  # noqa: B023
            what="operator",
        )

    def got(client: Client) -> set[tuple[str, bytes]]:
        return {message for message in client.got if message[1] != END}

    for box in (a, b, stranger):
        assert got(box) == {(topic, b"operator") for topic in topics(box.name, TO_BOX)}
    # it is a box too, to the patterns; nobody else hears of that
    own = {(topic, b"operator") for topic in topics("operator", FROM_BOX + TO_BOX)}
    told = {
        (topic, box.name.encode())
        for box in (a, b, stranger)
        for topic in topics(box.name, FROM_BOX)
    }
    assert got(operator) - own == told


@pytest.mark.parametrize("name", ["+", "#", "WB000001/ack", "+/ledger"])
def test_a_name_made_of_wildcards_opens_nothing(connect, name):
    operator, honest = connect("operator", OPERATOR), connect(SERIAL)
    sly = connect(name, client_id="sly")
    sly.subscribe("#", *topics(SERIAL))
    honest.subscribe(*topics(SERIAL, TO_BOX))
    operator.subscribe("wallbox/+/ledger")
    before = operator.connections + honest.connections
    for topic in topics(SERIAL):
        sly.attempt(topic, b"sly")
    honest.publish(*topics(SERIAL, FROM_BOX), payload=END)
    operator.publish(*topics(SERIAL, TO_BOX), payload=END)
    wait_until(lambda: len(honest.got) >= 2 and operator.got, what="the honest messages")
    assert {payload for _, payload in honest.got + operator.got} == {END}
    assert sly.got == []
    assert operator.connections + honest.connections == before


@pytest.mark.parametrize("listener", [CERTIFICATE, PSK], ids=["certificate", "psk"])
def test_a_box_that_says_it_is_another_one_is_not_heard(make_box, broker, operator, listener):
    """mosquitto ends its connection at the first message that the ACL forbids."""
    box = make_box(**broker.credentials(listener, OTHER)).start(write=50)  # with SERIAL's topics
    box.wait_report(codes.LOST)
    before, since = operator.statements, len(box.reports)
    operator.state()
    wait_until(lambda: operator.statements > before, what="a statement for the other box")
    box.wait_report(codes.LOST, since=since + 1)
    assert codes.DELIVERED not in box.reports and box.state()["acknowledged"] == 0
    box.kill()  # its last will is the other's status
    assert operator.messages == 0 and operator.statuses == []


@pytest.mark.parametrize("listener", [CERTIFICATE, PSK], ids=["certificate", "psk"])
def test_a_box_that_is_what_it_says_delivers(make_box, broker, operator, listener):
    box = make_box(**broker.credentials(listener, SERIAL)).start(write=50)
    operator.wait(50)
    box.wait_report(codes.DELIVERED)
    wait_until(lambda: operator.statuses, what="its status")
    box.kill()
    wait_until(lambda: operator.statuses[-1] == b'{"online":false}', what="its last will")


def test_a_box_cannot_throw_out_another_one(connect):
    """Nor take its session over, with what is queued for it."""
    victim, operator = connect(SERIAL), connect("operator", OPERATOR)
    victim.subscribe(*topics(SERIAL, TO_BOX))
    thief = connect(OTHER, client_id=SERIAL)
    operator.publish(f"wallbox/{SERIAL}/command", payload=b"secret")
    wait_until(lambda: victim.got, what="the command")
    assert victim.connections == 1 and thief.got == []


def test_the_operators_programs_do_not_throw_each_other_out(connect):
    collector = connect("operator", OPERATOR, client_id="collector")
    connect("operator", OPERATOR, client_id="another")
    box = connect(SERIAL)
    collector.subscribe("wallbox/+/reply")
    box.publish(f"wallbox/{SERIAL}/reply", payload=b"done")
    wait_until(lambda: collector.got, what="the reply")
    assert collector.connections == 1


def refused(make_box: Callable, credentials: dict) -> None:
    box = make_box(**credentials).start()
    box.wait_report(codes.TLS_FAILED)
    assert codes.LINK_UP not in box.reports


def test_who_has_no_key_and_no_certificate_stays_outside(make_box, broker):
    refused(make_box, broker.credentials(PSK, "nobody"))
    credentials = broker.credentials(CERTIFICATE, SERIAL)
    del credentials["certificate"], credentials["key"]
    refused(make_box, credentials)


def test_the_page_tells_of_every_listener_and_topic_of_the_files():
    page = (ROOT / "docs" / "mqtt.md").read_text()
    conf = (ROOT / "host" / "broker" / "mosquitto.conf").read_text()
    acl = (ROOT / "host" / "broker" / "wallbox.acl").read_text()
    for word in re.findall(r"^listener (\d+)", conf, re.MULTILINE):
        assert word in page
    assert set(re.findall(r"wallbox/(?:%u|\+)/(\w+)", acl)) == set(JOBS)
