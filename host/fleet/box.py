"""One simulated box: a life, a ledger in memory, and the firmware's link on a wire of the host."""

from __future__ import annotations

import hashlib
import hmac
import json
from collections import deque
from dataclasses import dataclass, field
from random import Random
from typing import Any

from wallbox.core import events

from host.fleet.chain import RecordChain
from host.fleet.ledger import MemoryLedger
from host.fleet.life import Happening, Life, Shown
from host.fleet.line import Line
from host.fleet.tally import Delays

BACKLOG_MAX = 4000  # records; a box that has more to deliver waits, as a full ledger does
BUSY_MS, IDLE_MS = 500, 5000  # between two looks at a box of which nothing is heard
_KEEP = 8  # acknowledged records that stay, for the box's question where the operator stands


@dataclass
class Tally:
    """Of the whole fleet, since it began."""

    records: int = 0
    acknowledged: int = 0
    connected: int = 0  # connections that the broker accepted
    lost: int = 0  # that broke, without those that the fleet itself cut
    refused: int = 0
    puback: Delays = field(default_factory=Delays)
    delivered: Delays = field(default_factory=Delays)  # from written to the operator's statement
    entered: Delays = field(default_factory=Delays)  # from the first attempt to accepted


def box_key(fleet_key: bytes, serial: str) -> bytes:
    """The key of a box, which only who has the fleet's key can tell."""
    return hmac.digest(fleet_key, b"wallbox fleet " + serial.encode(), hashlib.sha256)


class FleetBox:
    """`due_ms`: when the loop must look at it; `wants_line`: when it may connect, None = not."""

    def __init__(
        self, serial: str, key: bytes, seed: str, begin_s: float, config: dict[str, Any],
        tally: Tally,
    ) -> None:
        self.serial, self.key, self.tally = serial, key, tally
        random = Random(f"{seed} {serial}")
        self.jitter = Random(f"{seed} {serial} link")
        self.life = Life(random, begin_s - random.uniform(45, 600))
        self.chain = RecordChain(key)
        self.ledger = MemoryLedger(key)
        self.line = Line({**config, "serial": serial, "in_size": 1216}, self.ledger, self._status)
        self._hear = self.line.publisher.on_publish
        setattr(self.line.session, "on_puback", self._on_puback)  # noqa: B010
        setattr(self.line.publisher, "on_publish", self._on_statement)  # noqa: B010
        self.online = True
        self.attempts = 0
        self.trying_since: float | None = None
        self.ended = False  # nothing more is written
        self._boot_s = begin_s
        self._story = self.life.story()
        self._next = next(self._story)
        self._written: deque[tuple[int, float]] = deque()  # (sequence, ms) not acknowledged yet
        self._told = 0  # acknowledged, as counted
        self._utc_s = 0
        self._shown = Shown()
        self._uptime_ms = 0

    @property
    def backlog(self) -> int:
        return self.ledger.next_sequence - 1 - self.ledger.acknowledged

    @property
    def next_s(self) -> float:
        """When something happens next, UTC."""
        return self._next.at_s

    def live(self, until_s: float, now: float) -> bool:
        """Writes what happens up to then; True if the network has come or gone."""
        online = self.online
        while not self.ended and self._next.at_s <= until_s and self.backlog < BACKLOG_MAX:
            self._happens(self._next, now)
            self._next = next(self._story)
        return online != self.online

    def _happens(self, one: Happening, now: float) -> None:
        if one.online is not None:
            self.online = one.online
        if one.rebooted:
            self._boot_s = one.at_s - 1.5
        self._shown = one.shown
        if not one.facts:
            return
        self._utc_s = int(one.at_s) if one.known else 0
        quality = events.SYNCHRONISED if one.known else events.UNKNOWN
        uptime_ms = self._uptime_ms = int((one.at_s - self._boot_s) * 1000)
        for fact in one.facts:
            record = self.chain.fact(fact, quality, self.life.boot, uptime_ms, self._utc_s)
            self.ledger.add(record)
        self.tally.records += len(one.facts)
        self._written.append((self.chain.sequence - 1, now))
        self.line.publisher.status_wanted = True

    # --- what the link tells ---

    def _on_puback(self, packet_id: int) -> None:
        session = self.line.session
        if packet_id == session.timed_id:
            self.tally.puback.add(session.now - session.timed_at)
        type(session).on_puback(session, packet_id)

    def _on_statement(self, topic: bytes, payload: Any, flags: int, now: int) -> None:
        self._hear(topic, payload, flags, now)
        acknowledged = self.ledger.acknowledged
        if acknowledged <= self._told:
            return
        self.tally.acknowledged += acknowledged - self._told
        self._told = acknowledged
        while self._written and self._written[0][0] <= acknowledged:
            self.tally.delivered.add(now - self._written.popleft()[1])
        self.ledger.forget(_KEEP)

    def _status(self) -> bytes:
        """The members of docs/mqtt.md that a box always has, as long as a box's."""
        shown, charging = self._shown, self._shown.power_w > 0
        limit_ma = 16_000
        phase_w = shown.power_w // 3
        state = "Charging" if charging else "Available"
        session = {
            "id": shown.session, "start_utc_s": shown.session_s,
            "start_register_wh": shown.session_wh,
            "energy_wh": shown.register_wh - shown.session_wh,
        }
        told = {
            "online": True, "serial": self.serial, "lifecycle": "in service", "state": state,
            "why": state, "until_utc_s": 0, "refusals": [],
            "en": "The car may draw up to 16 A." if charging else "Ready: plug in the car.",
            "da": "Bilen kan bruge op til 16 A." if charging else "Klar: sæt stikket i bilen.",
            "register_wh": shown.register_wh, "power_w": shown.power_w,
            "power_phase_w": [phase_w] * 3, "current_ma": [phase_w * 1000 // 230] * 3,
            "voltage_mv": [230_000] * 3, "limit_ma": limit_ma, "limit_by": "installation",
            "limits_ma": {"installation": limit_ma}, "pilot": "C" if charging else "A",
            "session": session if charging else None, "seals": {"open": [], "broken": []},
            "reader": {"required": True, "works": True, "list_version": 1, "blocks": 0},
            "absent_since_utc_s": None,
            "ledger": {
                "sequence": self.ledger.next_sequence - 1,
                "acknowledged": self.ledger.acknowledged, "fill_permille": 10, "damaged": 0,
                "trace_failed": False,
            },
            "clock": "S" if self._utc_s else "U", "utc_s": self._utc_s, "command": 0,
            "boot": self.life.boot, "uptime_ms": self._uptime_ms, "firmware": "1.0",
            "discarded_events": 0,
            "heap": {"free": 27_000, "largest": 16_000, "minimum": 21_000},
            "link": {"outage": 0, "outages": 0},
        }
        return json.dumps(told, ensure_ascii=False).encode()
