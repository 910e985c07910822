"""Wi-Fi, names, ports, time and the line to the broker as the box meets them."""

from __future__ import annotations

import socket
import threading
import time

import pytest

from hw.sim.box import Box
from hw.sim.broker import Amqtt, Mosquitto, make_broker
from hw.sim.hostloop import HostLoop
from hw.sim.proxy import Proxy
from hw.sim.timeserver import TimeServer
from tests.simbox import flash_of, powered

STATION = """
    import network, time
    wlan = network.WLAN(network.WLAN.IF_STA)
    def attempt(function, *arguments):
        try:
            return function(*arguments)
        except OSError as error:
            return error
    def wait(status):
        while wlan.status() != status:
            time.sleep_ms(5)
        print("status", status)
"""


def test_joining_a_network():
    main = (
        STATION
        + """
    print(attempt(wlan.connect, "depot", "key"), attempt(wlan.disconnect))
    print(wlan.active(), wlan.active(True), wlan.status() == network.STAT_IDLE)
    print(attempt(wlan.status, "rssi"), wlan.ifconfig()[0])
    wlan.connect("depot", "key")
    print(attempt(wlan.connect, "depot", "key"), wlan.isconnected())
    wait(network.STAT_GOT_IP)
    print(wlan.isconnected(), wlan.status("rssi"), wlan.ifconfig()[0], len(wlan.config("mac")))
    wlan.active(False)
    print(wlan.isconnected(), wlan.status() == network.STAT_IDLE)
    """
    )
    with powered(main) as box:
        box.wait_for(">>> ")
        assert box.log.text().splitlines()[:7] == [
            "Wifi Not Started Wifi Not Started",
            "False True True",
            "Wifi Not Connected 0.0.0.0",
            "Wifi Internal State Error False",
            "status 1010",
            "True -60 192.168.4.2 6",
            "False True",
        ]


def test_the_station_comes_back_by_itself():
    main = STATION + "    wlan.active(True)\n    wlan.connect('depot', 'key')\n    wait(1010)\n"
    main += "    wait(1001)\n    wait(1010)\n    print(wlan.status('rssi'))\n"
    with powered(main) as box:
        box.wait_for("status 1010")
        box.set_radio(False)
        box.wait_for("status 1001")
        box.set_radio(True, rssi_dbm=-83)
        box.wait_for("status 1010\n-83")


def test_wrong_passwords_show_only_when_attempts_are_limited():
    main = (
        STATION
        + """
    wlan.active(True)
    wlan.connect("depot", "wrong")
    time.sleep_ms(100)
    print(wlan.status() == network.STAT_CONNECTING)
    wlan.disconnect()
    wlan.config(reconnects=0)
    wlan.connect("depot", "wrong")
    wait(network.STAT_WRONG_PASSWORD)
    wlan.connect("garage", "right")
    wait(network.STAT_NO_AP_FOUND)
    """
    )
    with Box() as box:
        box.radio.access_points = {"depot": "right"}
        box.flash(flash_of(main))
        box.power_on()
        box.wait_for("True\nstatus 202\nstatus 201")


def test_names_resolve_only_with_a_network_and_ports_lead_into_the_world():
    main = (
        STATION
        + """
    import socket
    def ask():
        return attempt(socket.getaddrinfo, "broker.example", 1883, 0, socket.SOCK_STREAM)
    input()
    print(ask())
    wlan.active(True)
    wlan.connect("depot", "key")
    wait(1010)
    s = socket.socket()
    s.connect(ask()[0][-1])
    print(s.read(5))
    print(attempt(socket.getaddrinfo, "nowhere.example", 9))
    """
    )
    with socket.create_server(("127.0.0.1", 0)) as server, powered(main) as box:
        box.set_port(1883, server.getsockname()[1])
        box.set_port(9, 0)
        box.type("\r")
        server.settimeout(10)
        connection, _ = server.accept()
        connection.sendall(b"hello")
        box.wait_for(r"^-202\nstatus 1010\nb'hello'\n-202")
        connection.close()


@pytest.fixture
def host():
    """A loop for the world's servers."""
    loop = HostLoop()
    yield loop
    loop.close()


@pytest.fixture
def line(host):
    """A proxy in front of a server that answers in upper case: (proxy, connect)."""
    server = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                connection, _ = server.accept()
            except OSError:
                return
            threading.Thread(target=answer, args=(connection,), daemon=True).start()

    def answer(connection: socket.socket) -> None:
        with connection:
            try:
                while data := connection.recv(100):
                    connection.sendall(data.upper())
            except OSError:
                pass

    threading.Thread(target=serve, daemon=True).start()
    proxy = host.call(Proxy)
    proxy.target_port = server.getsockname()[1]
    host.run(proxy.start())
    opened = []

    def connect() -> socket.socket:
        sock = socket.create_connection(("127.0.0.1", proxy.port), timeout=5)
        opened.append(sock)
        return sock

    yield proxy, connect
    for sock in opened:
        sock.close()
    host.run(proxy.close())
    server.close()


def exchange(sock: socket.socket, data: bytes) -> bytes:
    sock.sendall(data)
    return sock.recv(100)


