"""The link on the real interpreter against real brokers: nothing lost, nothing out of order.

The box is tests/link_box.py on MicroPython with the heap of an ESP32 that has grown once. Its
ledger lies in a file; what the operator stored is compared with it byte by byte.
"""

from __future__ import annotations

import asyncio
import contextlib
import datetime
import random
import socket
import threading
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from wallbox import link as codes

from tests.link_peers import SERIAL, LinkBox, PahoOperator
from tests.mosquitto import free_port, wait_until
from tests.tcp_proxy import Proxy


@pytest.fixture
def make_box(micropython, tmp_path):
    boxes = []

    def make(port: int, **config) -> LinkBox:
        config.setdefault("backoff_max_ms", 1000)
        box = LinkBox(micropython, tmp_path, port, **config)
        boxes.append(box)
        return box

    yield make
    for box in boxes:
        box.kill()


@pytest.fixture
def lazy(mosquitto):
    """The broker writes its state down now and then, not at every change."""
    mosquitto.reconfigure(lines=["autosave_on_changes false"])
    return mosquitto


@pytest.fixture
def operator(lazy, mosquitto):
    made = PahoOperator(mosquitto.port)
    yield made
    made.close()


@pytest.fixture
def proxy(mosquitto):
    with Proxy(mosquitto.port) as made:
        yield made
        made.check()


def delivered(box: LinkBox, operator: PahoOperator, timeout_s: float = 30.0) -> None:
    """Wait until the box knows that everything is stored; then compare with its flash."""
    state: dict = {}

    def done() -> bool:
        state.update(box.state())
        return state["acknowledged"] == state["next"] - 1

    wait_until(done, timeout_s, f"delivery; {state}, stored {len(operator.stored)}")
    box.stop()
    assert operator.stored == box.records()


# --- delivery ---


def test_thousands_of_records_once_and_in_order(make_box, proxy, operator):
    box = make_box(proxy.port).start(write=5000)
    operator.wait(5000)
    delivered(box, operator)
    assert operator.duplicates == operator.holes == 0
    assert box.reports == [codes.LINK_UP, codes.DELIVERED]
    assert all(packet.size < 1100 for packet in proxy.publishes)
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
    log = mosquitto.log_path.read_text()
    assert f"Client {SERIAL} disconnected." in log


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
    wait_until(lambda: box.state()["pubacks"] >= 32, what="PUBACKs")
    assert box.state()["acknowledged"] == 0
    operator = PahoOperator(mosquitto.port)
    try:
        operator.wait(1000)
        delivered(box, operator)
    finally:
        operator.close()
    assert operator.duplicates == 0


# --- the network ---


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
    ).start(write=4000)
    operator.wait(4000)
    delivered(box, operator)
    assert proxy.connections > 40
    assert operator.duplicates <= 40 * 4 * 6


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
    waits = []
    for number in range(10):
        since = len(box.lines)
        proxy.cut()
        lost = box.line("report", since)["ms"]
        box.wait_report(codes.LINK_UP, since=len(box.reports) - 1)
        waits.append([line for line in box.lines[since:] if "report" in line][1]["ms"] - lost)
        box.tell("write 1")
        operator.wait(11 + number)
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


# --- another broker ---


@contextlib.contextmanager
def amqtt_broker():
    from amqtt.broker import Broker

    port = free_port()
    loop = asyncio.new_event_loop()
    config = {
        "listeners": {"default": {"type": "tcp", "bind": f"127.0.0.1:{port}"}},
        "plugins": {"amqtt.plugins.authentication.AnonymousAuthPlugin": {"allow_anonymous": True}},
    }

    async def begin() -> Broker:
        broker = Broker(config)
        await broker.start()
        return broker

    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        broker = asyncio.run_coroutine_threadsafe(begin(), loop).result(10)
        yield port
        asyncio.run_coroutine_threadsafe(broker.shutdown(), loop).result(10)
    finally:
        loop.call_soon_threadsafe(loop.stop)
        thread.join()


def test_amqtt(make_box):
    with amqtt_broker() as port, Proxy(port) as proxy:
        operator = PahoOperator(port)
        box = make_box(proxy.port).start(write=500)
        operator.wait(500)
        proxy.cut()
        box.tell("write 20")
        operator.wait(520)
        delivered(box, operator)
        operator.close()
        proxy.check()


# --- TLS ---


