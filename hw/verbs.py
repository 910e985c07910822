"""What can be done to the world around a box, in plain verbs, and what can be seen of the box.

Tests and the demo ask for these protocols alone.  `hw.sim.world.World` plays them; `hw.bench`
does the same with relays and USB adapters.  A verb returns when the thing is done (the plug is
in, the loop is open), not when the box has noticed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from host.ledger.entries import Entry


class Car(Protocol):
    """A car on the charging cable, IEC 61851-1 mode 3."""

    def plug(self, max_current_a: float = 16.0, phases: int = 3, diode: bool = True) -> None:
        """Connects the car (pilot B); it draws at most `max_current_a` on each phase.

        `diode` False: not a car but a resistor.
        """

    def request_power(self, ventilation: bool = False) -> None:
        """The car wants to charge: C, or D with `ventilation`, once the pilot offers power."""

    def stop(self) -> None:
        """The car has enough: back to B."""

    def unplug(self) -> None:
        """Disconnects the car (pilot A)."""

    def short(self, shorted: bool = True) -> None:
        """Shorts the pilot to earth (E), or ends that."""


class Contactor(Protocol):
    """The contactor in the car's supply, seen from outside."""

    @property
    def closed(self) -> bool:
        """What its contacts do, whatever the box says."""


class Meter(Protocol):
    """The sub-meter between the mains and the contactor."""

    def set_load(self, power_w: Sequence[int] | None) -> None:
        """Lets W per phase flow whatever car and contactor do; None: what the car draws."""

    def register_wh(self) -> int:
        """The import register as the meter's display shows it."""

    def silence(self, silent: bool = True) -> None:
        """The meter counts on and answers nobody, or answers again."""


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
    """All that is around a box."""

    @property
    def car(self) -> Car: ...

    @property
    def contactor(self) -> Contactor: ...

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
    def broker(self) -> Broker | None: ...


class Box(Protocol):
    """What a box tells over its USB socket (docs/console.md)."""

    def identity(self) -> Mapping[str, Any]:
        """Who it is; {} while it does not answer."""

    def health(self) -> Mapping[str, Any]:
        """How it is, at most half a second old; {} while it does not answer."""

    def order(self, verb: str, **arguments: object) -> Mapping[str, Any]:
        """Logs in and orders; the last answer with all its parts. Raises `Stopped`."""

    def console(self) -> str:
        """The end of what it printed."""


class Operator(Protocol):
    """What has reached the operator through broker and collector."""

    def entries(self) -> list[Entry]:
        """Every record that is stored, in the ledger's order."""

    def lost(self) -> int:
        """Records that are missing between the first and the last that is stored."""

    def quarantined(self) -> int:
        """Records that came and were not believed."""


class Rig(Protocol):
    """A box, its world and its operator, in tests that do not know whether they are simulated.

    `capabilities`: what it can do, of `CAPABILITIES`; `tag_uid`: the tag that it can present.
    """

    @property
    def world(self) -> World: ...

    @property
    def box(self) -> Box: ...

    @property
    def operator(self) -> Operator: ...

    @property
    def capabilities(self) -> frozenset[str]: ...

    @property
    def tag_uid(self) -> bytes: ...

    def wait_until(
        self, condition: Callable[[], object], timeout_s: float, what: str
    ) -> None:
        """Until `condition()` is true; `TimeoutError` says what did not come."""

    def rest(self) -> None:
        """Everything around the box as on a day when nothing happens; `mains` are on."""

    def settle(self) -> None:
        """What only a box that answers can be told: new seals after an opened one."""

    def keep_evidence(self, folder: Path) -> list[str]:
        """Writes console, traffic and ledger image into `folder`; what could not be had."""


CAPABILITIES = {
    "car": "plug, request power, stop, unplug",
    "ventilation": "a car that asks for ventilation (pilot D)",
    "diode": "a car without its diode",
    "short": "the pilot shorted to earth (E)",
    "contactor": "the contactor's position from outside",
    "seal": "the seal loop of the lid",
    "seal_terminal_cover": "the seal loop of the terminal cover",
    "tag": "a tag at the reader",
    "mains": "cut and restore the supply",
    "net": "take the box's network away",
    "meter": "load, register and silence of the meter",
    "broker": "stop and start the operator's broker",
    "operator": "what the collector has stored",
    "key": "orders over the service console",
}
