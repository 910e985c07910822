"""What a broker gone mad sends: mutated packets into parser, session and publisher.

Runs on CPython and MicroPython and prints what came of it as JSON: mutated_packets.py SEED PACKETS
"""

import gc
import hashlib
import json
import sys
from binascii import hexlify

from wallbox.commands import envelope, verbs
from wallbox.link import LinkError
from wallbox.link.publisher import Publisher
from wallbox.link.session import CHUNK
from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

SERIAL = "WB000001"
KEY = bytes(range(32))
ACK = b"wallbox/WB000001/ack"
COMMAND = b"wallbox/WB000001/command"
FLASH_SIZE = 32768
RECORDS = 200
IN_SIZE = 1216  # as build.py has it
TEXT = (
    b'{"counter":7,"from_utc_s":100,"until_utc_s":200,"verb":"limit","with":{"source":"grid",'
    b'"lease":1,"limit_ma":0,"from_utc_s":5,"until_utc_s":9}}'
)
EDGES = (0, 1, 2, 4, 96, 97, 127, 128, 254, 255)
CHECKS = 10  # of the heap


_INNER = bytes([byte ^ 0x36 for byte in KEY] + [0x36] * (64 - len(KEY)))
_OUTER = bytes([byte ^ 0x5C for byte in KEY] + [0x5C] * (64 - len(KEY)))


def hmac(message):
    """HMAC-SHA256 with the ledger's key."""
    digest = hashlib.sha256(_INNER + message).digest()
    return hashlib.sha256(_OUTER + digest).digest()


def signed(text):
    """A command; for once with the ledger's own key."""
    return hexlify(hmac(b"command\x00" + text)) + b" " + text


class Random:
    """A linear congruential generator, the same on every interpreter."""

    def __init__(self, seed):
        self.state = seed & 0x7FFFFFFF

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


def publish(topic, payload, flags, packet_id):
    body = bytes((len(topic) >> 8, len(topic) & 255)) + topic
    if flags & 6:
        body += bytes((packet_id >> 8, packet_id & 255))
    body += payload
    length = len(body)
    head = bytes((length,)) if length < 128 else bytes((length & 127 | 128, length >> 7))
    return bytes((0x30 | flags,)) + head + body


def mutated(random, packet):
    """Up to three changes; none sometimes, so that a conversation gets further."""
    data = bytearray(packet)
    for _ in range(random.below(4)):
        at = random.below(min(len(data), 40))
        action = random.below(6)
        if action == 0:
            data[at] ^= 1 << random.below(8)
        elif action == 1:
            data[at] = EDGES[random.below(len(EDGES))]
        elif action == 2:
            data = data[:at] + bytes((random.below(256),)) + data[at:]
        elif action == 3 and len(data) > 1:
            data = data[:at] + data[at + 1 :]
        elif action == 4:
            data = data[: at + 1]
        else:
            data = data + data[: random.below(8)]
    return data


