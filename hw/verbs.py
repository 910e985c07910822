"""What can be done to the world around a box, in plain verbs.

Tests and the demo ask for these protocols alone.  `hw.sim.world.World` plays them; a real
bench of relays and USB adapters can implement the same.  A verb returns when the thing is done
(the plug is in, the loop is open), not when the box has noticed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol


class Car(Protocol):
    """A car on the charging cable, IEC 61851-1 mode 3."""

    def plug(self, max_current_a: float = 16.0, phases: int = 3) -> None:
        """Connects the car (pilot B); it draws at most `max_current_a` on each phase."""

    def request_power(self, ventilation: bool = False) -> None:
        """The car wants to charge: C, or D with `ventilation`, once the pilot offers power."""

    def stop(self) -> None:
        """The car has enough: back to B."""

    def unplug(self) -> None:
        """Disconnects the car (pilot A)."""


class Meter(Protocol):
    """The sub-meter between the mains and the contactor."""

    def set_load(self, power_w: Sequence[int] | None) -> None:
        """Lets W per phase flow whatever car and contactor do; None: what the car draws."""

    def register_wh(self) -> int:
        """The import register as the meter's display shows it."""


class Seal(Protocol):
    """The seal loops, by name: `lid`, `terminal_cover`."""

    def open(self, name: str = "lid") -> None: ...

    def close(self, name: str = "lid") -> None: ...


class Tag(Protocol):
    """A contactless tag in front of the reader."""

    def present(self, uid: bytes) -> None:
        """Holds a tag with this UID (4, 7 or 10 bytes) to the reader."""

    def remove(self) -> None: ...


class Mains(Protocol):
    """The supply of the box, its meter and the car."""

    def cut(self) -> None:
        """Takes the power away at this instant."""

    def restore(self) -> None: ...


class Net(Protocol):
    """The box's way to the operator."""

    def drop(self) -> None:
        """Takes the box's network away; connections go silent."""

    def restore(self) -> None: ...


class Broker(Protocol):
    """The operator's MQTT broker."""

    def stop(self) -> None: ...

    def start(self) -> None: ...


class World(Protocol):
    """A box and all around it."""

    @property
    def car(self) -> Car: ...

    @property
    def meter(self) -> Meter: ...

    @property
    def seal(self) -> Seal: ...

    @property
    def tag(self) -> Tag: ...

    @property
    def mains(self) -> Mains: ...

    @property
    def net(self) -> Net: ...

    @property
    def broker(self) -> Broker: ...
