"""The link on the real interpreter: bad networks, silent and hostile brokers, the causes told."""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import contextlib
import random
import socket
import threading

import pytest
from wallbox import link as codes

from tests.link_fixtures import delivered, lazy, make_box, operator, proxy  # noqa: F401
from tests.link_peers import SERIAL, PahoOperator
from tests.mosquitto import wait_until


def test_a_swallowed_puback_drops_the_connection_and_the_session_resumes(
    make_box, proxy, operator
):
    kept: list[int] = []

    def keep_back(packet: bytes) -> bool:
        if packet[0] == 0x40 and not kept and len(operator.stored) >= 100:
            kept.append(int.from_bytes(packet[2:4], "big"))
            return True
        return False

    proxy.keep_back = keep_back
    box = make_box(proxy.port, payload_limit=32, window_messages=8).start(write=1000)
    box.wait_report(codes.LATE_ACK)
    operator.wait(1000)
    delivered(box, operator)
    again = [packet for packet in proxy.publishes if packet.dup]
    assert again[0].packet_id == kept[0]
    first = next(packet for packet in proxy.publishes if packet.packet_id == kept[0])
    assert again[0].payload == first.payload
    assert operator.duplicates == len(again) <= 8
    assert proxy.connections == 2


def test_connections_cut_at_many_bytes(make_box, proxy, operator, seed):
    draw = random.Random(seed)
    cuts = [(draw.randrange(3000), None) for _ in range(25)]
    cuts += [(None, draw.randrange(60)) for _ in range(15)]
    draw.shuffle(cuts)
    proxy.plan = lambda number: cuts[number - 1] if number <= len(cuts) else (None, None)
    box = make_box(
        proxy.port, payload_limit=200, window_messages=4, backoff_min_ms=10, backoff_max_ms=20
    ).start(write=8000)
    operator.wait(8000)
    delivered(box, operator)
    assert proxy.connections > 40
    assert operator.duplicates <= 40 * 4 * 25


def test_a_black_hole_is_noticed(make_box, proxy, operator):
    box = make_box(proxy.port, keep_alive_s=5).start(write=50)
    operator.wait(50)
    proxy.black_hole = True
    box.tell("write 5")
    box.wait_report(codes.LATE_ACK)
    proxy.black_hole = False
    proxy.cut()
    operator.wait(55)
    delivered(box, operator)


def test_a_broker_that_falls_silent_is_noticed_while_idle(make_box, mosquitto):
    box = make_box(mosquitto.port, keep_alive_s=5).start()
    box.wait_report(codes.LINK_UP)
    mosquitto.pause()
    box.wait_report(codes.LATE_ACK)
    mosquitto.resume()
    box.wait_report(codes.LINK_UP, since=2)


def test_wifi_goes_and_comes_back(make_box, mosquitto, operator):
    box = make_box(mosquitto.port).start(write=10)
    box.wait_report(codes.DELIVERED)
    box.tell("network down")
    box.wait_report(codes.NO_WIFI)
    box.tell("write 5")
    box.tell("network up")
    operator.wait(15)
    box.wait_report(codes.DELIVERED, since=3)
    assert box.reports == [
        codes.LINK_UP,
        codes.DELIVERED,
        codes.NO_WIFI,
        codes.LINK_UP,
        codes.DELIVERED,
    ]
    delivered(box, operator)


def test_the_first_publish_after_a_cut_is_soon(make_box, proxy, operator):
    box = make_box(proxy.port).start(write=10)
    operator.wait(10)
    box.wait_report(codes.DELIVERED)
    waits = []
    for number in range(10):
        since, reports = len(box.lines), len(box.reports)
        proxy.cut()
        box.wait_report(codes.LINK_UP, since=reports)
        lost, up = [line["ms"] for line in box.lines[since:] if "report" in line][:2]
        waits.append(up - lost)
        box.tell("write 1")
        operator.wait(11 + number)
        box.wait_report(codes.DELIVERED, since=reports)
    assert sorted(waits)[-2] < 500
    delivered(box, operator)


# --- causes ---


def test_a_wrong_password(make_box, mosquitto):
    mosquitto.reconfigure(users={SERIAL: "right"})
    box = make_box(mosquitto.port, password="wrong").start(write=1)
    box.wait_report(codes.REFUSED)
    assert box.state()["detail"] == "5"
    box.kill()
    box = make_box(mosquitto.port, password="right").start()
    box.wait_report(codes.LINK_UP)


def test_connected_is_not_delivered(make_box, mosquitto):
    """mosquitto accepts a subscription that its ACL forbids, and then sends nothing."""
    mosquitto.reconfigure(
        users={SERIAL: "x", "operator": "y"},
        acl=["user operator", "topic readwrite #", "pattern write wallbox/%u/#"],
    )
    operator = PahoOperator(mosquitto.port, "operator", "y")
    box = make_box(mosquitto.port, password="x").start(write=10)
    operator.wait(10)
    before = operator.statements
    operator.state()
    wait_until(lambda: operator.statements > before, what="a statement")
    assert box.reports == [codes.LINK_UP]
    operator.close()


def test_nobody_listens_and_then_somebody_does(make_box, mosquitto):
    mosquitto.stop()
    box = make_box(mosquitto.port).start()
    box.wait_report(codes.NO_BROKER)
    mosquitto.start()
    box.wait_report(codes.LINK_UP)
    assert box.reports == [codes.NO_BROKER, codes.LINK_UP]


def test_a_name_without_an_address(make_box):
    box = make_box(1883, host="broker.invalid").start()
    box.wait_report(codes.NO_ADDRESS)


@contextlib.contextmanager
def server(answer: bytes):
    """Says `answer` to whoever connects and has said something."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(0.1)
        stop = threading.Event()

        def serve() -> None:
            while not stop.is_set():
                with contextlib.suppress(OSError):
                    with listener.accept()[0] as client:
                        client.recv(1000)
                        client.sendall(answer)
                        if answer:
                            client.recv(1000)

        thread = threading.Thread(target=serve)
        thread.start()
        try:
            yield listener.getsockname()[1]
        finally:
            stop.set()
            thread.join()


@pytest.mark.parametrize(
    ("answer", "code", "detail"),
    [
        (b"\x20\x02\x00\x01", codes.REFUSED, "1"),
        (b"\x20\x02\x00\x02", codes.REFUSED, "2"),
        (b"\x20\x02\x00\x03", codes.REFUSED, "3"),
        (b"\x20\x02\x00\x04", codes.REFUSED, "4"),
        (b"HTTP/1.1 400 Bad Request\r\n\r\n", codes.MALFORMED, "packet type"),
        (b"\x20\x02\x00\x00\x90\x04\x00\x01\x01\x80", codes.REFUSED, "128"),
        (b"\x20\x02\x00\x00\x40\x02\x00\x00", codes.MALFORMED, "packet id"),
        (b"", codes.LOST, "closed"),
    ],
)
def test_a_broker_that_misbehaves(make_box, answer, code, detail):
    with server(answer) as port:
        box = make_box(port).start()
        box.wait_report(code)
        assert box.state()["detail"] == detail
        box.kill()
