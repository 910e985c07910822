"""A broker that wishes the box ill: garbage, floods, mutated packets, silence, false PUBACKs."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

from tests import mutants
from tests.mqtt_decoder import (
    ClientStream,
    Connect,
    Packet,
    ProtocolError,
    Publish,
    Subscribe,
)

CONNECTION_S = 0.7
LIES_S = 5.0  # or until one was told: then the box tries again at once, and not a minute later
MANNERS = ("garbage", "mutants", "flood", "silence", "lies")


class HostileBroker:
    """Listens on `port` while the `with` block lasts; each connection has the next of MANNERS.

    `seen`: manner -> connections. What the box sends is decoded; `check()` raises what was wrong.
    """

    def __init__(self, serial: str, seed: int) -> None:
        self.topics = [f"wallbox/{serial}/{job}".encode() for job in ("ack", "command")]
        self.random = mutants.Random(seed)
        self.seen = dict.fromkeys(MANNERS, 0)
        self.bytes_sent = 0
        self.acknowledged = 0
        self.errors: list[ProtocolError] = []
        self._stop = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve)

    def __enter__(self) -> HostileBroker:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        self._listener.close()

    def check(self) -> None:
        if self.errors:
            raise self.errors[0]

    def _serve(self) -> None:
        self._listener.settimeout(0.1)
        while not self._stop.is_set():
            with contextlib.suppress(OSError):
                client = self._listener.accept()[0]
                with client:
                    self._treat(client, MANNERS[sum(self.seen.values()) % len(MANNERS)])

    def _treat(self, client: socket.socket, manner: str) -> None:
        stream = ClientStream(lossy=True)
        end = time.monotonic() + (LIES_S if manner == "lies" else CONNECTION_S)
        told = self.acknowledged
        said = False
        try:
            while time.monotonic() < end and not self._stop.is_set() and self.acknowledged == told:
                readable, writable, _ = select.select([client], [client], [], 0.05)
                if readable:
                    data = client.recv(4096)
                    if not data:
                        break
                    for packet in stream.feed(data):
                        said = True
                        self._answer(client, manner, packet, stream)
                elif writable and stream.packets and manner != "silence":
                    self._attack(client, manner)
                    time.sleep(0.002)  # the box is to read it, not the socket's buffer
        except ProtocolError as error:
            self.errors.append(error)
        finally:
            self.seen[manner] += said

    def _send(self, client: socket.socket, data: bytes) -> None:
        client.sendall(data)
        self.bytes_sent += len(data)

    def _answer(
        self, client: socket.socket, manner: str, packet: Packet, stream: ClientStream
    ) -> None:
        """As a good broker, where that leads further."""
        if manner in ("garbage", "silence"):
            return
        if isinstance(packet, Connect):
            self._send(client, b"\x20\x02\x00\x00")
        elif isinstance(packet, Subscribe):
            stream.acknowledged(packet.packet_id)
            number = packet.packet_id.to_bytes(2, "big")
            self._send(client, b"\x90\x04" + number + b"\x01\x01")
        elif isinstance(packet, Publish) and packet.qos and manner == "lies":
            stream.acknowledged(packet.packet_id)
            self.acknowledged += 1
            self._send(client, b"\x40\x02" + packet.packet_id.to_bytes(2, "big"))

    def _attack(self, client: socket.socket, manner: str) -> None:
        random = self.random
        if manner == "garbage":
            self._send(client, bytes(random.below(256) for _ in range(200)))
            return
        topic = self.topics[random.below(2)]
        payload = bytes(random.below(256) for _ in range((0, 1, 20, 300, 3000)[random.below(5)]))
        packet = mutants.publish(topic, payload, (0, 2, 10)[random.below(3)], 1 + random.below(9))
        if manner == "mutants":
            kinds = (packet, b"\x40\x02\x00\x05", b"\x20\x02\x01\x00", b"\xd0\x00")
            packet = bytes(mutants.mutated(random, kinds[random.below(4)]))
        self._send(client, packet)
