"""A broker, an operator and a network in simulated time, around the firmware's own session.

Everything that the box sends goes through the independent decoder. No clock, no socket: a hundred
outages take a second.
"""

from __future__ import annotations

import hashlib
import hmac
import random
from collections import deque
from collections.abc import Callable

from wallbox.link import LinkError
from wallbox.link.publisher import Publisher

from host.collect.packed import unpacked
from tests.boxes import Ledger
from tests.mqtt_decoder import ClientStream
from tests.simulated_broker import Broker

KEY = b"link world"
SERIAL = "WB000001"


def record(sequence: int, size: int = 32) -> bytes:
    """Bytes of the right shape: length, sequence where it belongs, content that differs."""
    filler = hashlib.sha256(b"%d" % sequence).digest() * 8
    return bytes((size, 1)) + sequence.to_bytes(4, "little") + filler[: size - 6]


def statement(sequence: int, mac: bytes, key: bytes = KEY) -> bytes:
    """What an operator publishes as its acknowledgement."""
    head = sequence.to_bytes(4, "little") + mac
    return head + hmac.digest(key, b"ack" + head, "sha256")[:8]


class MemoryLedger:
    """The ledger's face towards the link, in RAM."""

    def __init__(self, size: Callable[[int], int] = lambda sequence: 32) -> None:
        self.size = size
        self.records: dict[int, bytes] = {}
        self.next_sequence = 1
        self.oldest_sequence = 1
        self.acknowledged = 0

    def write(self, count: int = 1) -> None:
        for _ in range(count):
            sequence = self.next_sequence
            self.records[sequence] = record(sequence, self.size(sequence))
            self.next_sequence += 1

    def forget(self, sequence: int) -> None:
        """The space up to here is used again."""
        while self.oldest_sequence <= sequence:
            del self.records[self.oldest_sequence]
            self.oldest_sequence += 1

    def read_into(self, sequence: int, buf: memoryview) -> tuple[int, int, int]:
        assert len(buf) >= 254
        sequence = max(sequence, self.oldest_sequence)
        at, last = 0, sequence - 1
        while (data := self.records.get(last + 1)) and at + len(data) <= len(buf):
            buf[at : at + len(data)] = data
            at += len(data)
            last += 1
        return (at, sequence, last) if at else (0, 0, 0)

    def acknowledge_message(self, payload: bytes) -> bool:
        sequence = int.from_bytes(payload[:4], "little")
        if sequence >= self.next_sequence or payload != statement(sequence, payload[4:12]):
            return False
        self.acknowledged = max(self.acknowledged, sequence)
        return True


class IntervalLedger(MemoryLedger):
    """One whose macs fit, so that messages can be packed."""

    def __init__(self) -> None:
        super().__init__()
        self.box = Ledger(KEY)

    def write(self, count: int = 1) -> None:
        for data in self.box.registers(count):
            self.records[self.next_sequence] = data
            self.next_sequence += 1


def intervals(count: int) -> IntervalLedger:
    """A ledger that holds so many intervals."""
    made = IntervalLedger()
    made.write(count)
    return made


class Operator:
    """Stores records in order and says where it stands, as docs/mqtt.md demands."""

    def __init__(self, broker: Broker, slow_ms: int = 100) -> None:
        self.broker = broker
        self.slow_ms = slow_ms
        self.stored: list[bytes] = []
        self.duplicates = 0
        self.holes = 0
        self.running = True
        self.unpacks = True
        self.state_at: int | None = None

    @property
    def stand(self) -> int:
        return len(self.stored)

    def take(self, payload: bytes, now: int) -> None:
        payload = unpacked(KEY, payload) if self.unpacks else payload
        at = 0
        while at < len(payload) and payload[at] >= 27:
            data = payload[at : at + payload[at]]
            sequence = int.from_bytes(data[2:6], "little")
            if sequence == self.stand + 1:
                self.stored.append(data)
            elif sequence <= self.stand:
                assert self.stored[sequence - 1] == data
                self.duplicates += 1
            else:
                self.holes += 1
            at += len(data)
        if self.state_at is None:
            self.state_at = now + self.slow_ms

    def service(self, now: int) -> None:
        if self.running:
            while self.broker.operator_queue:
                self.take(self.broker.operator_queue.popleft(), now)
            if self.state_at is not None and now >= self.state_at:
                self.state_at = None
                self.state(now)

    def state(self, now: int) -> None:
        self.broker.publish(f"wallbox/{SERIAL}/ack", statement(self.stand, bytes(8)), now)

    def restart(self, now: int) -> None:
        self.running = True
        self.state(now)


