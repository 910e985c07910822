"""One event or more of every kind, as they come to a box in a situation."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from wallbox.core import clock, events, leases
from wallbox.core.rules import access, lifecycle, limits

from host.rules.situations import ANNA, BEN, HOUR_S, METER_ID, Box

Values = Callable[[Box], tuple]


@dataclass(frozen=True)
class Sample:
    """`words` follow the kind's name in the page; `after_ms` passes before it comes."""

    kind: int
    words: str
    values: Values
    after_ms: int = 1000

    @property
    def label(self) -> str:
        name = events.KINDS.split("\n")[self.kind].split(" ")[0]
        return f"{name} {self.words}".strip()

    def play(self, box: Box) -> list[tuple]:
        box.now += self.after_ms
        return box.send(self.kind, *self.values(box))


def _fixed(*values: int | bytes) -> Values:
    return lambda box: values


def _lease(source: int, limit_ma: int) -> Values:
    def values(box: Box) -> tuple:
        utc_s = clock.utc_s(box.state, box.now)
        return source, 9, limit_ma, utc_s, utc_s + HOUR_S, leases.NONE_MA

    return values


def _reading(rise_wh: int) -> Values:
    return lambda box: (box.register_wh + rise_wh,)


def _later(seconds: int) -> Values:
    return lambda box: (clock.utc_s(box.state, box.now) * 1000 + seconds * 1000, 3)


def _tag(tag: bytes, status: int) -> Values:
    return _fixed(status, 0, 1 if tag == ANNA else 2, 0, 0, 0, 1, tag)


def _tap(words: str, tag: bytes, status: int) -> Sample:
    return Sample(events.TAG, words, _tag(tag, status), access.DEAD_MS + 1000)


def _absence(box: Box) -> tuple:
    utc_s = clock.utc_s(box.state, box.now)
    return utc_s, utc_s + HOUR_S


def _command(box: Box, above: int, later_s: int) -> tuple:
    from_utc_s = clock.utc_s(box.state, box.now) - 60 + later_s
    return box.state.command_counter + above, from_utc_s, from_utc_s + 600, 6


CONFIGURED = (16_000, 900, 0, 2, access.FREE, 72, 24, lifecycle.IN_SERVICE)

