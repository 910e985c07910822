"""A log as long as wanted, of a box that charges each evening: the real agent, and no flash.

For benches and tests: 60 readings an hour, a session a day, and what else happens meanwhile.
"""

from __future__ import annotations

from typing import Any

from wallbox.agent import Agent
from wallbox.core import events
from wallbox.inbox import Inbox
from wallbox.store.record import PAYLOAD_MAX, Chain
from wallbox.store.trace import Trace

from host.replay.cores import of_tree
from host.replay.field_log import FieldLog, Origin

UTC_S = 1_767_225_600  # 2026-01-01 00:00
MINUTE_MS = 60_000
_CONFIG = (1, 16_000, 900, 0, 2, 0, 72, 24, 2, 0, bytes(8))
_PLUGGED, _UNPLUGGED = 18 * 60, 22 * 60  # minutes of the day
_BATCHES = 4


class _Records(Trace):
    """A trace that keeps its records in RAM."""

    def __init__(self, key: bytes) -> None:
        self.lost = 0
        self._batches = tuple(bytearray(PAYLOAD_MAX) for _ in range(_BATCHES))
        self._lengths = [0] * _BATCHES
        self._begins = [0] * _BATCHES
        self._last_ms = self._filled = 0
        self.kept: list[bytes] = []
        self._composed = Chain(key)
        self._composed.previous[:] = self._composed.tag(b"wallbox trace")

    def append(
        self, kind: int, quality: int, boot: int, uptime_ms: int, utc_s: int, payload: Any,
        length: int | None = None,
    ) -> int:
        assert length is not None
        chain, sequence = self._composed, len(self.kept) + 1
        total = chain.compose(
            kind | quality << 6, sequence, boot, uptime_ms, utc_s, payload, length
        )
        self.kept.append(bytes(chain.record[:total]))
        chain.accept()
        return sequence


class _Box:
    """What the agent has around it: an empty ledger that takes all, drivers that do nothing."""

    fill_permille = last_boot = 0
    next_sequence = 1
    state_source: Any = None

    def __init__(self) -> None:
        self.contactor = self.pilot = self.lamp = self.sampling = self.seals = self.meter = self

    def recent_records(self) -> tuple[()]:
        return ()

    def append(self, *_fact: object) -> None:
        self.next_sequence += 1

    def nothing(self, *_what: object) -> None:
        """All that a driver is told to do."""

    set = set_duty = show = answer = reset = want = accept = save = nothing

    def load(self, _table: bytearray) -> int:
        return 0


class Story:
    """Plays a box minute by minute."""

    def __init__(self, trace: Trace) -> None:
        box: Any = _Box()
        self.trace = trace
        self.agent = Agent(Inbox(), box, self.trace, box, 1, box)
        self.agent.marks = of_tree().hash + bytes(8)
        self.now = 0
        self._register_wh = 1_000_000
        self._closed = 0
        self.agent.recover(([events.CONFIG, *_CONFIG], [events.BOOT, 1, 1, 0, 0, 0, 0, b"0"]), 0)
        self.send(events.CLOCK, UTC_S * 1000, 3)
        self.send(events.METER_IDENTITY, 4711, b"maker|model|4711")
        self.send(events.LINK, 2)

    def send(self, kind: int, *values: int | bytes) -> None:
        event = [kind, *values] + [0] * (events.MAX_FIELDS - 1 - len(values))
        self.agent.take(event, self.now)
        if self.agent.state.contactor != self._closed:
            self._closed = self.agent.state.contactor
            self.send(events.CONTACTOR, self._closed)

    def minute(self, number: int) -> None:
        """One reading and what is due; the car comes and goes by the time of day."""
        self.now = number * MINUTE_MS + 1000
        of_day = number % 1440
        if of_day in (_PLUGGED, _UNPLUGGED):
            self._plug(of_day == _PLUGGED)
        elif of_day == 3 * 60:
            self.send(events.CLOCK, UTC_S * 1000 + self.now, 3)
        elif number % 10 == 5:
            self.send(events.PLACE, 1, 3)
        power_w = 11_000 if self._closed else 0
        self._register_wh += power_w // 60
        currents_ma = (power_w * 1000 // 690,) * 3
        self.send(
            events.METER_READING, self._register_wh, power_w, *(power_w // 3,) * 3, *currents_ma,
            230_000, 230_000, 230_000, 50_000,
        )  # fmt: skip
        if self.agent.state.due <= self.now:
            self.send(events.TICK)

    def _plug(self, plugged: bool) -> None:
        self.send(events.PILOT, events.B if plugged else events.A, 9000, -12_000)
        if plugged:
            self.send(events.METER_READING, self._register_wh, *(0,) * 7, *(230_000,) * 3, 50_000)
            self.send(events.PILOT, events.C, 6000, -12_000)


def record(minutes: int, key: bytes = bytes(range(32))) -> FieldLog:
    """What a box records in so many minutes from its first boot on."""
    trace = _Records(key)
    story = Story(trace)
    for number in range(1, minutes + 1):
        story.minute(number)
    story.agent.flush_trace(story.now)
    core = of_tree()
    return FieldLog(Origin("YEAR-1", "made"), trace.kept, [], {core.hash: core.layout})
