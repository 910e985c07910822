"""A ledger as a box writes it, on a simulated flash: boots, intervals, a gap, a session."""

from __future__ import annotations

from wallbox.core import decisions
from wallbox.store.ledger import Ledger
from wallbox.store.record import STATE

from hw.sim.flash import NorFlash, Partition

KEY = bytes(range(32))
METER = 4711
START_WH = 1_000_000
UTC_S = 1_767_225_600  # 2026-01-01 00:00:00 UTC


class Story:
    """One box's life; `boot()` first, then what happens. The flash may be of any sort."""

    def __init__(self, sectors: int = 4, flash: NorFlash | None = None, key: bytes = KEY) -> None:
        self.flash = flash or NorFlash(size=sectors * 4096)
        self.key = key
        self.number = 0
        self.uptime_ms = 0
        self.utc_s = UTC_S
        self.register_wh = START_WH
        self.session_wh = 0
        self.session = 0
        self.payload = bytearray(256)

    def boot(self) -> Story:
        """The box starts: the ring is mounted, which leaves a mark behind what is there."""
        self.ring = Ledger(Partition(self.flash, 0, self.flash.size), self.key)
        self.ring.mount()
        self.ring.state_source = lambda: (STATE, b"what the box needs after a power cut")
        self.number += 1
        self.uptime_ms = 0
        self._recall()
        self.fact(decisions.BOOT, 1, b"0.1.0")
        if self.ring.next_sequence <= 4:
            self.fact(decisions.METER, self.register_wh, METER, b"Eastron|SDM630|4711")
        return self

    def _recall(self) -> None:
        """The register at which the ledger ends, which may be behind what this story knows."""
        begin = max(self.ring.oldest_sequence, self.ring.next_sequence - 100)
        for _, kind, _, _, _, _, payload in self.ring.records(begin):
            if kind in (decisions.METER, decisions.INTERVAL):
                self.register_wh = decisions.unpack(kind, payload)[1]

    def long_records(self, count: int) -> Story:
        """So long that 31 of them fill a sector."""
        for number in range(count):
            self.fact(decisions.FIRMWARE, self.register_wh, METER, b"%090d" % number)
        return self

    def fact(self, kind: int, *values: int | bytes) -> int:
        self.uptime_ms += 1000
        length = decisions.pack_into(self.payload, 0, (kind, *values))
        return self.ring.append(
            kind, 3, self.number, self.uptime_ms, self.utc_s, self.payload, length
        )

    def interval(self, energy_wh: int = 250) -> int:
        self.register_wh += energy_wh
        self.utc_s += 900
        return self.fact(
            decisions.INTERVAL, self.register_wh, METER, energy_wh, self.utc_s, 3, 900, 0
        )

    def intervals(self, count: int) -> Story:
        for _ in range(count):
            self.interval()
        return self

    def gap(self, energy_wh: int = 40) -> Story:
        begin_s = self.utc_s
        self.fact(decisions.GAP_BEGIN, self.register_wh, METER, begin_s, 3, decisions.GAP_METER)
        self.register_wh += energy_wh
        self.utc_s += 77
        cause = decisions.GAP_METER
        self.fact(decisions.GAP_END, self.register_wh, METER, energy_wh, begin_s, 3, cause)
        return self

    def plug(self) -> Story:
        self.session += 1
        self.session_wh = self.register_wh
        self.fact(
            decisions.SESSION_BEGIN, self.register_wh, METER, self.session, 1, 0, 0, b""
        )
        return self

    def unplug(self) -> Story:
        energy_wh = self.register_wh - self.session_wh
        self.fact(
            decisions.SESSION_END, self.register_wh, METER, self.session, energy_wh, UTC_S, 3,
            decisions.REASON_EV_DISCONNECTED, 0, 0,
        )  # fmt: skip
        return self

    def day(self) -> Story:
        """A session of a few intervals with a gap in it."""
        return self.intervals(2).plug().intervals(3).gap().intervals(2).unplug()

    @property
    def last(self) -> int:
        return self.ring.next_sequence - 1

    def image(self) -> bytes:
        return self.flash.image()
