"""Thousands of boxes in one loop: one selector, one heap of times, no thread."""

from __future__ import annotations

import heapq
import resource
import selectors
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wallbox.link import REFUSED, LinkError

from host.fleet.box import BUSY_MS, IDLE_MS, FleetBox, Tally, box_key
from host.fleet.life import INTERVAL_S
from host.fleet.wire import READ, WRITE, Entrance, psk_context

BEGIN_UTC_S = 1_798_761_600  # 2027-01-01 00:00 UTC
SPARE_DESCRIPTORS = 64
STORM_SPREAD_MS = 40  # so soon a box notices that its connection is gone
BACKOFF_MIN_MS, BACKOFF_MAX_MS = 200, 60_000
STABLE_MS = 5000
_LEAD_S = 10  # of the wall clock, up to the first end of a quarter
_SELECT_MS = 50
_EVENTS = {READ: selectors.EVENT_READ, WRITE: selectors.EVENT_WRITE, READ | WRITE: 3}


class TooFewDescriptors(Exception):
    """One line: how many files this process may open, and what to do."""


@dataclass
class Plan:
    """What a fleet does. `speed`: seconds of the boxes' lives in a second."""

    boxes: int
    fleet_key: bytes
    seed: int = 1
    speed: float = 1.0
    duration_s: float = 60.0
    drain_s: float = 60.0
    storm_s: float = 0.0  # all connections are cut so often, 0 = never
    connect_rate: float = 500.0  # a second, at the beginning
    prefix: str = "FLEET"
    psk: bool = False
    operator: bool = True  # somebody acknowledges

    def serial(self, index: int) -> str:
        return f"{self.prefix}-{index + 1:06d}"


def allow_descriptors(boxes: int) -> None:
    """Lets this process open a socket for each box. Raises TooFewDescriptors."""
    needed = boxes + SPARE_DESCRIPTORS
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft >= needed or soft == resource.RLIM_INFINITY:
        return
    try:
        highest = hard if hard == resource.RLIM_INFINITY else max(hard, needed)
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, highest))
    except (ValueError, OSError):
        raise TooFewDescriptors(
            f"{boxes} boxes need {needed} open files, {hard} are allowed; raise it with "
            f"`ulimit -n {needed}` as root, or LimitNOFILE= of the service"
        ) from None


