"""Boxes in situations that matter, each brought there by events alone."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wallbox.core import clock, engine, events, leases
from wallbox.core.rules import access, lifecycle, limits

UTC_S = 1_790_000_100
METER_ID = 42
ANNA, BEN = b"anna-tag", b"ben's tg"
HOUR_S = 3600


class Box:
    """A core with a meter, a clock and a car, to which events can be sent."""

    def __init__(self, mode: int = access.FREE, lifecycle_code: int = lifecycle.IN_SERVICE) -> None:
        self.state = engine.State()
        self.now = 0
        self.register_wh = 1_000_000
        self.send(
            events.CONFIG, 1, 16_000, 900, 0, 2, mode, 72, 24, lifecycle_code, 0, b"digest"
        )  # fmt: skip
        self.send(events.BOOT, 1, 1, 0, 0, 0, 0, b"1.0")
        self.send(events.PILOT, events.A)
        self.send(events.SEAL, 0, 0)
        self.send(events.CLOCK, UTC_S * 1000, events.SYNCHRONISED)
        self.send(events.METER_IDENTITY, METER_ID, b"meter")
        self.read()
        self.send(events.LINK, 1)
        self.send(events.LINK, 2)

    def event(self, kind: int, *values: int | bytes) -> list[int | bytes]:
        return [kind, *values, *[0] * (events.MAX_FIELDS - 1 - len(values))]

    def send(self, kind: int, *values: int | bytes) -> list[tuple]:
        return list(engine.step(self.state, self.event(kind, *values), self.now))

    def read(self) -> None:
        self.send(events.METER_READING, self.register_wh)

    def follow(self) -> None:
        """The contactor does as it was told."""
        self.send(events.CONTACTOR, self.state.contactor)

    def tag(self, tag: bytes, status: int = access.ACCEPTED) -> None:
        self.send(events.TAG, status, 0, 1 if tag == ANNA else 2, 0, 0, 0, 1, tag)

    def lease(self, source: int, limit_ma: int, number: int = 1) -> None:
        utc_s = clock.utc_s(self.state, self.now)
        lease = (source, number, limit_ma, utc_s, utc_s + HOUR_S, leases.NONE_MA)
        self.send(events.LEASE, *lease)

    def wait(self, seconds: int) -> None:
        self.now += seconds * 1000
        self.send(events.TICK)
        self.follow()

    def copy(self) -> Box:
        return copy.deepcopy(self)


@dataclass(frozen=True)
class Situation:
    """`name` as in the page; `make` brings a new box there."""

    name: str
    sentence: str
    make: Callable[[], Box]


def _with(box: Box, *steps: Callable[[Box], object]) -> Box:
    for step in steps:
        step(box)
        box.now += 1000
    return box


def _tap(box: Box) -> None:
    box.tag(ANNA)


def _plug(box: Box) -> None:
    box.send(events.PILOT, events.C)


def _unplug(box: Box) -> None:
    box.send(events.PILOT, events.A)


def _charging() -> Box:
    box = _with(Box(access.REQUIRED), _tap, _plug, Box.read, Box.follow)
    box.register_wh += 500
    return _with(box, Box.read)


def _asked_to_pause() -> Box:
    return _with(_charging(), lambda box: box.lease(limits.GRID, 0))


def _paused() -> Box:
    return _with(_asked_to_pause(), lambda box: box.wait(6))


def _resting() -> Box:
    return _with(_paused(), lambda box: box.send(events.LEASE_END, 1))


def _stopped() -> Box:
    return _with(_charging(), lambda box: box.send(events.REMOTE_STOP, 0), Box.follow, Box.read)


def _leaving() -> Box:
    move = (lifecycle.DECOMMISSIONED, lifecycle.OPERATOR, 8)
    return _with(_charging(), lambda box: box.send(events.LIFECYCLE, *move), Box.follow)


def _suspended() -> Box:
    move = (lifecycle.SUSPENDED, lifecycle.OPERATOR, 2)
    return _with(_charging(), lambda box: box.send(events.LIFECYCLE, *move), Box.follow)


def _opened() -> Box:
    return _with(_charging(), lambda box: box.send(events.SEAL, 1, 1), Box.follow)


def _closed_again() -> Box:
    return _with(_opened(), lambda box: box.send(events.SEAL, 0, 1))


def _exchanged() -> Box:
    return _with(_charging(), lambda box: box.send(events.METER_IDENTITY, 77, b"new"), Box.follow)


def _back() -> Box:
    return _with(
        Box(), lambda box: box.send(events.BOOT, 2, events.POWER_UP, 0, 0, 0, 0, b"1.0"), Box.read
    )


def _moved() -> Box:
    box = _back()
    box.now += 24 * HOUR_S * 1000
    return _with(box, lambda box: box.send(events.PLACE, 0, 1), Box.read)


SITUATIONS = (
    Situation("free", "No car; the reader is not required.", Box),
    Situation("locked", "No car; the reader is required.", lambda: Box(access.REQUIRED)),
    Situation("granted", "A tag was accepted; the car is awaited.",
              lambda: _with(Box(access.REQUIRED), _tap)),
    Situation("waiting", "A car is plugged in; a tag is awaited.",
              lambda: _with(Box(access.REQUIRED), _plug)),
    Situation("about to begin", "Plugged in and accepted; the first register is awaited.",
              lambda: _with(Box(access.REQUIRED), _plug, _tap)),
    Situation("charging", "Anna's tag started it; power flows.", _charging),
    Situation("asked to pause", "The grid's limit is 0 A; the car has 6 s to obey.",
              _asked_to_pause),
    Situation("paused", "It has obeyed, or the 6 s are over.", _paused),
    Situation("resting", "The pause is over; car and contactor rest for a minute.", _resting),
    Situation("ending", "Unplugged; the last register is awaited.",
              lambda: _with(_charging(), _unplug, Box.follow)),
    Situation("stopped", "The operator stopped it; the car is still plugged in.", _stopped),
    Situation("suspended", "The operator has suspended it while it charged.", _suspended),
    Situation("opened", "The lid was opened while it charged, and is open.", _opened),
    Situation("closed again", "The lid was opened, and is closed again.", _closed_again),
    Situation("other meter", "Another meter answers.", _exchanged),
    Situation("leaving", "It leaves service; the final register is awaited.", _leaving),
    Situation("back", "After a power cut; the operator has not been reached yet.", _back),
    Situation("moved", "A day after a power cut it still sees strangers' networks alone.", _moved),
    Situation("factory", "It comes new from the store.",
              lambda: Box(lifecycle_code=lifecycle.FACTORY)),
)  # fmt: skip


def _offline() -> Box:
    box = _with(Box(), lambda box: box.send(events.LINK, 3))
    box.now += 72 * HOUR_S * 1000
    return _with(box, lambda box: box.send(events.TICK))


def _stray() -> Box:
    box = _with(Box())
    box.now += 10_000
    for _ in range(2):
        box.send(events.METER_READING, box.register_wh, 0, 0, 0, 0, 2000)
    return box


# for refusals that no single event brings about
TROUBLED: tuple[Callable[[], Box], ...] = (_offline, _stray)


def boxes() -> Iterator[tuple[Situation, Box]]:
    for situation in SITUATIONS:
        yield situation, situation.make()
