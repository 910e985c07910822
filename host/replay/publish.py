"""Publishes a box's ledger once more as that box: same topics, same messages, same manners."""

from __future__ import annotations

import json
import select
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from wallbox.link import REFUSED, LinkError
from wallbox.store.record import unpack

from host.collect.broker import BrokerSettings
from host.fleet.ledger import MemoryLedger
from host.fleet.line import Line
from host.fleet.wire import READ, WRITE, Entrance
from host.records import Record, follows, split
from host.replay.field_log import FieldLog
from host.replay.timeline_places import Places

MAX = float("inf")
WAIT_S = 60.0
BACKOFF_MAX_S = 10.0
_TURN_S = 0.05


class CannotPublish(Exception):
    """One line: why the log cannot be published, or the broker not be reached."""


@dataclass
class Outcome:
    """What came of it. `acknowledged`: the operator's last word; `first`, `last`: of the log."""

    records: int
    first: int
    last: int
    acknowledged: int
    sent: int = 0  # messages
    resent: int = 0
    connections: int = 0
    lasted_s: float = 0.0

    @property
    def complete(self) -> bool:
        return self.acknowledged >= self.last

    @property
    def records_per_s(self) -> float:
        """Acknowledged ones."""
        done = min(self.acknowledged, self.last) + 1 - self.first
        return done / self.lasted_s if self.lasted_s else 0.0


Progress = Callable[[int, int], None]  # records released, acknowledged


class LogLedger(MemoryLedger):
    """The ledger of a log; an operator who is further than it was released so far is believed."""

    end = 0

    def _ahead(self, sequence: int) -> bool:
        self.acknowledged = sequence
        return True


def moments(records: Sequence[bytes]) -> list[float]:
    """When each record was written, s since the first one, as far as the box knew: never back."""
    places = Places(records)
    found: list[float] = []
    origin: dict[int | None, float] = {}  # of a boot without a clock: where it begins
    now = 0.0
    for data in records:
        _, _, _, boot, uptime_ms, _, _ = unpack(data)
        key, x_ms = places.place(boot, uptime_ms)
        at = origin.setdefault(key, now - x_ms / 1000) + x_ms / 1000
        now = max(now, at)
        found.append(now)
    return found


def check_key(records: Sequence[bytes], key: bytes, serial: str) -> None:
    """Raises CannotPublish if the records are not signed with the key."""
    before: Record | None = None
    for data in records[:50]:
        (record,) = split(data)
        assert isinstance(record, Record), "a log holds whole records"
        if before and record.sequence == before.sequence + 1:
            if not follows(key, before.mac, record):
                raise CannotPublish(
                    f"the ledger is not signed with the key of {serial} in the key store; take "
                    "the key of the box that wrote it"
                )
            return
        before = record


def republish(
    log: FieldLog,
    broker: BrokerSettings,
    key: bytes,
    speed: float = MAX,
    wait_s: float = WAIT_S,
    progress: Progress = lambda released, acknowledged: None,
    packed: bool = True,
) -> Outcome:
    """Plays the box of `log` at `broker` until the operator has acknowledged its last record.

    speed: 60 = an hour in a minute, by the records' times; MAX = as fast as the operator takes it.
    It ends after `wait_s` without an acknowledgement of anything new (while something is due), or
    without a connection. Raises CannotPublish: no ledger, wrong key, broker never reached.
    """
    if not log.ledger:
        raise CannotPublish("the log holds no ledger; pull it with its ledger")
    check_key(log.ledger, key, log.origin.serial)
    try:
        entrance = Entrance.find(broker)
    except OSError as error:
        raise CannotPublish(broker.absent(error)) from None
    return _Player(log, broker, entrance, key, speed, packed).run(wait_s, progress)


class _Player:
    def __init__(
        self, log: FieldLog, broker: BrokerSettings, entrance: Entrance, key: bytes,
        speed: float, packed: bool,
    ) -> None:
        self.records, self.broker, self.entrance, self.speed = log.ledger, broker, entrance, speed
        self.moments = moments(log.ledger)
        first, last = (int.from_bytes(log.ledger[at][2:6], "little") for at in (0, -1))
        self.ledger = LogLedger(key, first - 1)
        self.serial, self.first = log.origin.serial, first
        self.outcome = Outcome(len(log.ledger), first, last, first - 1)
        config: dict[str, object] = {"serial": self.serial, "packed": packed}
        if broker.user is not None:
            config |= {"user": broker.user, "password": broker.password}
        self.line = Line(config, self.ledger, self._status)
        self.released, self.failures = 0, 0
        self.retry_at = 0.0
        self.error: object = None

    def _status(self) -> bytes:
        """What a collector that has never heard of the box must know: where its ledger begins."""
        ledger = {"sequence": self.ledger.next_sequence - 1, "acknowledged": self.first - 1}
        return json.dumps({"online": True, "serial": self.serial, "ledger": ledger}).encode()

    def run(self, wait_s: float, progress: Progress) -> Outcome:
        began = quiet_since = time.monotonic()
        outcome, ledger = self.outcome, self.ledger
        while not outcome.complete:
            now_s = time.monotonic()
            if self._release((now_s - began) * self.speed):
                quiet_since = now_s
            self._turn(now_s, int((now_s - began) * 1000))
            if ledger.acknowledged > outcome.acknowledged:
                outcome.acknowledged = ledger.acknowledged
                quiet_since = now_s
                progress(self.released, ledger.acknowledged)
            due = ledger.next_sequence - 1 > outcome.acknowledged or not self.line.up
            if not due:
                quiet_since = now_s
            if now_s - quiet_since > wait_s:
                break
        outcome.lasted_s = time.monotonic() - began
        self.line.farewell(int(outcome.lasted_s * 1000))
        if not outcome.connections:
            raise CannotPublish(self.broker.absent(self.error))
        session = self.line.session
        outcome.sent, outcome.resent = session.published, session.resent
        return outcome

    def _release(self, until_s: float) -> bool:
        before = self.released
        while self.released < len(self.records) and self.moments[self.released] <= until_s:
            self.ledger.add(self.records[self.released])
            self.released += 1
        return self.released > before

    def _turn(self, now_s: float, now: int) -> None:
        line = self.line
        try:
            if line.wire is None:
                if now_s < self.retry_at:
                    time.sleep(_TURN_S)
                    return
                line.connect(now, self.entrance)
            was_up = line.up
            line.turn(now, self._wait())
            if line.up and not was_up:
                self.outcome.connections += 1
                self.failures = 0
        except (OSError, LinkError) as error:
            if isinstance(error, LinkError) and error.args[0] == REFUSED:
                raise CannotPublish(self.broker.refuses(f"code {error.args[1]}")) from None
            self.error = error.args[-1] if error.args else error
            line.drop()
            self.retry_at = now_s + min(0.2 * 2**self.failures, BACKOFF_MAX_S)
            self.failures += 1

    def _wait(self) -> bool:
        """Up to a moment, for the socket; True if it is ready."""
        wire = self.line.wire
        assert wire is not None
        poller = select.poll()
        reading = select.POLLIN if wire.wanted & READ or wire.ready else 0
        poller.register(wire.fileno(), reading | (select.POLLOUT if wire.wanted & WRITE else 0))
        return bool(poller.poll(_TURN_S * 1000))
