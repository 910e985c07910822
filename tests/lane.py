"""Plays a seeded story into the core and prints the digest of events, decisions and states.

Runs on CPython and on MicroPython; both must print the same: lane.py SEED STEPS
"""

import hashlib
import sys

from wallbox.core import decisions, engine, events, fields, leases

UTC_S = 1_790_000_000
TAGS = (b"anna-tag", b"ben's tg", b"the gues", b"lost tag")
LAYOUTS = [fields.layout(specification) for _, specification in fields.table(events.KINDS)]


class Random:
    """A linear congruential generator, the same on every interpreter."""

    def __init__(self, seed):
        self.state = seed

    def below(self, limit):
        self.state = (self.state * 1103515245 + 12345) & 0x7FFFFFFF
        return (self.state >> 8) % limit

    def one_in(self, chances):
        return self.below(chances) == 0


def fill_wildly(random, event):
    """Any kind with anything its fields hold, mostly small numbers."""
    kind = event[0] = random.below(len(LAYOUTS))
    for index, width in enumerate(LAYOUTS[kind]):
        signed, width = width & 0x80, width & 0x7F
        if width == 0:
            event[1 + index] = TAGS[random.below(4)][: 8 if random.below(4) else random.below(9)]
            continue
        value = 0
        if random.below(4):
            value = random.below(8)
        else:
            for _ in range(width):
                value = value << 8 | random.below(256)
        if signed:
            value &= (1 << (8 * width - 1)) - 1
            value = -value if random.below(2) else value
        event[1 + index] = value


