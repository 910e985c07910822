"""Plays a seeded story into the core and prints the digest of events, decisions and states.

Runs on CPython and on MicroPython; both must print the same: lane.py SEED STEPS
"""

import hashlib
import sys

from wallbox.core import decisions, engine, events


class Random:
    """A linear congruential generator, the same on every interpreter."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit


class Lane:
    def __init__(self, seed):
        self.random = Random(seed)
        self.state = engine.State()
        self.now = 0
        self.register_wh = 123_456_789
        self.event = [0] * events.MAX_FIELDS
        self.packed = bytearray(300)
        self.digest = hashlib.sha256()

    def send(self, kind, *values):
        self.event[0] = kind
        for index, value in enumerate(values):
            self.event[1 + index] = value
        self.note(events.pack_into(self.packed, 0, self.event))
        for decision in engine.step(self.state, self.event, self.now):
            if decision[0] < decisions.LEVELS:
                self.packed[0] = decision[0]
                self.note(decisions.pack_into(self.packed, 1, decision))
            else:
                self.digest.update(repr(decision).encode())
        self.note(engine.pack(self.state, self.packed))

    def note(self, length):
        self.digest.update(memoryview(self.packed)[:length])

    def boot(self, number):
        self.send(events.CONFIG, 1, 16_000, 900, b"digest")
        self.send(events.BOOT, number, 1, 0, 0, 0, 0, b"1.0")
        self.send(events.METER_IDENTITY, 4711, b"a\0b\0c")

    def trouble(self, random):
        kind = random.below(8)
        if kind < 4:
            self.send(events.METER_SILENT + random.below(2), random.below(5))
        elif kind == 4:
            self.send(events.LEDGER, 970, random.below(2), 0)
        elif kind == 5:
            self.send(events.METER_IDENTITY, 4711 + random.below(2), b"a\0b\0c")
        elif kind == 6:
            self.send(events.METER_APPROVED, 4711 + random.below(2))
        else:
            self.register_wh = 99_999_999 if random.below(2) else self.register_wh % 1000

    def step(self, number):
        random = self.random
        self.now += random.below(60_000)
        verb = random.below(12)
        if verb < 4:
            self.register_wh += random.below(3000)
            self.send(
                events.METER_READING, self.register_wh, random.below(20_000) - 5000,
                *[random.below(7000) - 100 for _ in range(6)],
                *[random.below(240_000) for _ in range(3)], 50_000,
            )  # fmt: skip
        elif verb < 7:
            self.send(events.PILOT, (0, 1, 2, 2, 2, 3, 4, 5)[random.below(8)], 100, -12_000)
        elif verb == 7:
            utc_s = 1_790_000_000 + self.now // 1000 + random.below(4) * random.below(5000)
            self.send(events.CLOCK, utc_s * 1000, random.below(4))
        elif verb == 8:
            self.trouble(random)
        elif verb == 9:
            self.send(events.CONTACTOR, self.state.contactor if random.below(9) else 1)
        elif verb == 10 and random.below(40) == 0:
            self.state = engine.State()
            self.boot(number & 0xFFFF)
        else:
            self.send(events.TICK)


def play(seed, steps):
    lane = Lane(seed)
    lane.boot(1)
    for number in range(steps):
        lane.step(number)
    return "".join(f"{byte:02x}" for byte in lane.digest.digest())


if __name__ == "__main__":
    print(play(int(sys.argv[1]), int(sys.argv[2])))
