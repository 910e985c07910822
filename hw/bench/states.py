"""How a rig comes from `unknown` to a known state before each test.

    unknown -> at rest -> powered -> ready -> in use -> unknown

Each way has a proof that is looked for, not assumed; what is not proved in time leaves the rig
`unknown` and says why. A way that the table does not have is refused and changes nothing. The
simulation goes the same ways as a bench.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from host.provisioning.outcome import Stopped, refused
from hw.verbs import Rig

UNKNOWN = "unknown"
AT_REST = "at rest"
POWERED = "powered"
READY = "ready"
IN_USE = "in use"

POWER_S = 30.0
READY_S = 90.0
_LOOK_S = 0.1


@dataclass(frozen=True)
class Way:
    """From a state to the next: `act`, then `proof` says "" or what is still wrong."""

    source: str
    target: str
    act: Callable[[Rig], None]
    proof: Callable[[Rig], str]
    within_s: float
    action: str  # what to do when the proof does not come


def _nothing(rig: Rig) -> None:
    pass


def _at_rest(rig: Rig) -> str:
    return "the contactor is closed" if _contactor_closed(rig) else ""


def _contactor_closed(rig: Rig) -> bool:
    return "contactor" in rig.capabilities and rig.world.contactor.closed


def _answers(rig: Rig) -> str:
    told = rig.box.health()
    if not told:
        return "the box does not answer on its USB socket"
    if told.get("agent") != "runs":
        return f"its agent: {told.get('agent')}"
    return f"its configuration: {told['configuration']}" if told.get("configuration") else ""


def _ready(rig: Rig) -> str:
    told = rig.box.health()
    ledger = told.get("ledger")
    if not told or not isinstance(ledger, Mapping):
        return "the box does not answer on its USB socket"
    if told["state"] != "Available":
        return f"the box is {told['state']}: {told['why']}"
    if told["refusals"]:
        return f"the box would refuse: {', '.join(told['refusals'])}"
    return _delivered(rig, told, ledger) if "operator" in rig.capabilities else ""


def _delivered(rig: Rig, told: Mapping[str, Any], ledger: Mapping[str, Any]) -> str:
    if not told["link"]:
        return "the box does not reach the broker"
    if told["clock"] != "S":
        return "the box has no time"
    missing = int(ledger["sequence"]) - int(ledger["acknowledged"])
    return f"{missing} records are not acknowledged" if missing else ""


WAYS = (
    Way(UNKNOWN, AT_REST, lambda rig: rig.rest(), _at_rest, 5.0,
        "look whether the contactor has welded, and at the wire of relays.inputs.contactor"),
    Way(AT_REST, POWERED, _nothing, _answers, POWER_S,
        "look at supply and USB cable; `wallbox console health` tells more"),
    Way(POWERED, READY, lambda rig: rig.settle(), _ready, READY_S,
        "run `wallbox bench-check`; `wallbox console why` tells more"),
    Way(READY, IN_USE, _nothing, lambda rig: "", 1.0, ""),
    Way(IN_USE, UNKNOWN, _nothing, lambda rig: "", 1.0, ""),
)


class States:
    """`state` is what was proved of the rig."""

    def __init__(self, rig: Rig) -> None:
        self._rig = rig
        self.state = UNKNOWN

    def go(self, target: str) -> None:
        """One way. Raises `Stopped`, after which the rig is `unknown`, or for a way that is none.
        """
        way = next((one for one in WAYS if (one.source, one.target) == (self.state, target)), None)
        if way is None:
            raise refused(f"the rig is {self.state}", f"no way leads from there to {target}",
                          "bring it to `ready` first")
        self.state = UNKNOWN
        way.act(self._rig)
        self._prove(way)
        self.state = target

    def _prove(self, way: Way) -> None:
        deadline = time.monotonic() + way.within_s
        while wrong := way.proof(self._rig):
            if time.monotonic() > deadline:
                raise refused(f"the rig does not become {way.target}",
                              f"{wrong}, after {way.within_s:.0f} s", way.action)
            time.sleep(_LOOK_S)

    def make_ready(self) -> None:
        """From wherever it is. Raises `Stopped`."""
        self.state = UNKNOWN
        for target in (AT_REST, POWERED, READY):
            self.go(target)

    def begin(self) -> None:
        """A test has the rig from now on."""
        self.go(IN_USE)

    def end(self) -> None:
        """Nobody knows what the test has left."""
        self.state = UNKNOWN


def explain(error: BaseException) -> str:
    """One line of what kept the rig from its state."""
    return str(error) if isinstance(error, Stopped) else f"{type(error).__name__}: {error}"
