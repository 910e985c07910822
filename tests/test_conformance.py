"""What MQTT 3.1.1 demands of a client and no other test shows; docs/mqtt.md lists them all.

Everything that goes out here is decoded by tests/mqtt_decoder.py.
"""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import json
import re
import signal
import time
import tracemalloc

import pytest
from wallbox import config
from wallbox import link as codes
from wallbox.link import MALFORMED, LinkError, packets

from tests.interpreter import ROOT
from tests.link_fixtures import lazy, make_box, operator, proxy  # noqa: F401
from tests.link_world import SERIAL, MemoryLedger, World
from tests.mosquitto import wait_until
from tests.mqtt_decoder import Acknowledge, Connect, Publish
from tests.session_box import Box

COMMAND = f"wallbox/{SERIAL}/command"


# --- cut at every byte ---


class Cut(World):
    """A world in which the cut takes more with it than the connection, and a command comes."""

    def __init__(self, after: str = "") -> None:
        self.after = after
        self.commands: list[bytes] = []
        ledger = MemoryLedger()
        ledger.write(24)
        super().__init__(ledger, payload_limit=100, window_messages=3)

    def boot(self) -> None:
        super().boot()
        self.publisher.on_command = lambda payload, flags: self.commands.append(bytes(payload))

    def cut(self) -> None:
        super().cut()
        if self.after == "session lost":
            self.broker.lose_session()
        elif self.after == "box restarted":
            self.boot()

    def play(self) -> None:
        """Records old and new, a status, a command, statements; until all is delivered."""
        self.run(3000, lambda: COMMAND in (self.broker.subscriptions or ()))
        self.broker.publish(COMMAND, b"go")
        self.ledger.write(3)
        assert self.run(15_000, lambda: self.delivered)
        self.run(500)
        self.check()
        assert len(self.operator.stored) == len(self.ledger.records), "once each, in order"
        assert self.errors == []


@pytest.fixture(scope="module")
def whole() -> Cut:
    made = Cut()
    made.play()
    assert made.commands == [b"go"] and made.operator.duplicates == 0
    kinds = [packet.kind for packet in made.broker.stream.packets]
    assert {*kinds} == {"CONNECT", "SUBSCRIBE", "PUBLISH", "PUBACK"}
    return made


@pytest.mark.parametrize("after", ["", "session lost", "box restarted"])
@pytest.mark.parametrize("direction", ["to_broker", "to_box"])
def test_a_recorded_exchange_cut_at_every_byte(whole, direction, after):
    length = getattr(whole, f"bytes_{direction}")
    assert length > (1000 if direction == "to_broker" else 100)
    connections = 0
    for at in range(length):
        box = Cut(after)
        setattr(box, f"cut_{direction}_at", at)
        try:
            box.play()
        except AssertionError as error:
            raise AssertionError(f"cut {direction} at byte {at}") from error
        # QoS 1: again if its PUBACK was lost, and lost itself only with the broker's session
        lost = after == "session lost" and not box.commands
        assert lost or box.commands in ([b"go"], [b"go", b"go"]), at
        assert box.operator.duplicates <= 2 * 27
        connections += len(box.broker.connects)
    assert connections > 1.9 * length, "each cut made the box connect again"


# --- what comes in ---


def test_a_retained_command_comes_at_once_and_is_acknowledged():
    """The broker may send it as soon as the session stands, even before SUBACK."""
    box = Box().connect(present=1)
    box.get(b"\x33\x0f\x00\x09a/command\x00\x07go")
    assert box.owner.messages == [(b"a/command", b"go", 3)]
    box.subscribe()
    acknowledged = [packet for packet in box.stream.packets if isinstance(packet, Acknowledge)]
    assert [(packet.kind, packet.packet_id) for packet in acknowledged] == [("PUBACK", 7)]


def test_a_retained_command_of_a_real_broker(make_box, mosquitto, operator, proxy):
    operator.client.publish(COMMAND, b"{}", qos=1, retain=True)
    box = make_box(proxy.port).start()
    box.wait_report(codes.LINK_UP)
    wait_until(
        lambda: f"Received PUBACK from {SERIAL}" in mosquitto.log_path.read_text(),
        what="the PUBACK for it",
    )
    assert box.state()["up"]