def test_the_line_carries_and_counts(line):
    proxy, connect = line
    sock = connect()
    assert exchange(sock, b"abc") == b"ABC"
    assert (proxy.bytes_up, proxy.bytes_down, proxy.connections) == (3, 3, 1)


def test_a_silent_line_delivers_later(line, host):
    proxy, connect = line
    sock = connect()
    assert exchange(sock, b"a") == b"A"
    host.call(proxy.silence, True)
    sock.sendall(b"waiting")
    sock.settimeout(0.2)
    with pytest.raises(TimeoutError):
        sock.recv(1)
    late = connect()  # the system accepts it; nobody answers
    late.settimeout(0.1)
    late.sendall(b"x")
    with pytest.raises(TimeoutError):
        late.recv(1)
    host.call(proxy.silence, False)
    sock.settimeout(5)
    late.settimeout(5)
    assert sock.recv(100) == b"WAITING"
    assert late.recv(1) == b"X"


def test_a_reset_line_ends_at_once_and_takes_new_connections(line, host):
    proxy, connect = line
    sock = connect()
    assert exchange(sock, b"a") == b"A"
    host.call(proxy.break_connections)
    with pytest.raises(ConnectionResetError):
        sock.recv(1)
    assert exchange(connect(), b"b") == b"B"


def test_a_slow_line(line):
    proxy, connect = line
    proxy.delay_s = 0.1
    sock = connect()
    begin = time.monotonic()
    assert exchange(sock, b"a") == b"A"
    assert 0.2 <= time.monotonic() - begin < 2


def test_nobody_behind_the_line_is_a_reset(line):
    proxy, connect = line
    proxy.target_port = 1
    with pytest.raises(ConnectionResetError):
        connect().recv(1)


def ask_time(port: int, timeout_s: float = 1.0) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.settimeout(timeout_s)
        sock.sendto(b"\x23" + bytes(39) + b"token678", ("127.0.0.1", port))
        answer = sock.recv(48)
    assert answer[0] & 7 == 4 and answer[24:32] == b"token678"
    return int.from_bytes(answer[40:44], "big") - 2_208_988_800


def test_the_time_server_tells_the_time_lies_or_is_silent(host):
    server = TimeServer()
    host.run(server.start())
    try:
        assert abs(ask_time(server.port) - time.time()) < 2
        server.offset_s = 86_400
        assert abs(ask_time(server.port) - time.time() - 86_400) < 2
        server.silent = True
        with pytest.raises(TimeoutError):
            ask_time(server.port, 0.1)
        assert server.requests == 3
    finally:
        host.call(server.close)


def connack(port: int) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=5) as sock:
        sock.sendall(bytes.fromhex("100e00044d5154540402003c000274 31".replace(" ", "")))
        return sock.recv(4)


def test_amqtt_starts_stops_and_keeps_its_port(tmp_path):
    broker = make_broker("amqtt", tmp_path)
    assert isinstance(broker, Amqtt)
    for _ in range(2):
        broker.start()
        try:
            assert connack(broker.port) == b"\x20\x02\x00\x00"
        finally:
            broker.stop()
        with pytest.raises(OSError):
            connack(broker.port)


def test_mosquitto_starts_stops_and_keeps_its_port(mosquitto, tmp_path):
    broker = make_broker("mosquitto", tmp_path / "another")
    assert isinstance(broker, Mosquitto)
    for _ in range(2):
        broker.start()
        try:
            assert connack(broker.port) == b"\x20\x02\x00\x00"
        finally:
            broker.stop()
        assert not broker.running


def test_an_unknown_broker_is_refused(tmp_path):
    with pytest.raises(ValueError, match="broker 'emqx': choose mosquitto, amqtt or any"):
        make_broker("emqx", tmp_path)


SCAN = (
    STATION
    + """
    print(attempt(wlan.scan))
    wlan.active(True)
    began = time.ticks_ms()
    for network_ in wlan.scan():
        print(network_)
    print("took", time.ticks_diff(time.ticks_ms(), began) > 2000)
    wlan.connect("nowhere", "key")
    print("connecting", wlan.scan())
    wlan.disconnect()
    wlan.connect("depot", "key")
    wait(1010)
    print("joined", [found[0] for found in wlan.scan()])
"""
)


def test_a_scan_blocks_and_finds_what_is_in_range_but_nothing_while_it_connects():
    with Box() as box:
        box.flash(flash_of(SCAN))
        box.radio.access_points = {"depot": "key"}
        box.radio.surround(("cafe", ""))
        box.power_on()
        box.wait_for(">>> ", timeout_s=20)
        assert box.log.text().splitlines()[:8] == [
            "STA must be active",
            r"(b'depot', b'\x02\x00\x00\x00\x00\x00', 1, -60, 3, False)",
            r"(b'cafe', b'\x02\x00\x00\x00\x00\x01', 2, -75, 3, False)",
            r"(b'', b'\x02\x00\x00\x00\x00\x02', 3, -75, 3, False)",
            "took True",
            "connecting []",
            "status 1010",
            "joined [b'depot', b'cafe', b'']",
        ]