class Rig:
    """A box's link without its socket. `watch(data)` gets every byte that goes out,
    `began()` is called at each connection."""

    def __init__(self, random, watch=None, began=None):
        self.random = random
        self.watch = watch
        self.began = began
        device = Partition(NorFlash(None, FLASH_SIZE), 0, FLASH_SIZE, "ledger")
        self.ledger = Ledger(device, KEY)
        self.ledger.mount()
        self.own = [b""] * 8  # authentic statements
        self.record = memoryview(bytearray(254))
        for _ in range(RECORDS):
            self.write()
        self.commands = self.false_commands = self.too_long = 0
        self.refused = self.connections = self.sent = 0
        config = {"serial": SERIAL, "in_size": IN_SIZE, "payload_limit": 100, "window_messages": 16}
        self.publisher = Publisher(config, self.ledger, lambda: b"{}", lambda code: None)
        self.publisher.on_command = self.command
        self.session = self.publisher.session
        self.now = 0
        self.connected = False

    def command(self, payload, flags):
        """As the box takes one, up to the point where it would do it."""
        if payload is None:
            self.too_long += 1
            return
        try:
            verbs.checked(envelope.parsed(envelope.opened(KEY, payload)))
            self.commands += 1
        except envelope.Refused:
            self.false_commands += 1

    def write(self):
        """A record more, and what the operator will say of it."""
        sequence = self.ledger.next_sequence
        self.ledger.append(2, 3, 1, sequence * 1000, 1_700_000_000 + sequence, b"12345")
        self.ledger.erase_ahead()
        length = self.ledger.read_into(sequence, self.record)[0]
        head = sequence.to_bytes(4, "little") + bytes(self.record[length - 8 : length])
        self.own[sequence % len(self.own)] = head + hmac(b"ack" + head)[:8]

    def original(self):
        random, session = self.random, self.session
        kind = random.below(12)
        number = session.ids[(session.head + random.below(4)) % session.window]
        if kind < 4:
            return bytes((0x40, 2, number >> 8, number & 255))
        if kind == 4:
            return bytes((0x20, 2, random.below(2), random.below(20) // 15))
        if kind == 5:
            return bytes((0x90, 4, session.subscribe_id >> 8, session.subscribe_id & 255, 1, 1))
        if kind == 6:
            return b"\xd0\x00"
        flags = (0, 1, 2, 3, 10, 11)[random.below(6)]
        if kind < 9:
            payload = self.own[random.below(len(self.own))]
            return publish(ACK, payload, flags, 1 + random.below(5))
        if kind == 9:  # a command, whose text may be broken before it is signed
            return publish(COMMAND, signed(mutated(random, TEXT)), flags, 1 + random.below(5))
        length = (0, 1, 20, 60, 120, 1300)[random.below(6)]
        topic = COMMAND if kind == 10 else b"wallbox/elsewhere"
        return publish(topic, b"{" * length, flags, 1 + random.below(5))

    def drain(self):
        session = self.session
        self.publisher.service(self.now)
        while session.fill():
            length = min(session.end - session.start, 1 + self.random.below(2000))
            if self.watch:
                self.watch(bytes(session.out[session.start : session.start + length]))
            self.sent += length
            session.sent(length, self.now)

    def connect(self):
        if self.began:
            self.began()
        self.session.closed()
        self.session.connected(self.now)
        self.drain()
        self.connected = True
        self.connections += 1
        self.feed(bytes((0x20, 2, self.random.below(8) and 1, 0)))

    def feed(self, data):
        session = self.session
        at = 0
        while at < len(data):
            while session.end > session.answer_limit:
                self.drain()
            part = data[at : at + 1 + self.random.below(CHUNK)]
            session.received(part, len(part), self.now)
            at += len(part)

    def step(self):
        random = self.random
        self.now += random.below(30)
        if not random.below(40):
            self.write()
        try:
            if not self.connected:
                self.connect()
            self.feed(mutated(random, self.original()))
            self.session.service(self.now)
            self.drain()
        except LinkError:
            self.refused += 1
            self.connected = False
        self.check()

    def check(self):
        session = self.session
        assert 0 <= session.pending <= session.count <= session.window
        assert 0 <= session.bytes <= 2 * session.window_bytes
        assert session.end <= len(session.out)
        assert session.cursor <= self.ledger.next_sequence
        assert self.ledger.acknowledged < self.ledger.next_sequence


def play(seed, packets, watch=None, began=None):
    """What came of it; `heap` are bytes in use, now and then, where they can be told."""
    rig = Rig(Random(seed), watch, began)
    heap = [0] * CHECKS
    for number in range(packets):
        if number % (packets // CHECKS) == 0 and hasattr(gc, "mem_alloc"):
            gc.collect()
            heap[number * CHECKS // packets] = gc.mem_alloc()
        rig.step()
    publisher = rig.publisher
    return {
        "seed": seed,
        "packets": packets,
        "refused": rig.refused,
        "connections": rig.connections,
        "commands": rig.commands,
        "false commands": rig.false_commands,
        "too long": rig.too_long,
        "other topics": publisher.ignored,
        "false statements": publisher.refused,
        "acknowledged": rig.ledger.acknowledged,
        "bytes sent": rig.sent,
        "heap": heap,
    }


if __name__ == "__main__":
    print(json.dumps(play(int(sys.argv[1]), int(sys.argv[2]))))