def test_a_message_that_comes_again_is_acknowledged_again():
    box = Box()
    box.up()
    for first in (0x32, 0x3A, 0x3A):
        box.get(bytes((first,)) + b"\x0c\x00\x05a/ack\x00\x09yes")
        (answer,) = box.sent()
        assert isinstance(answer, Acknowledge) and answer.packet_id == 9
    assert [flags for _, _, flags in box.owner.messages] == [2, 10, 10]


# --- maximum packet ---


class Quiet:
    """Counts the messages that are too long."""

    def __init__(self) -> None:
        self.payloads: list[int | None] = []

    def on_publish(self, topic, payload, flags, packet_id):
        self.payloads.append(None if payload is None else len(payload))


@pytest.mark.parametrize("size", [512, 2048])
def test_the_largest_packet_that_comes_in(size):
    for extra, expected in ((0, size - 9), (1, None)):
        peer = Quiet()
        parser = packets.Parser(peer, size)
        length = size + extra
        head = bytes((0x32, length & 127 | 128, length >> 7))
        data = head + b"\x00\x05a/ack\x00\x09" + b"x" * (length - 9)
        parser.feed(data, len(data))
        assert peer.payloads == [expected]


def test_the_longest_packet_of_the_standard_takes_no_memory():
    """256 MB; it is passed over, because a broker would send it again for ever."""
    peer = Quiet()
    parser = packets.Parser(peer, 512)
    parser.feed(b"\x32\xff\xff\xff\x7f\x00\x05a/ack\x00\x09", 14)
    rest, chunk = 268_435_455 - 9, memoryview(bytes(1 << 20))
    tracemalloc.start()
    while rest:
        count = min(rest, len(chunk))
        parser.feed(chunk, count)
        rest -= count
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peer.payloads == [None] and peak < 4096
    with pytest.raises(LinkError) as caught:
        parser.feed(b"\x32\xff\xff\xff\xff", 5)
    assert caught.value.args == (MALFORMED, "remaining length")


def test_the_largest_packets_that_go_out_are_taken_by_the_broker_that_is_shipped():
    """All that the configuration file can make long is as long as it may be."""
    bounds = {row[0]: row[3] for row in config.rows()}
    texts = {key: "x" * bounds[f"broker.{key}"] for key in ("user", "password")}
    serial = "W" * bounds["serial"]
    ledger = MemoryLedger(lambda sequence: 254)
    ledger.write(40)
    box = World(ledger, **texts)
    box.config["serial"] = serial
    box.boot()
    box.publisher.status = lambda: b"x" * 2048
    box.run(400)
    sent = box.broker.connects + box.broker.publishes
    assert isinstance(sent[0], Connect) and sent[0].client_id == serial
    largest = max(packet.size for packet in sent)
    assert largest > 2048
    shipped = (ROOT / "host" / "broker" / "mosquitto.conf").read_text()
    (limit,) = re.findall(r"^message_size_limit (\d+)", shipped, re.MULTILINE)
    assert largest < int(limit)
    ledgers = [packet for packet in sent if isinstance(packet, Publish) and packet.qos]
    assert {packet.topic for packet in ledgers} == {f"wallbox/{serial}/ledger"}


# --- keep-alive, both ways ---


def test_an_idle_box_keeps_its_connection_and_a_dead_one_is_missed(
    make_box, mosquitto, operator, proxy
):
    """The broker ends a connection that is silent for one and a half keep-alives."""
    box = make_box(proxy.port, keep_alive_s=2).start()
    box.wait_report(codes.LINK_UP)
    wait_until(lambda: operator.statuses, what="status")
    time.sleep(3.5)
    assert set(box.reports) <= {codes.LINK_UP, codes.DELIVERED} and proxy.connections == 1
    box.process.send_signal(signal.SIGSTOP)
    try:
        wait_until(lambda: operator.statuses[-1] == b'{"online":false}', what="last will")
    finally:
        box.process.send_signal(signal.SIGCONT)
    assert "exceeded timeout" in mosquitto.log_path.read_text()
    wait_until(lambda: json.loads(operator.statuses[-1])["online"], 20, "status, online again")