class Lane:
    """A box, and a world around it that is hard on it. `wildness`: one event in so many is wild."""

    def __init__(self, random, wildness=200):
        self.random = random
        self.wildness = wildness
        self.state = engine.State()
        self.durable = engine.State()  # folded from facts, as in the agent
        self.now = 0
        self.clock_offset_s = UTC_S  # of the world's clock
        self.register_wh = 123_456_789
        self.meter_id = 4711
        self.boots = 0
        self.event = [0] * events.MAX_FIELDS
        self.packed = bytearray(max(engine.STATE_SIZE, 300))
        self.digest = hashlib.sha256()

    def send(self, kind, *values):
        self.event[0] = kind
        for index, value in enumerate(values):
            self.event[1 + index] = value
        self.take()

    def take(self):
        self.note(events.pack_into(self.packed, 0, self.event))
        told = engine.step(self.state, self.event, self.now)
        for decision in told:
            if decision[0] < decisions.LEVELS:
                self.fact(decision)
            else:
                self.digest.update(repr(decision).encode())
        self.note(engine.pack(self.state, self.packed))
        self.digest.update(self.state.leases)

    def fact(self, fact):
        """Packed and unpacked, as if it had been in the ledger."""
        self.packed[0] = fact[0]
        length = decisions.pack_into(self.packed, 1, fact)
        self.note(length)
        read = decisions.unpack(fact[0], bytes(memoryview(self.packed)[1:length]))
        state = self.state
        utc_s = 0
        if state.clock_quality:
            utc_s = (state.clock_utc_ms + self.now - state.clock_at) // 1000
        engine.recall(self.durable, read, utc_s, state.clock_quality)

    def note(self, length):
        self.digest.update(memoryview(self.packed)[:length])

    def boot(self, cause):
        self.boots += 1
        number = self.boots
        self.send(events.CONFIG, 1, 16_000, 900, 0, number % 3, number % 2, 72, 24, 2, 0, b"digest")
        known = (number % 2, self.state.accounted_wh, self.state.accounted_utc_s + 5)
        self.send(events.BOOT, number & 0xFFFF, cause, *known, 3, b"1.0")
        self.send(events.METER_IDENTITY, self.meter_id, b"a\0b\0c")
        self.send(events.SEAL, 0, 0)

    def cut(self):
        """The power goes off, and on again some time later."""
        self.forget()
        self.clock_offset_s += self.now // 1000 + self.random.below(3000)
        self.now = 0
        self.boot((1, 1, 3, 5)[self.random.below(4)])
        if self.random.below(4):
            self.tell_clock()

    def forget(self):
        """What the ledger tells is all that is left."""
        length = engine.snapshot(self.durable, self.packed)
        self.note(length)
        self.state = engine.State()
        snapshot = bytes(memoryview(self.packed)[:length])
        engine.recall(self.state, (decisions.STATE, snapshot), 0, 0)
        self.state.leases[:] = self.durable.leases

    def utc_s(self):
        return self.clock_offset_s + self.now // 1000

    def tell_clock(self):
        self.send(events.CLOCK, self.utc_s() * 1000, 3)

    def read(self):
        watts = 11_000 if self.state.contactor else 0
        self.register_wh += self.random.below(300) if watts else 0
        self.send(
            events.METER_READING, self.register_wh, watts + self.random.below(100) - 50,
            *[watts // 3] * 3, *[watts // 15 * 22] * 3, *[230_000] * 3, 50_000,
        )  # fmt: skip

    def trouble(self, random):
        kind = random.below(18)
        if kind < 4:
            self.send(events.METER_SILENT + random.below(2), random.below(5))
        elif kind == 4:
            self.send(events.LEDGER, 970, random.below(2), 0)
        elif kind == 5:
            self.meter_id = 4711 + random.below(2)
            self.send(events.METER_IDENTITY, self.meter_id, b"a\0b\0c")
        elif kind == 6:
            # close to the register's end, which is refused; from there over it, which is not
            near_end = 99_000_000 <= self.register_wh < 100_000_000
            self.register_wh = self.register_wh % 1000 if near_end else 99_999_000
        elif kind == 7:
            self.send(events.CONTACTOR, 1 - self.state.contactor)
        elif kind == 8:
            self.clock_offset_s += random.below(20_000) - 10_000
            self.send(events.CLOCK, self.utc_s() * 1000, random.below(4))
        elif kind < 12:
            self.send(events.SEAL, random.below(4), random.below(4))
        elif kind == 12:
            self.cut()
            for hours in (0, 20, 20):
                self.now += hours * 3_600_000
                self.send(events.PLACE, 0, 1)
        elif kind == 16:
            for _ in range(2):
                self.now += 6000
                self.send(events.METER_READING, self.register_wh, *[0] * 4, 1500, *[0] * 6)
        elif kind == 17:
            self.send(events.LINK, 3)
            for hours in (1, 72):
                self.now += hours * 3_600_000
                self.read()
        elif kind == 13:
            for _ in range(4):  # most of them are not possible
                self.send(events.LIFECYCLE, random.below(6), random.below(3), 3)
        else:
            self.send(events.PILOT, random.below(7), 0, 0)

    def repair(self):
        """The operator puts right what he can."""
        self.send(events.METER_APPROVED, self.meter_id)
        self.send(events.METER_IDENTITY, self.meter_id, b"a\0b\0c")
        self.send(events.SEAL, 0, 0)
        self.send(events.SEALED, b"1001 1002")
        self.send(events.LEDGER, 500, 0, 0)
        self.send(events.PLACE_APPROVED)
        for after, by in ((0, 1), (1, 1), (2, 2)):
            self.send(events.LIFECYCLE, after, by, 1)

    def person(self, random):
        """Tags, and the subscriber's wishes."""
        kind = random.below(6)
        name = random.below(4)
        if kind < 4:
            status = random.below(5) if name == 3 else 0
            limit_ma = random.below(3) * 7000
            told = (status, name // 2, 1 + name // 2, limit_ma, 0, random.below(20) // 19, 7)
            self.send(events.TAG, *told, TAGS[name])
        else:
            self.send(events.OPT_OUT + kind % 2, random.below(2))

    def operator(self, random):
        kind = random.below(11)
        utc_s = self.utc_s() + random.below(7200) - 3600
        if kind == 0:
            told = (random.below(2), random.below(3), 0, TAGS[random.below(4)])
            self.send(events.REMOTE_START, *told)
        elif kind == 1:
            self.send(events.REMOTE_STOP, random.below(3))
        elif kind < 5:
            lease = (3 + random.below(3), 1 + random.below(40), random.below(5) * 4000)
            fallback_ma = leases.NONE_MA if random.below(2) else 8000
            self.send(events.LEASE, *lease, utc_s, utc_s + random.below(5000), fallback_ma)
        elif kind == 5:
            for number in range(1, 41):
                self.send(events.LEASE_END, number)
        elif kind == 6:
            self.send(events.MODE, random.below(2), random.below(2) * utc_s)
        elif kind == 7:
            self.send(events.TAG_STATUS, random.below(2), 9000, 0, TAGS[random.below(4)])
        elif kind == 8:
            self.send(events.ABSENCE, utc_s, utc_s + 3600)
        elif kind == 9:
            counter = self.state.command_counter + random.below(3)
            self.send(events.COMMAND, counter, utc_s, utc_s + 3600, 1 + random.below(100))
            self.send(events.MESSAGE_REFUSED, random.below(8), 1)
            self.send(events.LOGIN, random.below(2), 1)
        else:
            limit_ma = (0, 8000, 14_000, leases.NONE_MA, leases.NONE_MA)[random.below(5)]
            self.send(events.LOCAL_LIMIT, 5 + random.below(2), limit_ma)

    def step(self):
        random = self.random
        self.now += (20, 900, 12_000, 60_000)[random.below(4)]
        verb = random.below(32)
        if self.wildness and random.one_in(self.wildness):
            fill_wildly(random, self.event)
            self.take()
        elif random.one_in(150):
            self.trouble(random)
        elif random.one_in(150):
            self.repair()
        elif random.one_in(400):
            self.cut()
        elif verb < 12 or self.state.wanted and random.below(4):
            self.read()
        elif verb < 16:
            self.send(events.PILOT, (0, 1, 2, 2, 2, 2)[random.below(6)], 100, -12_000)
        elif verb < 20:
            self.person(random)
        elif verb < 22:
            self.operator(random)
        elif verb == 22:
            self.tell_clock()
        elif verb == 23:
            self.send(events.LINK, random.below(12) if random.one_in(3) else 2)
        elif verb == 24:
            self.send(events.PLACE, 1, 1)
        else:
            self.now = max(self.now, min(self.state.due, self.now + 30_000))
            self.send(events.TICK)
        if self.state.contactor != self.state.contactor_closed:
            self.now += 30
            self.send(events.CONTACTOR, self.state.contactor)


def play(seed, steps):
    lane = Lane(Random(seed))
    lane.boot(1)
    for _ in range(steps):
        lane.step()
    return "".join(f"{byte:02x}" for byte in lane.digest.digest())


if __name__ == "__main__":
    print(play(int(sys.argv[1]), int(sys.argv[2])))
