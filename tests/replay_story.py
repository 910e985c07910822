"""A box on real rings whose trace is replayed: the real agent, meter, car and clock by the test."""

from __future__ import annotations

from binascii import crc32
from pathlib import Path

from wallbox.core import events

from host.replay import cores
from host.replay.field_log import FieldLog, Origin, from_ring, write_log
from tests.player import UTC_S
from tests.test_agent import SECTOR, Bench, Drivers

MINUTE_MS = 60_000
TAG = b"\x11\x22\x33\x44\x55\x66\x77\x88"
SERIAL = "WB-778899"
SEALS = b"SN-4711 SN-4712"
IDENTITY = b"maker|model|98765432"
METER_ID = 98_765_432
SUBSCRIPTION = 40_312_345


class TracedDrivers(Drivers):
    @property
    def meter(self):
        return self

    def accept(self) -> None:
        pass


class TracedBench(Bench):
    """A bench whose trace is flushed after each event, as the box's tasks do within a second."""

    def boot(self) -> None:
        super().boot()
        self.agent.drivers = TracedDrivers(self.agent.ledger)

    def recover(self, cause: int = 1) -> None:
        core = cores.of_tree()
        self.agent.marks = core.hash + b"config!!"
        super().recover(cause)

    def send(self, kind: int, *values) -> None:
        super().send(kind, *values)
        self.agent.flush_trace(self.now)

    def minutes(self, count: int, add_wh: int = 0) -> None:
        for _ in range(count):
            self.now += MINUTE_MS
            self.read(add_wh)

    def known(self, utc_s: int = UTC_S) -> None:
        """Clock, meter and a first reading."""
        self.send(events.CLOCK, utc_s * 1000, 3)
        self.send(events.METER_IDENTITY, METER_ID, IDENTITY)
        self.read()

    def trace_image(self) -> bytes:
        size = self.sectors * SECTOR
        return self.flash.image()[size : 2 * size]

    def log(self, serial: str = SERIAL) -> FieldLog:
        core = cores.of_tree()
        log = from_ring(self.trace_image(), Origin(serial, "test"))
        log.ledger = from_ring(self.flash.image()[: self.sectors * SECTOR], Origin()).ledger
        log.layouts = {core.hash: core.layout}
        return log

    def save(self, path: Path) -> Path:
        write_log(path, self.log())
        return path


def with_check(record: bytes) -> bytes:
    """With its check computed anew; no mac is looked at here."""
    crc = crc32(record[:-10])
    return record[:-10] + ((crc ^ crc >> 16) & 0xFFFF).to_bytes(2, "little") + record[-8:]


def charging_story(sectors: int = 64) -> TracedBench:
    """Somebody charges for two hours by a tag; the meter falls silent; seals are renewed; a cut."""
    bench = TracedBench(sectors=sectors)
    bench.known()
    bench.send(events.LINK, 2)
    bench.send(events.SEALED, SEALS)
    bench.send(events.TAG, 0, 0, SUBSCRIPTION, 0, 0, 0, 7, TAG)
    bench.charge()
    bench.minutes(70, 180)
    bench.now += 151_000
    bench.send(events.METER_SILENT, 1)
    bench.send(events.CONTACTOR, 0)
    bench.now += 60_000
    bench.read()
    bench.send(events.CONTACTOR, bench.agent.state.contactor)
    bench.minutes(30, 180)
    bench.pilot("A")
    bench.send(events.CONTACTOR, 0)
    bench.read()
    bench.minutes(20)
    bench.boot()
    bench.known(UTC_S + 9000)
    bench.minutes(10)
    return bench
