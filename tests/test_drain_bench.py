"""The bench of the link: its network, its drains, its peers; never their times."""

import socket
import threading
import time

import pytest

from host.figures import drain_bench, drain_world, imports
from host.figures.delay_line import DelayLine

pytestmark = pytest.mark.usefixtures("mosquitto")  # skipped where there is none


@pytest.fixture
def echo():
    """A port that gives back what it gets, on one connection."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.settimeout(10)

        def serve():
            client, _ = listener.accept()
            with client:
                while data := client.recv(65536):
                    client.sendall(data)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listener.getsockname()[1]
        thread.join(10)


def test_the_network_delays_and_lets_no_more_be_under_way_than_it_is_told(echo):
    with DelayLine(echo, 50, 5700) as line:
        with socket.create_connection(("127.0.0.1", line.port)) as client:
            began = time.monotonic()
            client.sendall(bytes(20_000))
            got = 0
            while got < 20_000:
                got += len(client.recv(65536))
            elapsed_s = time.monotonic() - began
    assert elapsed_s >= 0.1 * (20_000 // 5700 + 1)
    assert line.told["most_under_way"] == 5700
    assert line.told["bytes_up"] == 20_000


def test_a_drain_is_counted_and_all_of_it_arrives(tmp_path):
    image = drain_bench._image(tmp_path, 300, short=False)
    told = drain_bench._drained(tmp_path, image, 20, {}, 5700)
    assert told["records"] >= 300
    assert told["messages"] < 20
    assert 0 < told["most_under_way"] <= 5700
    assert told["bytes_up"] < 300 * 20
    assert told["sent_us"] <= told["delivered_us"]


def test_a_drain_over_tls_with_a_shared_key(tmp_path):
    image = drain_bench._image(tmp_path, 300, short=True)
    tls = {"tls": True, "psk_identity": drain_world.SERIAL, "psk_key": drain_world.PSK}
    told = drain_bench._drained(tmp_path, image, 0, {"payload_limit": 32, **tls})
    assert told["messages"] == told["records"] >= 300


def test_closed_connections_are_resumed_with_what_was_in_flight(tmp_path):
    image = drain_bench._image(tmp_path, 1500, short=True)
    told = drain_bench._drained(tmp_path, image, 0, {"payload_limit": 32}, closes=5)
    assert len(told["resent_s"]) == 5
    assert told["resent"] >= 5


PEERS = {"peer_chumicro.py": "chumicro_mqtt", "peer_aiomqttc.py": "aiomqttc"}


@pytest.mark.parametrize(
    "script",  # chumicro-mqtt wants Python 3.11
    [script for script, package in PEERS.items() if imports.peer_packages(package)],
)
def test_the_peers_publish(tmp_path, script):
    with drain_bench._broker(tmp_path / "broker") as (port, _):
        told = drain_bench._peer(script, port, 20, 10)
    assert told["messages"] == 20


def test_the_clients_code_is_smaller_where_it_lies():
    in_place, copied, *_ = imports.imports()
    assert 0 < in_place.value < copied.value
