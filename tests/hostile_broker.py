"""A broker that wishes the box ill: garbage, floods, mutated packets, silence, false PUBACKs."""

from __future__ import annotations

import contextlib
import select
import socket
import threading
import time

from tests import mutated_packets as mutants
from tests.mqtt_decoder import (
    ClientStream,
    Connect,
    Packet,
    ProtocolError,
    Publish,
    Subscribe,
)

CONNECTION_S = 0.7
POOL = 211  # packets of each kind
LIES_S = 5.0  # until one is told: then the box tries again at once, and not a minute later
MANNERS = ("garbage", "mutants", "flood", "silence", "lies")


class HostileBroker:
    """Listens on `port` while the `with` block lasts; each connection has the next of MANNERS.

    `seen`: manner -> connections. What the box sends is decoded; `check()` raises what was wrong.
    """

    def __init__(self, serial: str, seed: int) -> None:
        self.pool = _pool(serial, mutants.Random(seed))
        self.attacks = 0
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
            while time.monotonic() < end and not self._stop.is_set():
                readable, writable, _ = select.select([client], [client], [], 0.05)
                if readable:
                    data = client.recv(4096)
                    if not data:
                        break
                    for packet in stream.feed(data):
                        said = True
                        self._answer(client, manner, packet, stream)
                    if self.acknowledged > told:
                        told = self.acknowledged
                        end = time.monotonic() + CONNECTION_S  # for the box to read it
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
        packets = self.pool[manner]
        self.attacks += 1
        self._send(client, packets[self.attacks % len(packets)])


def _pool(serial: str, random: mutants.Random) -> dict[str, list[bytes]]:
    """Made beforehand: the meter answers from this process, and must not be kept waiting."""
    topics = [f"wallbox/{serial}/{job}".encode() for job in ("ack", "command")]

    def noise(length: int) -> bytes:
        return bytes(random.below(256) for _ in range(length))

    def publish() -> bytes:
        payload = noise((0, 1, 20, 300, 3000)[random.below(5)])
        flags, number = (0, 2, 10)[random.below(3)], 1 + random.below(9)
        return mutants.publish(topics[random.below(2)], payload, flags, number)

    floods = [publish() for _ in range(POOL)]
    kinds = (b"\x40\x02\x00\x05", b"\x20\x02\x01\x00", b"\xd0\x00")
    broken = [packet for made in floods for packet in (made, kinds[random.below(3)])]
    return {
        "garbage": [noise(200) for _ in range(POOL)],
        "mutants": [bytes(mutants.mutated(random, packet)) for packet in broken],
        "flood": floods,
        "lies": floods,
    }