class Authority:
    """A certificate authority of the operator's own; everything it makes is DER, for the box."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory / name
        self.directory.mkdir()
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key.public_key(), True, 0)
        self.path = self._write("ca", self.certificate)

    def _sign(self, name: str, public_key, authority: bool, days_ago: int) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=days_ago + 2))
            .not_valid_after(now - datetime.timedelta(days=days_ago - 1))
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        for suffix, encoding in (("der", Encoding.DER), ("pem", Encoding.PEM)):
            path = self.directory / f"{name}.{suffix}"
            path.write_bytes(certificate.public_bytes(encoding))
        return str(self.directory / f"{name}.der")

    def issue(self, name: str, days_ago: int = 0) -> tuple[str, str]:
        """Paths of a certificate and its key, DER; PEM lies beside them."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._write(name, self._sign(name, key.public_key(), False, days_ago))
        for suffix, encoding in (("der", Encoding.DER), ("pem", Encoding.PEM)):
            form = PrivateFormat.TraditionalOpenSSL
            contents = key.private_bytes(encoding, form, NoEncryption())
            (self.directory / f"{name}-key.{suffix}").write_bytes(contents)
        return path, str(self.directory / f"{name}-key.der")

    def listener(self, name: str = "localhost", days_ago: int = 0) -> list[str]:
        """The lines of a broker that shows a certificate with this name and demands one."""
        certificate, key = (path.replace(".der", ".pem") for path in self.issue(name, days_ago))
        return [
            f"cafile {self.directory / 'ca.pem'}",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        ]


PSK = "00112233445566778899aabbccddeeff"


def psk_lines(directory) -> list[str]:
    path = directory / "psk"
    path.write_text(f"{SERIAL}:{PSK}\n")
    return [f"psk_file {path}", "psk_hint wallbox", "use_identity_as_username true"]


@pytest.fixture
def tls_broker(mosquitto, tmp_path):
    """Give the lines of a listener; its port comes back. The plain listener stays."""

    def configure(lines) -> int:
        port = free_port()
        mosquitto.reconfigure(lines=[f"listener {port} 127.0.0.1", *lines])
        return port

    return configure


def test_tls_with_a_shared_key(make_box, mosquitto, tls_broker, tmp_path):
    port = tls_broker(psk_lines(tmp_path))
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, psk_identity=SERIAL, psk_key=PSK).start(write=3000)
    operator.wait(3000)
    delivered(box, operator)
    operator.close()


def test_tls_with_a_wrong_key(make_box, tls_broker, tmp_path):
    port = tls_broker(psk_lines(tmp_path))
    box = make_box(port, psk_identity=SERIAL, psk_key=PSK[::-1]).start()
    box.wait_report(codes.TLS_FAILED)
    assert codes.LOST not in box.reports


def test_tls_to_a_broker_that_speaks_none(make_box, mosquitto):
    box = make_box(mosquitto.port, psk_identity=SERIAL, psk_key=PSK).start()
    box.wait_report(codes.TLS_FAILED)


def test_tls_with_certificates(make_box, mosquitto, tls_broker, tmp_path):
    authority = Authority(tmp_path, "operator")
    port = tls_broker(authority.listener())
    certificate, key = authority.issue(SERIAL)
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, host="localhost", ca=authority.path, certificate=certificate, key=key)
    box.start(write=500)
    operator.wait(500)
    delivered(box, operator)
    assert f"u'{SERIAL}'" in mosquitto.log_path.read_text()
    operator.close()


@pytest.mark.parametrize(
    ("case", "words"),
    [("foreign CA", "not correctly signed"), ("wrong name", "CN"), ("expired", "expired")],
)
def test_tls_with_a_server_that_is_not_trusted(make_box, tls_broker, tmp_path, case, words):
    authority = Authority(tmp_path, "operator")
    foreign = Authority(tmp_path, "foreign")
    certificate, key = authority.issue(SERIAL)
    port = tls_broker(
        authority.listener(
            "elsewhere" if case == "wrong name" else "localhost", 10 if case == "expired" else 0
        )
    )
    ca = foreign.path if case == "foreign CA" else authority.path
    box = make_box(port, host="localhost", ca=ca, certificate=certificate, key=key).start()
    box.wait_report(codes.TLS_FAILED)
    assert words in box.state()["detail"]
    assert box.reports == [codes.TLS_FAILED]
