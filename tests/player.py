"""Plays events into the core and keeps what it decided, for tests that read as stories."""

from wallbox.core import clock, decisions, engine, events

UTC_S = 1_790_000_200  # 100 s after a quarter
PARTS = (decisions.INTERVAL, decisions.GAP_END, decisions.METER_ROLLOVER)


CONFIG = {
    "valid": 1,
    "installation_limit_ma": 16_000,
    "interval_s": 900,
    "cable_limit_ma": 0,
    "seal_policy": 2,
    "mode": 0,
    "offline_grace_h": 72,
    "relocate_after_h": 24,
    "lifecycle": 2,
    "chip_foreign": 0,
}


class Player:
    """A core with a meter, a car and a clock in the hands of the test."""

    def __init__(self, before: "Player | None" = None, **config: int):
        self.state = engine.State()
        self.now = 0
        self.register_wh = 1_000_000
        self.log: list[tuple] = []  # (now, decision)
        self.facts: list[tuple] = []
        self.fact_times: list[tuple[int, int]] = []  # (utc_s, quality) of each fact
        self.config = {**CONFIG, **(before.config if before else {}), **config}
        if before:
            for fact, (utc_s, quality) in zip(before.facts, before.fact_times, strict=True):
                engine.recall(self.state, fact, utc_s, quality)
            self.state.leases[:] = before.state.leases
            self.register_wh = before.register_wh
        self.send(events.CONFIG, *self.config.values(), b"\x01" * 8)

    def send(self, kind: int, *values) -> list[tuple]:
        event = [kind, *values] + [0] * (events.MAX_FIELDS - 1 - len(values))
        packed = bytearray(256)
        events.unpack_into(event, packed, 0, events.pack_into(packed, 0, event))
        taken = list(engine.step(self.state, event, self.now))
        for decision in taken:
            self.log.append((self.now, decision))
            if decision[0] < decisions.LEVELS:
                decisions.pack_into(packed, 0, decision)
                self.facts.append(decision)
                self.fact_times.append(
                    (clock.utc_s(self.state, self.now), self.state.clock_quality)
                )
        return taken

    def boot(self, boot: int = 1, heartbeat: tuple | None = None, cause: int = 1) -> list[tuple]:
        known, (register_wh, utc_s, quality) = bool(heartbeat), heartbeat or (0, 0, 0)
        return self.send(events.BOOT, boot, cause, known, register_wh, utc_s, quality, b"1.0")

    def identity(self, meter_id: int = 42) -> list[tuple]:
        return self.send(events.METER_IDENTITY, meter_id, b"maker\0model\0serial")

    def read(self, add_wh: int = 0) -> list[tuple]:
        self.register_wh += add_wh
        return self.send(events.METER_READING, self.register_wh, *[0] * 11)

    def clock(self, utc_s: int = UTC_S, quality: int = events.SYNCHRONISED) -> list[tuple]:
        return self.send(events.CLOCK, utc_s * 1000, quality)

    def pilot(self, letter: str) -> list[tuple]:
        return self.send(events.PILOT, events.LETTERS.index(letter), 0, 0)

    def approve_meter(self, meter_id: int) -> list[tuple]:
        return self.send(events.METER_APPROVED, meter_id)

    def tick(self) -> list[tuple]:
        return self.send(events.TICK)

    def follow(self) -> None:
        """The contactor does as it was told."""
        self.send(events.CONTACTOR, self.state.contactor)

    def run(self, seconds: int, power_w: int = 0, read_s: int = 10) -> None:
        """Lets time go by with a reading every read_s and ticks when they are due."""
        end = self.now + seconds * 1000
        start, start_wh = self.now, self.register_wh
        following = self.now + read_s * 1000
        while self.now < end:
            soonest = self.now + 1 if self.state.wanted else max(self.now + 1, self.state.due)
            at = min(end, following, soonest)
            self.now = at
            if at >= following or self.state.wanted:
                register_wh = start_wh + power_w * (at - start) // 3_600_000
                self.read(register_wh - self.register_wh)
                following = at + read_s * 1000
            else:
                self.tick()

    def ready(self) -> None:
        """Boot, clock, meter: as a box that was just switched on at home."""
        self.boot()
        self.clock()
        self.identity()
        self.read()

    def charge(self) -> None:
        """The car is plugged in, asks for power and gets it."""
        self.pilot("B")
        self.read()
        self.pilot("C")
        self.follow()

    def of_kind(self, kind: int) -> list[tuple]:
        return [fact for fact in self.facts if fact[0] == kind]

    def survivor(self) -> "Player":
        """The box after a power cut that forgot all but its ledger."""
        return Player(self)


def accounted_wh(facts: list[tuple]) -> int:
    """Energy of all intervals and gaps."""
    return sum(fact[3] for fact in facts if fact[0] in PARTS)