class Fleet:
    """Runs a plan at a broker; `look()` may be called between two turns."""

    def __init__(
        self, plan: Plan, entrance: Entrance, user: str | None = None, password: str | None = None
    ) -> None:
        self.plan, self.entrance = plan, entrance
        self.tally = Tally()
        self.lead_s = min(INTERVAL_S / 2, _LEAD_S * plan.speed)
        self.begin_s = BEGIN_UTC_S - self.lead_s
        config: dict[str, Any] = {}
        if user is not None:
            config = {"user": user, "password": password}
        self.boxes = [self._make(index, config) for index in range(plan.boxes)]
        self._selector = selectors.DefaultSelector()
        self._watched: dict[int, int] = {}  # index: events
        self._due: list[tuple[float, int]] = []
        self._at = [0.0] * plan.boxes  # of each box; what else is in the heap is void
        self._began = time.monotonic()
        self._ending = False
        self._storm_at = plan.storm_s * 1000
        self._up_since: dict[int, float] = {}
        self.storms = 0
        self.up_at_end = 0
        self.trouble = ""  # why the newest connection broke, in words

    def _make(self, index: int, config: dict[str, Any]) -> FleetBox:
        plan = self.plan
        serial = plan.serial(index)
        key = box_key(plan.fleet_key, serial)
        return FleetBox(serial, key, str(plan.seed), self.begin_s, config, self.tally)

    # --- figures ---

    @property
    def up(self) -> int:
        return len(self._up_since)

    @property
    def backlog(self) -> int:
        return sum(box.backlog for box in self.boxes)

    @property
    def messages(self) -> int:
        return sum(box.line.session.published for box in self.boxes)

    @property
    def unanswered(self) -> int:
        """Messages without a PUBACK, and records not sent."""
        return sum(
            box.line.session.count + (box.line.session.cursor < box.ledger.next_sequence)
            for box in self.boxes
        )

    @property
    def elapsed_s(self) -> float:
        return time.monotonic() - self._began

    def told(self) -> dict[str, Any]:
        """All figures, for machines."""
        tally = self.tally
        return {
            "boxes": len(self.boxes), "up": self.up, "up_at_end": self.up_at_end,
            "elapsed_s": round(self.elapsed_s, 1),
            "storms": self.storms, "records": tally.records, "messages": self.messages,
            "acknowledged": tally.acknowledged, "backlog": self.backlog,
            "connections": tally.connected, "lost": tally.lost, "refused": tally.refused,
            "puback": tally.puback.told(), "delivered": tally.delivered.told(),
            "entered": tally.entered.told(),
        }

    # --- the loop ---

    def run(self, look: Callable[[], bool] = lambda: True) -> bool:
        """Lives, then drains; True if everything was delivered. look() -> False ends it."""
        plan = self.plan
        self._began = time.monotonic()
        for index in range(len(self.boxes)):
            self._schedule(index, index * 1000 / plan.connect_rate)
        going = True
        while going and self.elapsed_s < plan.duration_s:
            going = self._turn() and look()
        self._ending = True
        for box in self.boxes:
            box.ended = box.online = True
        until = self.elapsed_s + plan.drain_s
        while going and self.elapsed_s < until and not self.delivered:
            going = self._turn() and look()
        delivered, self.up_at_end = self.delivered, self.up
        self._leave()
        return delivered

    @property
    def delivered(self) -> bool:
        """Whether all that was written has arrived."""
        return not (self.backlog if self.plan.operator else self.unanswered)

    def _turn(self) -> bool:
        now = self.elapsed_s * 1000
        if self._storm_at and now >= self._storm_at and not self._ending:
            self._storm(now)
        while self._due and self._due[0][0] <= now:
            due, index = heapq.heappop(self._due)
            if due == self._at[index]:
                self._look(index, now)
        wait_ms = min(_SELECT_MS, max(0.0, (self._due[0][0] if self._due else 1e9) - now))
        for key, _ in self._selector.select(wait_ms / 1000):
            self._go(key.data, self.elapsed_s * 1000, True)
        return True

    def _schedule(self, index: int, due: float) -> None:
        self._at[index] = due
        heapq.heappush(self._due, (due, index))

    def _look(self, index: int, now: float) -> None:
        """A box's time has come: what happened meanwhile, and when to look again."""
        box = self.boxes[index]
        until_s = self.begin_s + now / 1000 * self.plan.speed
        changed = box.live(until_s, now)
        if changed and not box.online:
            self._cut(index)
        if box.line.wire is not None:
            self._go(index, now, False)
        elif box.online:
            self._connect(index, now)
        self._schedule(index, self._next_look(box, now))

    def _next_look(self, box: FleetBox, now: float) -> float:
        line = box.line
        if line.wire is None and box.online:
            return now + self._backoff_ms(box)
        busy = not line.up or line.session.count or line.session.awaiting or box.backlog
        due = now + (BUSY_MS if busy else IDLE_MS)
        if box.ended:
            return due
        happens = (box.next_s - self.begin_s) * 1000 / self.plan.speed
        return max(now + 1, min(due, happens))

    def _connect(self, index: int, now: float) -> None:
        box = self.boxes[index]
        box.attempts += 1
        if box.trying_since is None:
            box.trying_since = now
        context = psk_context(box.serial, box.key) if self.plan.psk else None
        try:
            box.line.connect(int(now), self.entrance, context)
            self._watch(index)
        except OSError as error:
            self._broken(index, now, error)

    def _go(self, index: int, now: float, ready: bool) -> None:
        box = self.boxes[index]
        if box.line.wire is None:
            return
        was_up = box.line.up
        try:
            box.line.turn(int(now), ready)
        except (OSError, LinkError) as error:
            if isinstance(error, LinkError) and error.args[0] == REFUSED:
                self.tally.refused += 1
            self._broken(index, now, error)
            return
        self._watch(index)
        if box.line.up and not was_up:
            self._entered(index, now)

    def _entered(self, index: int, now: float) -> None:
        box = self.boxes[index]
        self.tally.connected += 1
        self._up_since[index] = now
        if box.trying_since is not None:
            self.tally.entered.add(now - box.trying_since)
            box.trying_since = None

    def _broken(self, index: int, now: float, error: Exception) -> None:
        self.trouble = str(error.args[-1])
        self.tally.lost += self._up_since.get(index) is not None
        self._cut(index)
        self._schedule(index, now + self._backoff_ms(self.boxes[index]))

    def _backoff_ms(self, box: FleetBox) -> float:
        """As the link of the firmware: at once, then 0.2 s, doubling, shortened at random."""
        if not box.attempts:
            return STORM_SPREAD_MS * box.jitter.random()
        longest = min(BACKOFF_MIN_MS << min(box.attempts - 1, 16), BACKOFF_MAX_MS)
        return longest * (1 - box.jitter.random() / 2)

    def _cut(self, index: int) -> None:
        """The connection ends without a word; what was in flight goes again on the next one."""
        box = self.boxes[index]
        wire = box.line.wire
        if wire is not None and self._watched.pop(index, None) is not None:
            self._selector.unregister(wire.fileno())
        up_since = self._up_since.pop(index, None)
        if up_since is not None and self.elapsed_s * 1000 - up_since >= STABLE_MS:
            box.attempts = 0
        box.line.drop()

    def _storm(self, now: float) -> None:
        self.storms += 1
        self._storm_at += self.plan.storm_s * 1000
        for index in list(self._up_since):
            self._cut(index)
            box = self.boxes[index]
            box.attempts = 0
            self._schedule(index, now + self._backoff_ms(box))

    def _watch(self, index: int) -> None:
        wire = self.boxes[index].line.wire
        assert wire is not None
        wanted = _EVENTS[wire.wanted]
        watched = self._watched.get(index)
        if watched is None:
            self._selector.register(wire.fileno(), wanted, index)
        elif watched != wanted:
            self._selector.modify(wire.fileno(), wanted, index)
        self._watched[index] = wanted

    def _leave(self) -> None:
        now = int(self.elapsed_s * 1000)
        for index, box in enumerate(self.boxes):
            wire = box.line.wire
            if wire is not None and self._watched.pop(index, None) is not None:
                self._selector.unregister(wire.fileno())
            box.line.farewell(now)
        self._selector.close()