SAMPLES = (
    Sample(events.TICK, "soon", _fixed()),
    Sample(events.TICK, "after a minute", _fixed(), 60_000),
    Sample(events.TICK, "after an hour", _fixed(), 3_600_000),
    Sample(events.CONFIG, "valid", _fixed(1, *CONFIGURED, 0, b"digest")),
    Sample(events.CONFIG, "not valid", _fixed(0, *CONFIGURED, 0, b"digest")),
    Sample(events.CONFIG, "of another chip", _fixed(1, *CONFIGURED, 1, b"digest")),
    Sample(events.BOOT, "after a power cut", _fixed(2, events.POWER_UP, 0, 0, 0, 0, b"1.0")),
    Sample(events.BOOT, "with new firmware", _fixed(2, 5, 0, 0, 0, 0, b"1.1")),
    Sample(events.CLOCK, "as known", _later(0)),
    Sample(events.CLOCK, "an hour later", _later(HOUR_S)),
    Sample(events.METER_READING, "", _reading(100)),
    Sample(events.METER_READING, "lower than before", _reading(-100)),
    Sample(events.METER_IDENTITY, "as known", _fixed(METER_ID, b"meter")),
    Sample(events.METER_IDENTITY, "another", _fixed(77, b"new")),
    Sample(events.METER_SILENT, "", _fixed(1)),
    Sample(events.METER_REFUSED, "", _fixed(9)),
    Sample(events.PILOT, "A", _fixed(events.A)),
    Sample(events.PILOT, "B", _fixed(events.B)),
    Sample(events.PILOT, "C", _fixed(events.C)),
    Sample(events.PILOT, "D", _fixed(events.D)),
    Sample(events.PILOT, "E", _fixed(events.E)),
    Sample(events.CONTACTOR, "closed", _fixed(1)),
    Sample(events.CONTACTOR, "open", _fixed(0)),
    Sample(events.LINK, "no Wi-Fi", _fixed(3)),
    Sample(events.LINK, "delivered", _fixed(2)),
    Sample(events.LEDGER, "full", _fixed(980, 1, 0)),
    Sample(events.LEDGER, "failed", _fixed(500, 1, 1)),
    Sample(events.METER_SUSPECT, "", _fixed(9, 5)),
    Sample(events.METER_APPROVED, "of the one there", lambda box: (box.state.meter_seen,)),
    Sample(events.SEAL, "lid open", _fixed(1, 0)),
    Sample(events.SEAL, "all closed", _fixed(0, 0)),
    Sample(events.SEAL, "lid was open", _fixed(0, 1)),
    Sample(events.SEALED, "", _fixed(b"1001 1002")),
    _tap("of Anna", ANNA, access.ACCEPTED),
    _tap("of Ben", BEN, access.ACCEPTED),
    _tap("blocked", BEN, access.BLOCKED),
    _tap("unknown", b"a strang", access.INVALID),
    Sample(events.TAG_STATUS, "Anna blocked", _fixed(access.BLOCKED, 0, 0, ANNA)),
    Sample(events.TAG_STATUS, "Anna 10 A", _fixed(access.ACCEPTED, 10_000, 0, ANNA)),
    Sample(events.READER, "absent", _fixed(0)),
    Sample(events.MODE, "required", _fixed(access.REQUIRED, 0)),
    Sample(events.MODE, "free", _fixed(access.FREE, 0)),
    Sample(events.REMOTE_START, "", _fixed(0, 1, 0, b"")),
    Sample(events.REMOTE_START, "of a blocked tag", _fixed(access.BLOCKED, 2, 0, BEN)),
    Sample(events.REMOTE_STOP, "", _fixed(0)),
    Sample(events.LEASE, "grid 0 A", _lease(limits.GRID, 0)),
    Sample(events.LEASE, "grid 10 A", _lease(limits.GRID, 10_000)),
    Sample(events.LEASE, "smart 0 A", _lease(limits.SMART, 0)),
    Sample(events.LEASE_END, "", _fixed(1)),
    Sample(events.OPT_OUT, "", _fixed(1)),
    Sample(events.CHARGE_NOW, "", _fixed(1)),
    Sample(events.LIFECYCLE, "commissioned, partner", _fixed(1, lifecycle.PARTNER, 1)),
    Sample(events.LIFECYCLE, "in service, operator", _fixed(2, lifecycle.OPERATOR, 0)),
    Sample(events.LIFECYCLE, "suspended, operator", _fixed(3, lifecycle.OPERATOR, 2)),
    Sample(events.LIFECYCLE, "on hold, operator", _fixed(4, lifecycle.OPERATOR, 6)),
    Sample(events.LIFECYCLE, "decommissioned, partner", _fixed(5, lifecycle.PARTNER, 8)),
    Sample(events.ABSENCE, "", _absence),
    Sample(events.PLACE, "known", _fixed(1, 3)),
    Sample(events.PLACE, "strangers alone", _fixed(0, 3)),
    Sample(events.PLACE_APPROVED, "", _fixed()),
    Sample(events.LOCAL_LIMIT, "thermal 8 A", _fixed(limits.THERMAL, 8000)),
    Sample(events.LOCAL_LIMIT, "thermal 1 A", _fixed(limits.THERMAL, 1000)),
    Sample(events.COMMAND, "new", lambda box: _command(box, 1, 0)),
    Sample(events.COMMAND, "used before", lambda box: _command(box, 0, 0)),
    Sample(events.COMMAND, "too late", lambda box: _command(box, 1, -HOUR_S)),
    Sample(events.MESSAGE_REFUSED, "", _fixed(4, 1)),
    Sample(events.LOGIN, "accepted", _fixed(1, 1)),
    Sample(events.LOGIN, "wrong", _fixed(0, 1)),
)