class World:
    """The box, a network with delay, the broker, the operator. `run(ms)` lets time pass."""

    def __init__(self, ledger: MemoryLedger, delay_ms: int = 10, **config: object) -> None:
        self.ledger = ledger
        # its records have the shape of records and no macs that could prove what is left out
        self.config = {"serial": SERIAL, "packed": False, **config}
        self.delay_ms = delay_ms
        self.step_ms = 5
        self.slow = False  # packing goes on only with the next step
        self.now = 0
        self.broker = Broker()
        self.operator = Operator(self.broker)
        self.reports: list[int] = []
        self.errors: list[tuple[object, ...]] = []
        self.network = True
        self.connect_at: int | None = 0
        self.to_broker: deque[tuple[int, bytes]] = deque()
        self.to_box: deque[tuple[int, bytes]] = deque()
        self.bytes_to_broker = 0
        self.bytes_to_box = 0
        self.cut_to_broker_at: int | None = None  # bytes of the whole run
        self.cut_to_box_at: int | None = None
        self.boot()

    def boot(self) -> None:
        """The box starts: only the ledger has survived."""
        self.publisher = Publisher(self.config, self.ledger, lambda: b"{}", self.reports.append)
        self.session = self.publisher.session
        self.session.on_puback = self._on_puback
        self._disconnected()
        # a client that loses its memory cannot send again what it had in flight
        self.broker.carried = {}
        self.broker.stream = ClientStream()

    def _on_puback(self, packet_id: int) -> None:
        """What the box knows to be acknowledged, whatever the broker has sent."""
        self.broker.stream.acknowledged(packet_id)
        type(self.session).on_puback(self.session, packet_id)

    def cut(self) -> None:
        """The connection breaks; what is under way is lost."""
        self.session.closed()
        self._disconnected()

    def _disconnected(self) -> None:
        for _, data in self.to_broker:
            self.broker.stream.feed(data)
        self.broker.gone()
        self.to_broker.clear()
        self.to_box.clear()
        self.connect_at = self.now + 100

    def _connect(self) -> None:
        self.connect_at = None
        self.broker.accept(lambda data: self.to_box.append((self.now + self.delay_ms, data)))
        self.session.connected(self.now)

    def step(self) -> None:
        self.now += self.step_ms
        if self.connect_at is not None:
            if self.network and self.now >= self.connect_at:
                self._connect()
        else:
            try:
                self._box()
            except LinkError as error:
                self.errors.append(error.args)
                self.cut()
        while self.to_broker and self.to_broker[0][0] <= self.now:
            data = self.to_broker.popleft()[1]
            start, self.bytes_to_broker = self.bytes_to_broker, self.bytes_to_broker + len(data)
            limit = self.cut_to_broker_at
            if limit is not None and start <= limit < self.bytes_to_broker:
                self.broker.receive(data[: limit - start], self.now)
                self.broker.stream.feed(data[limit - start :])
                self.cut()
            elif self.network:
                self.broker.receive(data, self.now)
            else:
                self.broker.stream.feed(data)
        self.operator.service(self.now)

    def _box(self) -> None:
        while self.to_box and self.to_box[0][0] <= self.now:
            data = self.to_box.popleft()[1]
            start, self.bytes_to_box = self.bytes_to_box, self.bytes_to_box + len(data)
            limit = self.cut_to_box_at
            if limit is not None and start <= limit < self.bytes_to_box:
                data = data[: limit - start]
                self.session.received(data, len(data), self.now)
                self.cut()
                return
            if self.network:
                for at in range(0, len(data), 256):
                    part = data[at : at + 256]
                    self.session.received(part, len(part), self.now)
        self.session.service(self.now)
        self.publisher.service(self.now)
        while self.session.fill() or self.session.packing:
            data = bytes(self.session.out[self.session.start : self.session.end])
            if not data and self.slow:
                break
            if data:
                self.to_broker.append((self.now + self.delay_ms, data))
                self.session.sent(len(data), self.now)

    def run(self, duration_ms: int, until: Callable[[], object] | None = None) -> bool:
        """Let time pass; True as soon as `until()` is."""
        end = self.now + duration_ms
        while self.now < end:
            self.step()
            if until is not None and until():
                return True
        return False

    @property
    def delivered(self) -> bool:
        """The operator has everything, and the box knows."""
        written = self.ledger.next_sequence - 1
        return self.operator.stand == written == self.ledger.acknowledged

    def check(self) -> None:
        """The operator has each record once, in order, with the ledger's bytes."""
        for sequence, data in self.ledger.records.items():
            assert self.operator.stored[sequence - 1] == data


def faults(world: World, draw: random.Random) -> None:
    """One random misfortune."""
    kind = draw.randrange(8)
    if kind <= 2:
        world.cut()
    elif kind == 3:
        world.broker.lose_session()
        world.cut()
    elif kind == 4:
        world.boot()
    elif kind == 5:
        # the broker forgets what it had acknowledged
        world.broker.operator_queue.clear()
        world.cut()
    elif kind == 6:
        world.operator.running = not world.operator.running
        if world.operator.running:
            world.operator.restart(world.now)
    else:
        world.network = not world.network


def world(count: int, **options: object) -> World:
    """A world whose ledger holds so many records."""
    ledger = MemoryLedger()
    ledger.write(count)
    return World(ledger, **options)  # type: ignore[arg-type]


def drained(count: int = 500, **options: object) -> World:
    """One in which all of them are delivered and it is quiet."""
    made = world(count, **options)
    assert made.run(60_000, lambda: made.delivered)
    made.run(3000)
    return made
