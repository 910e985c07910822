"""Plays events into the core and keeps what it decided, for tests that read as stories."""

import hashlib

from wallbox.core import (
    clock,
    codes,
    decisions,
    engine,
    events,
    fields,
    leases,
    refusals,
    status,
)

UTC_S = 1_790_000_200  # 100 s after a quarter
PARTS = (decisions.INTERVAL, decisions.GAP_END, decisions.METER_ROLLOVER)


# codes of the link by the names of docs/mqtt.md
LINK = ("none", "connected", "delivered", "no wifi", "no address", "no broker", "refused")
LINK += ("no trust", "lost", "late", "malformed", "store failed")

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
            self.register_wh = before.register_wh
        self.configure()

    def configure(self, **config: int) -> list[tuple]:
        self.config.update(config)
        return self.send(events.CONFIG, *self.config.values(), b"\x01" * 8)

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

    # who may charge

    def tap(
        self,
        name: str = "anna",
        status: str = "Accepted",
        kind: int = 0,
        subscription: int = 1,
        limit_ma: int = 0,
        expires_utc_s: int = 0,
        copied: bool = False,
        version: int = 7,
    ) -> list[tuple]:
        verdict = codes.TAG_VERDICTS.index(status)
        told = (verdict, kind, subscription, limit_ma, expires_utc_s, copied, version)
        return self.send(events.TAG, *told, tag(name))

    def tag_status(
        self, name: str, status: str, limit_ma: int = 0, expires_utc_s: int = 0
    ) -> list[tuple]:
        verdict = codes.TAG_VERDICTS.index(status)
        return self.send(events.TAG_STATUS, verdict, limit_ma, expires_utc_s, tag(name))

    def reader(self, present: bool) -> list[tuple]:
        return self.send(events.READER, present)

    def mode(self, name: str, from_utc_s: int = 0) -> list[tuple]:
        return self.send(events.MODE, ("free", "required").index(name), from_utc_s)

    def remote_start(
        self, subscription: int = 1, limit_ma: int = 0, name: str = "", status: str = "Accepted"
    ) -> list[tuple]:
        """The tag, if one is named, and what the list says of it."""
        told = (codes.TAG_VERDICTS.index(status), subscription, limit_ma)
        return self.send(events.REMOTE_START, *told, tag(name) if name else b"")

    def remote_stop(self, session: int = 0) -> list[tuple]:
        return self.send(events.REMOTE_STOP, session)

    # seals, life, place

    def seal(self, opened: int = 0, latched: int = 0) -> list[tuple]:
        return self.send(events.SEAL, opened, latched)

    def sealed(self, numbers: bytes = b"1001 1002") -> list[tuple]:
        return self.send(events.SEALED, numbers)

    def lifecycle(self, after: str, by: str = "operator", reason: str = "none") -> list[tuple]:
        return self.send(
            events.LIFECYCLE,
            codes.LIFECYCLES.index(after),
            codes.LIFECYCLE_BY.index(by),
            codes.LIFECYCLE_REASONS.index(reason),
        )

    def scan(self, known: int, others: int) -> list[tuple]:
        return self.send(events.PLACE, known, others)

    def approve_place(self) -> list[tuple]:
        return self.send(events.PLACE_APPROVED)

    def link(self, code: str) -> list[tuple]:
        return self.send(events.LINK, LINK.index(code))

    def announce(self, from_utc_s: int, until_utc_s: int) -> list[tuple]:
        return self.send(events.ABSENCE, from_utc_s, until_utc_s)

    # limits

    def lease(
        self,
        source: str,
        number: int,
        limit_ma: int,
        from_utc_s: int,
        until_utc_s: int,
        fallback_ma: int = leases.NONE_MA,
    ) -> list[tuple]:
        numbered = codes.LIMIT_SOURCES.index(source)
        told = (numbered, number, limit_ma, from_utc_s, until_utc_s, fallback_ma)
        return self.send(events.LEASE, *told)

    def lease_end(self, number: int) -> list[tuple]:
        return self.send(events.LEASE_END, number)

    def local_limit(self, source: str, limit_ma: int) -> list[tuple]:
        return self.send(events.LOCAL_LIMIT, codes.LIMIT_SOURCES.index(source), limit_ma)

    def opt_out(self, on: bool = True) -> list[tuple]:
        return self.send(events.OPT_OUT, on)

    def charge_now(self, on: bool = True) -> list[tuple]:
        return self.send(events.CHARGE_NOW, on)

    # what the box is like now

    @property
    def utc_s(self) -> int:
        return clock.utc_s(self.state, self.now)

    @property
    def powered(self) -> bool:
        return self.state.contactor == 1

    @property
    def refused(self) -> list[str]:
        return refusals.names(self.state.refusals)

    @property
    def status(self) -> str:
        return status.NAMES[status.of(self.state)]

    @property
    def sources(self) -> dict[str, int]:
        """mA by the name of each source that limits."""
        limits = zip(codes.LIMIT_SOURCES, self.state.limits, strict=True)
        return {source: limit_ma for source, limit_ma in limits if limit_ma < leases.NONE_MA}

    def last(self, kind: int) -> dict:
        """The newest fact of a kind by the names of its fields; {} if there is none."""
        found = self.of_kind(kind)
        return named(found[-1]) if found else {}

    def stop_reason(self) -> str:
        """Why the last session ended, in OCPP's words."""
        return decisions.REASONS[self.of_kind(decisions.SESSION_END)[-1][7]]

    def follow(self) -> None:
        """The contactor does as it was told."""
        self.send(events.CONTACTOR, self.state.contactor)

    def wait(self, seconds: int) -> None:
        """Time goes by without a meter: ticks alone, when they are due."""
        end = self.now + seconds * 1000
        while self.now < end:
            self.now = max(self.now + 1, min(end, self.state.due))
            self.tick()
            self.follow()

    def run(self, seconds: int, power_w: int = 0, read_s: int = 10) -> None:
        """Time goes by with a reading every read_s and ticks when due; the contactor follows."""
        end = self.now + seconds * 1000
        start, start_wh = self.now, self.register_wh
        following = self.now + read_s * 1000
        while self.now < end:
            if self.state.contactor != self.state.contactor_closed:
                self.follow()
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

    def home(self) -> "Player":
        """As a box that was switched on at home, sealed, and reached the operator."""
        self.ready()
        self.pilot("A")
        self.seal()
        self.link("connected")
        self.link("delivered")
        return self

    def resume(self, seconds: int = 60, clock: bool = True, cause: int = 1) -> "Player":
        """The box that comes back after a power cut of so many seconds, with its whole ledger."""
        after = self.survivor()
        after.facts, after.fact_times = self.facts, self.fact_times
        heartbeat = (self.state.register_wh, self.utc_s, events.SYNCHRONISED)
        after.boot(2, heartbeat if self.state.reading else None, cause)
        after.seal()
        if clock:
            after.clock(self.utc_s + seconds)
        after.identity()
        after.read()
        return after

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


def tag(name: str) -> bytes:
    """What stands for a tag in events and facts."""
    return hashlib.sha256(name.encode()).digest()[:8]


def named(fact: tuple) -> dict:
    """A fact by the names of its fields, codes in their words."""
    kind, specification = decisions.facts()[fact[0]]
    told = dict(zip(fields.names(specification), fact[1:], strict=True))
    for field, value in told.items():
        known = codes.NAMES.get((kind, field))
        if known and known[0] is None:
            told[field] = [name for bit, name in enumerate(known[1:]) if value >> bit & 1]
        elif known:
            told[field] = known[value]
    return told


def accounted_wh(facts: list[tuple]) -> int:
    """Energy of all intervals and gaps."""
    return sum(fact[3] for fact in facts if fact[0] in PARTS)
