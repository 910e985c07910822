"""The agent on real rings: order of writing and acting, failing flash, full ledger, power cuts."""

import hashlib
import hmac
import random

import pytest
from wallbox.agent import Agent
from wallbox.core import decisions, events, refusals, status
from wallbox.inbox import Inbox
from wallbox.store.ledger import Ledger
from wallbox.store.trace import Trace

from hw.sim.flash import Partition
from hw.sim.flash_faults import FaultyFlash, PowerCut
from tests.player import CONFIG, UTC_S, accounted_wh

KEY = bytes(range(32))
SECTOR = 4096
DELIVERED = 2  # code of the link


class Drivers:
    """Records what the agent does; each entry with the ledger's next sequence at that moment."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.log: list[tuple[str, int, int]] = []
        self.contactor = self.pilot = self.lamp = self.sampling = self.seals = self

    def set(self, closed: int) -> None:
        self.log.append(("contactor", closed, self.ledger.next_sequence))

    def set_duty(self, duty_permille: int) -> None:
        self.log.append(("duty", duty_permille, self.ledger.next_sequence))

    def show(self, status: int) -> None:
        self.log.append(("lamp", status, self.ledger.next_sequence))

    def answer(self, accepted: bool) -> None:
        self.log.append(("answer", int(accepted), self.ledger.next_sequence))

    def reset(self) -> None:
        self.log.append(("latches", 0, self.ledger.next_sequence))

    def want(self, now: int) -> None:
        self.log.append(("want", 1, self.ledger.next_sequence))

    @property
    def closed(self) -> int:
        return next((value for what, value, _ in reversed(self.log) if what == "contactor"), 0)


class MemoryFile:
    """The lease file of a bench that has no file system: `data` outlives a boot."""

    def __init__(self, data: bytearray) -> None:
        self.data = data

    def load(self, table: bytearray) -> int:
        if not self.data:
            return 0
        table[:] = self.data[4:]
        return int.from_bytes(self.data[:4], "little")

    def save(self, table: bytearray, sequence: int) -> None:
        self.data[:] = sequence.to_bytes(4, "little") + table


class Bench:
    """An agent whose ledger has `sectors` sectors; the test plays meter, car, clock, operator."""

    def __init__(self, sectors: int = 8, seed: int = 1, config: dict | None = None) -> None:
        self.sectors = sectors
        self.config = {**CONFIG, **(config or {})}
        self.leases = bytearray()
        self.latched = 0
        self.flash = FaultyFlash(2 * sectors * SECTOR, seed)
        self.register_wh = 1_000_000
        self.heartbeat: tuple[int, int, int] | None = None
        self.now = 0
        self.boots = 0
        self.boot()

    def boot(self) -> None:
        size = self.sectors * SECTOR
        ledger = Ledger(Partition(self.flash, 0, size, "ledger"), KEY)
        trace = Trace(Partition(self.flash, size, size, "trace"), KEY)
        ledger.mount()
        trace.mount()
        self.boots += 1
        self.now = 0
        self.drivers = Drivers(ledger)
        self.lease_file = self.make_lease_file()
        boot = ledger.last_boot + 1
        self.agent = Agent(Inbox(), ledger, trace, self.drivers, boot, self.lease_file)
        self.recover()

    def make_lease_file(self):
        return MemoryFile(self.leases)

    def recover(self, cause: int = events.POWER_UP) -> None:
        heartbeat = self.agent.trace.last_of(events.METER_READING)
        boot = [events.BOOT, self.agent.boot, cause, 0, 0, 0, 0, b"test"]
        if heartbeat:
            reading = [0] * events.MAX_FIELDS
            events.unpack_into(reading, heartbeat[0], 0, len(heartbeat[0]))
            boot[3:7] = [1, reading[1], heartbeat[3], heartbeat[4]]
        config = [events.CONFIG, *self.config.values(), bytes(8)]
        self.agent.recover((config, boot, [events.SEAL, 0, self.latched]), self.now)

    def send(self, kind: int, *values: int | bytes) -> None:
        event = [kind, *values] + [0] * (events.MAX_FIELDS - 1 - len(values))
        self.agent.take(event, self.now)

    def read(self, add_wh: int = 0) -> None:
        self.register_wh += add_wh
        self.send(events.METER_READING, self.register_wh, *[0] * 11)

    def ready(self) -> None:
        self.send(events.CLOCK, (UTC_S + 10_000 * self.boots) * 1000, 3)
        self.send(events.METER_IDENTITY, 42, b"a|b|c")
        self.read()

    def pilot(self, letter: str) -> None:
        self.send(events.PILOT, events.LETTERS.index(letter), 0, 0)

    def charge(self) -> None:
        self.pilot("B")
        self.read()
        self.pilot("C")
        self.send(events.CONTACTOR, 1)

    def quarter(self, add_wh: int = 2000) -> None:
        for _ in range(10):
            self.now += 90_000
            self.read(add_wh // 10)

    def fill(self) -> None:
        """Quarters go by until the ledger is full."""
        while not self.agent.state.ledger_full:
            self.quarter()
            self.agent.tell_ledger()
            told = self.agent.inbox.take()
            if told:
                self.agent.take(told, self.now)
                self.agent.inbox.release()

    def acknowledge(self) -> None:
        """The operator has everything."""
        ledger = self.agent.ledger
        last = ledger.next_sequence - 1
        buf = bytearray(254)
        ledger.read_into(last, buf)
        mac = bytes(buf[buf[0] - 8 : buf[0]])
        body = last.to_bytes(4, "little") + mac
        proof = hmac.new(KEY, b"ack" + body, hashlib.sha256).digest()[:8]
        assert ledger.acknowledge_message(body + proof)

    def facts(self) -> list:
        found = [decisions.unpack(record[1], record[6]) for record in self.agent.ledger.records()]
        return [fact for fact in found if fact]


def test_the_session_is_on_flash_before_the_contactor_closes():
    bench = Bench()
    bench.ready()
    bench.pilot("C")
    before = bench.agent.ledger.next_sequence
    bench.read()
    what, closed, at = bench.drivers.log[-2]
    assert (what, closed) == ("contactor", 1) and at > before
    assert bench.facts()[-1][0] == decisions.SESSION_BEGIN


def test_the_contactor_opens_before_anything_is_written():
    bench = Bench()
    bench.ready()
    bench.charge()
    before = bench.agent.ledger.next_sequence
    bench.send(events.METER_REFUSED, 3)
    assert ("contactor", 0, before) in bench.drivers.log
    assert bench.agent.ledger.next_sequence == before + 1


def test_a_seal_opens_the_contactor_first_and_new_seals_reset_the_latches():
    bench = Bench()
    bench.ready()
    bench.charge()
    before = bench.agent.ledger.next_sequence
    bench.send(events.SEAL, 1, 0)
    assert ("contactor", 0, before) in bench.drivers.log
    assert ("lamp", status.SEAL_BROKEN, before + 1) in bench.drivers.log
    bench.send(events.CONTACTOR, 0)
    bench.now += 60_000
    bench.send(events.SEAL, 0, 0)
    bench.send(events.SEALED, b"A-1 A-2")
    assert [what for what, _, _ in bench.drivers.log].count("latches") == 1
    assert bench.drivers.closed == 1


def test_a_seal_that_is_opened_while_nothing_can_be_written_stays_broken():
    bench = Bench(sectors=4)
    bench.ready()
    bench.charge()
    while not bench.agent.halted:
        bench.quarter()
    bench.send(events.SEAL, 2, 0)
    bench.send(events.SEAL, 0, 0)
    bench.acknowledge()
    bench.recover(events.RESUMED)
    assert bench.agent.state.seal_broken == 2 and not bench.agent.halted
    assert decisions.SEAL in [fact[0] for fact in bench.facts()]


def test_a_seal_whose_own_record_finds_no_room_stays_broken():
    bench = Bench(sectors=4)
    bench.ready()
    for number in range(2000):
        bench.now += 61_000  # repeats are told once a minute at most
        bench.send(events.SEAL, number & 1, 0)
        if bench.agent.halted:
            break
    assert bench.agent.halted
    bench.acknowledge()
    bench.recover(events.RESUMED)
    assert bench.agent.state.seal_broken & 1


def test_a_latch_that_is_set_at_the_boot_is_a_broken_seal():
    bench = Bench()
    bench.ready()
    bench.latched = 2
    bench.boot()
    assert bench.agent.state.seal_broken == 2
    bench.latched = 0
    bench.boot()
    bench.ready()
    bench.charge()
    assert bench.agent.state.seal_broken == 2 and bench.drivers.closed == 0
    changes = [fact for fact in bench.facts() if fact[0] == decisions.SEAL]
    assert [fact[3:5] for fact in changes] == [[1, 2]], "opened without power, told once"


def test_a_tap_is_answered_at_the_lamp():
    bench = Bench(config={"mode": 1})
    bench.ready()
    bench.send(events.TAG, 3, 0, 0, 0, 0, 0, 7, b"stranger")
    bench.send(events.TAG, 0, 0, 5, 0, 0, 0, 7, b"neighbou")
    assert [value for what, value, _ in bench.drivers.log if what == "answer"] == [0, 1]


def test_a_flash_that_fails_stops_the_charge_and_no_grant_follows(capsys):
    bench = Bench()
    bench.ready()
    bench.charge()
    bench.flash.bad_sectors.update(dict.fromkeys(range(bench.sectors), 1))
    bench.quarter()
    assert bench.agent.halted and bench.drivers.closed == 0
    assert "store: " in capsys.readouterr().out
    bench.pilot("B")
    bench.pilot("C")
    assert bench.drivers.closed == 0


def test_a_trace_that_fails_stops_nobody(capsys):
    bench = Bench()
    bench.ready()
    bench.charge()
    bench.flash.bad_sectors.update({bench.sectors + n: 1 for n in range(bench.sectors)})
    bench.quarter()
    assert not bench.agent.halted and bench.drivers.closed == 1
    assert bench.agent.trace_failed and capsys.readouterr().out.count("store: ") == 1


def test_a_full_ledger_ends_what_runs_begins_nothing_and_goes_on_when_read():
    bench = Bench(sectors=4)
    bench.ready()
    bench.charge()
    bench.fill()
    assert bench.drivers.closed == 1, "the running session goes on"
    bench.pilot("A")
    bench.read(1)
    assert bench.facts()[-1][0] == decisions.SESSION_END
    bench.charge()
    assert bench.drivers.closed == 0
    bench.acknowledge()
    bench.send(events.LINK, DELIVERED)
    bench.agent.tell_ledger()
    bench.agent.take(bench.agent.inbox.take(), bench.now)
    bench.agent.inbox.release()
    bench.read()
    assert bench.drivers.closed == 1
    assert accounted_wh(bench.facts()) == bench.agent.state.accounted_wh - 1_000_000


def test_a_full_ledger_refuses_a_new_session_after_a_reboot_too():
    bench = Bench(sectors=16)
    bench.ready()
    bench.fill()
    for _ in range(3):
        bench.boot()
        bench.ready()
        bench.charge()
        assert bench.drivers.closed == 0
        assert refusals.names(bench.agent.state.refusals)[0] == "LedgerFull"
    assert decisions.SESSION_BEGIN not in [fact[0] for fact in bench.facts()]


def test_the_reserve_of_a_full_ledger_outlasts_many_power_cuts():
    bench = Bench(sectors=128)
    bench.ready()
    bench.fill()
    boots = 0
    while not bench.agent.halted and boots < 500:
        bench.boot()
        bench.ready()
        boots += 1
    assert boots >= 60, boots
    configurations = [fact for fact in bench.facts() if fact[0] == decisions.CONFIGURATION]
    assert len(configurations) == 1, "what has not changed is no news worth the reserve"


def test_when_nothing_can_be_written_any_more_the_books_still_close_after_the_operator_has_read():
    bench = Bench(sectors=4)
    bench.ready()
    bench.charge()
    while not bench.agent.halted:
        bench.quarter()
    assert bench.drivers.closed == 0
    state = bench.agent.state
    assert refusals.names(state.refusals) == ["LedgerFull"]
    assert status.NAMES[status.of(state)] == "SuspendedEVSE" and state.contactor == 0
    bench.acknowledge()
    bench.recover(events.RESUMED)
    bench.ready()
    bench.pilot("A")
    bench.read(5)
    facts = bench.facts()
    gap = [fact for fact in facts if fact[0] == decisions.GAP_END][-1]
    assert gap[6] & decisions.GAP_STORAGE and not gap[6] & decisions.GAP_POWER
    assert decisions.BOOT not in [fact[0] for fact in facts[-6:]], "it was no boot"
    ended = [fact for fact in facts if fact[0] == decisions.SESSION_END][-1]
    assert ended[4] == bench.register_wh - 1_000_000


@pytest.mark.parametrize(("charging", "cadence_s"), [(True, 10), (False, 60)])
def test_what_was_known_before_a_power_cut_is_one_cadence_old_at_most(charging, cadence_s):
    """The cadence is that of wallbox.sampling; the cut comes just before the next reading."""
    bench = Bench()
    bench.ready()
    if charging:
        bench.charge()
    for _ in range(20):
        bench.now += cadence_s * 1000
        bench.read(add_wh=30)
    cut_utc_s = UTC_S + 10_000 * bench.boots + bench.now // 1000 + cadence_s - 1
    bench.boot()
    begin = [fact for fact in bench.facts() if fact[0] == decisions.GAP_BEGIN][-1]
    assert begin[1] == bench.register_wh
    assert 0 <= cut_utc_s - begin[3] < cadence_s and begin[4] == events.SYNCHRONISED


@pytest.mark.parametrize("story", range(4))
def test_power_cuts_in_any_write_of_the_agent_cost_not_one_wh(story, seed):
    chance = random.Random(seed + story)
    bench = Bench(sectors=16, seed=story + 1)
    cuts = 0
    while cuts < 60:
        bench.flash.cut_in(chance.randrange(1, 25))
        try:
            bench.ready()
            bench.charge()
            for _ in range(40):
                bench.quarter(chance.randrange(3000))
                if chance.random() < 0.2:
                    bench.acknowledge()
            continue
        except PowerCut:
            cuts += 1
        while True:
            bench.flash.power_on()
            try:
                bench.boot()
                break
            except PowerCut:
                cuts += 1
    bench.flash.cut_in(0)
    bench.ready()
    bench.pilot("A")
    bench.read()
    bench.quarter(0)
    assert bench.agent.state.accounted_wh == bench.register_wh
    facts = bench.facts()
    held = [fact for fact in facts if fact[0] in (decisions.INTERVAL, decisions.GAP_END)]
    assert accounted_wh(facts) == held[-1][1] - (held[0][1] - held[0][3])
    ended = [fact for fact in facts if fact[0] == decisions.SESSION_END]
    assert ended and ended[-1][1] == bench.register_wh
