"""A field log with much in it: the real agent on real rings, its devices and its time played.

Nights round the end of summer time 2026, and boots that never learn the time.
"""

from __future__ import annotations

from pathlib import Path

from wallbox import link
from wallbox.agent import Agent
from wallbox.core import events
from wallbox.inbox import Inbox
from wallbox.sampling import Sampling
from wallbox.store.leasefile import LeaseFile
from wallbox.store.ledger import Ledger
from wallbox.store.trace import Trace

from host.figures.on_box.player import Meter, Player, Switches
from host.ledger.verify.ring_image import read_image
from host.replay.field_log import FieldLog, Origin
from hw.sim.flash import NorFlash, Partition

SERIAL = "WB-000007"
KEY = bytes(range(32))
BEGIN_UTC_S = 1_792_850_400  # 2026-10-24 14:00 UTC
HOUR_S = 3600
SIZE = 0x80000
TRACE_SIZE = 0x100000
GRID, PROTECTION = 4, 5  # sources of limits


class Seals:
    """The latch of the seals."""

    def reset(self) -> None:
        """Nothing to do: the story says what is open."""


class FieldBox(Player):
    """A box whose mains and clock the story switches; `now` is ms since boot."""

    def __init__(self, folder: Path) -> None:
        self.ledger_flash, self.trace_flash = NorFlash(None, SIZE), NorFlash(None, TRACE_SIZE)
        self.ledger = Ledger(Partition(self.ledger_flash, 0, SIZE, "ledger"), KEY)
        self.trace = Trace(Partition(self.trace_flash, 0, TRACE_SIZE, "trace"), KEY)
        self.folder = folder
        self.now, self.online, self.boots = 0, False, 0
        self.wish_w = 0  # what the car would draw
        self.utc_s = BEGIN_UTC_S  # at `booted_at`, as the world has it
        self.seals = Seals()
        self.meter = Meter(lambda: self.now)

    def boot(self, cause: int = events.POWER_UP, clock: bool = True) -> None:
        """The mains come back, `off_s` after they went."""
        self.now, self.boots = 0, self.boots + 1
        self.meter.due, self.meter._at = 100, 0
        self.ledger.mount()
        self.trace.mount()
        self.inbox = Inbox()
        self.contactor = self.pilot = self.lamp = Switches()
        self.sampling = Sampling(self.meter, self.inbox, lambda: self.agent.state.contactor == 1)
        self.agent = Agent(
            self.inbox, self.ledger, self.trace, self, self.boots,
            LeaseFile(str(self.folder / "leases")),
        )
        config = [events.CONFIG, 1, 16_000, 900, 20_000, 2, 0, 72, 24, 2, 0, bytes(8), 0]
        boot = [events.BOOT, self.boots, cause, 0, 0, 0, 0, b"1.0"] + [0] * 5
        heartbeat = self.trace.last_of(events.METER_READING)
        if heartbeat:
            event, _, _, utc_s, quality = heartbeat
            boot[3:7] = [1, int.from_bytes(event[1:6], "little"), utc_s, quality]
        self.agent.recover((config, boot), 0)
        self.send(events.SEAL, 0, 0)
        if clock:
            self.tell_time()
        self.send(events.METER_IDENTITY, 42, b"maker|model|1")
        self.send(events.PILOT, events.A, 12_000, 12_000)

    def tell_time(self) -> None:
        self.send(events.CLOCK, self.utc_s * 1000 + self.now, events.SYNCHRONISED)

    def cut(self, off_s: int) -> None:
        self.utc_s += self.now // 1000 + off_s
        self.wish_w = self.meter.power_w = 0

    def later(self, seconds: float) -> None:
        self.run(self.now + int(seconds * 1000))

    def charge(self, power_w: int, seconds: float) -> None:
        for letter in "BC":
            self.letter(letter)
            self.later(5)
        self.wish_w = power_w
        self.later(seconds)

    def send(self, kind: int, *values: object) -> None:
        super().send(kind, *values)
        if kind != events.CONTACTOR:
            self.follow()

    def drain(self) -> None:
        super().drain()
        self.follow()

    def keep(self) -> None:
        """Each second: a car that heeds the limit."""
        super().keep()
        state = self.agent.state
        self.meter.power_w = min(self.wish_w, state.limit_ma * 690 // 1000) * state.contactor_closed

    def leave(self) -> None:
        self.wish_w = 0
        self.letter("A")
        self.later(5)

    def link(self, code: int) -> None:
        self.send(events.LINK, code)
        self.online = code == link.DELIVERED


def records(flash: NorFlash) -> list[bytes]:
    contents = read_image(flash.image(), lambda *_: None, longest=254)
    return [stored.data for stored in contents.stored]


def field_log(folder: Path, hours: int = 40) -> FieldLog:
    """The log of such a box; `hours` of its second boot."""
    box = FieldBox(folder)
    _first_boot(box)
    _nights(box, hours)
    box.cut(off_s=1800)
    box.boot(clock=False)  # no network: never knows the time
    box.later(600)
    box.charge(7_400, 1800)
    box.cut(off_s=60)
    origin = Origin(SERIAL, "story", "2026-10-27T08:00:00Z", "1.0")
    return FieldLog(origin, records(box.trace_flash), records(box.ledger_flash))


def _first_boot(box: FieldBox) -> None:
    box.boot(clock=False)
    box.later(90)
    box.tell_time()
    for code in (link.LINK_UP, link.DELIVERED):
        box.link(code)
    box.later(1800)
    box.charge(11_000, 5400)
    box.cut(off_s=420)  # in mid-session


def _nights(box: FieldBox, hours: int) -> None:
    box.boot()
    until = hours * HOUR_S * 1000
    box.link(link.LINK_UP)
    box.link(link.DELIVERED)
    box.charge(11_000, HOUR_S)
    now_s = box.utc_s + box.now // 1000
    box.send(events.LEASE, GRID, 1, 8_000, now_s, now_s + 2 * HOUR_S, 16_000)
    box.later(HOUR_S)
    box.send(events.LEASE, PROTECTION, 2, 0, now_s + HOUR_S, now_s + 5400, 16_000)
    box.later(2 * HOUR_S)
    box.leave()
    box.later(HOUR_S)
    box.link(link.NO_BROKER)
    box.later(3 * HOUR_S)  # over the end of summer time
    box.send(events.SEAL, 1, 1)
    box.later(20)
    box.charge(11_000, 900)  # refused: the seal is broken
    box.leave()
    box.send(events.SEAL, 0, 0)
    box.later(HOUR_S)
    box.send(events.SEALED, b"4711 4712")
    box.send(events.SEAL, 0, 0)
    for code in (link.LINK_UP, link.DELIVERED):
        box.link(code)
    box.later(HOUR_S)
    box.send(events.METER_SILENT, 1)
    box.charge(0, 300)
    box.leave()
    box.later(HOUR_S)
    box.send(events.LIFECYCLE, 3, 2, 4)  # suspended for payment
    box.later(2 * HOUR_S)
    box.charge(11_000, 600)
    box.leave()
    box.send(events.LIFECYCLE, 2, 2, 0)
    while box.now < until:
        box.later(2 * HOUR_S)
        box.charge(7_400, 1.5 * HOUR_S)
        box.leave()
