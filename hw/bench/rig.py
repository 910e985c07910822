"""The real rig: relays, played meter, broker, collector, and the box at its USB socket.

Safe is: pilot open (no car), tag away, seal loops closed, network on, mains as `mains.at_rest`
says. So it is left on every exit; a child process (guard.py) sees to it if this one is killed.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path

from host.closing import Closing
from host.keys import KeyStore, KeyStoreError
from host.provisioning.outcome import Stopped, refused, unusable
from hw.bench import evidence, parts
from hw.bench.box import ConsoleBox
from hw.bench.config import BenchConfig
from hw.bench.guard import guarded_relays
from hw.bench.meter import BenchMeter
from hw.bench.operator import BenchOperator
from hw.bench.relays import RelayBoard
from hw.bench.tag import Actuator, Prompt, make_tag
from hw.sim.broker import Mosquitto

SEAL_BROKEN = "TamperDetectionActivated"
RESEAL_TRIES = 5
RESEAL_PAUSE_S = 0.5


def lacks(part: str, field: str) -> Stopped:
    """The part is not on this bench."""
    return refused(f"this bench has no {part}", f"{field} is missing",
                   "write it into bench.toml, or ask for the capability", field)


class BenchWorld:
    """`hw.verbs.World` of a bench; a part that it lacks raises `Stopped` when it is asked for."""

    def __init__(
        self, config: BenchConfig, relays: RelayBoard | None, meter: BenchMeter | None
    ) -> None:
        self._config = config
        self._relays = relays
        self._meter = meter
        self._broker: Mosquitto | None = None

    @property
    def _board(self) -> RelayBoard:
        if self._relays is None:
            raise lacks("relay board", "relays")
        return self._relays

    @cached_property
    def car(self) -> parts.Car:
        return parts.Car(self._board, self._meter)

    @cached_property
    def contactor(self) -> parts.Contactor:
        return parts.Contactor(self._board)

    @cached_property
    def seal(self) -> parts.Seal:
        return parts.Seal(self._board)

    @cached_property
    def mains(self) -> parts.Mains:
        return parts.Mains(self._config.mains, self._board, self._meter)

    @cached_property
    def net(self) -> parts.Net | parts.ProgrammedNet:
        if self._config.network:
            return parts.ProgrammedNet(self._config.network)
        return parts.Net(self._board)

    @cached_property
    def tag(self) -> Actuator | Prompt:
        if self._config.tag is None:
            raise lacks("tag", "tag")
        return make_tag(self._config.tag, self._relays)

    @property
    def meter(self) -> BenchMeter:
        if self._meter is None:
            raise lacks("meter", "meter")
        return self._meter

    @cached_property
    def broker(self) -> Mosquitto:
        """Listens for the collector on this machine, and where the box finds it."""
        told = self._config.broker
        if told is None:
            raise lacks("broker", "broker")
        listener = f"listener {told.port} {told.address}"
        lines = tuple(told.lines) or ("allow_anonymous true",)
        return Mosquitto(self._config.folder / "broker", (listener, *lines))

    def start_broker(self) -> None:
        """Raises `Stopped` with what the broker itself says."""
        try:
            self.broker.start()
        except (OSError, RuntimeError) as error:
            raise unusable(
                "the broker does not start", str(error),
                "look at broker.address, broker.port and broker.lines; if an ended run has left a "
                "mosquitto at that port, end it", "broker",
            ) from None


class Bench(Closing):
    """`hw.verbs.Rig` on real hardware; use as a context. `port` is the box's USB socket."""

    def __init__(self, config: BenchConfig, port: str) -> None:
        """Raises `Stopped` if a key cannot be read. Nothing is switched before `with`."""
        super().__init__()
        self.config = config
        self.traffic = {"meter": evidence.Capture(), "relays": evidence.Capture()}
        self._port = port
        self._keys, self._key = _key_of(config)
        self.relays: RelayBoard | None = None
        self._box: ConsoleBox | None = None
        self._operator: BenchOperator | None = None
        self.capabilities = config.capabilities
        self.tag_uid = bytes.fromhex(config.tag.uid) if config.tag else b""

    def _start(self) -> None:
        config = self.config
        config.make_folder()
        if config.relays:
            self.relays = self.ending.enter_context(
                guarded_relays(config, self.traffic["relays"].add)
            )
        meter = self._make_meter()
        self.world = BenchWorld(config, self.relays, meter)
        self._box = ConsoleBox(self._port, self._key)
        self.ending.callback(self._box.close)
        if config.broker:
            self.ending.callback(self.world.broker.stop)
            self.world.start_broker()
        if "operator" in self.capabilities and self._keys:
            self._operator = BenchOperator(config.folder / "collector.db", self._keys,
                                           config.box.serial, self.world.broker.port)
            self.ending.callback(self._operator.close)
            self._operator.open()

    def _make_meter(self) -> BenchMeter | None:
        config = self.config
        if config.meter is None:
            return None
        contactor: Callable[[], bool] | None = None
        if self.relays and "contactor" in self.capabilities:
            relays = self.relays
            contactor = lambda: relays.inputs()["contactor"]  # noqa: E731
        meter = BenchMeter(config.meter, config.folder, config.box.installation_limit_a,
                           contactor, self.traffic["meter"].add)
        self.ending.callback(meter.close)
        meter.open()
        return meter

    def close(self) -> None:
        """Safe state, then every port and process given back; may be called twice."""
        relays, self.relays = self.relays, None
        if relays:
            self.ending.callback(relays.rest, self.config.mains.at_rest == "on")  # the first
        super().close()

    # Rig

    @property
    def box(self) -> ConsoleBox:
        assert self._box, "use the bench as a context"
        return self._box

    @property
    def operator(self) -> BenchOperator:
        if self._operator is None:
            raise lacks("operator", "broker")
        return self._operator

    def wait_until(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        try:
            wait_until(condition, timeout_s, what, self.box)
        except TimeoutError as error:
            meter = self.world.meter if "meter" in self.capabilities else None
            if meter and meter.failure:
                raise TimeoutError(f"{error}\nthe meter follows nobody: {meter.failure}") from None
            raise

    def rest(self) -> None:
        """Raises `Stopped` if a part does not do it."""
        world, can = self.world, self.capabilities
        if self.relays:
            self.relays.rest(mains_on=self.relays.read().get("mains", False))
        if self.config.network:
            world.net.restore()
        if "tag" in can:
            world.tag.remove()
        if "broker" in can:
            world.start_broker()
        if "meter" in can:
            world.meter.silence(False)
            world.meter.set_load(None)
            world.meter.car_asks(False)
            world.meter.power(True)
        if "mains" in can:
            world.mains.restore()
        self.box.forget()
        for capture in self.traffic.values():
            capture.clear()

    def settle(self) -> None:
        """The box may also have counted further than the file of this bench's meter."""
        if "key" not in self.capabilities:
            return
        reseal(self.box)
        if "meter" in self.capabilities:
            told = self.box.order("status").get("register_wh")
            if isinstance(told, int):
                self.world.meter.raise_register(told)

    def keep_evidence(self, folder: Path) -> list[str]:
        return evidence.keep(folder, {
            "console.log": self.box.console,
            "meter-bus.txt": self.traffic["meter"].text,
            "relay-bus.txt": self.traffic["relays"].text,
            "ledger.bin": self.box.ledger,
        })


def _key_of(config: BenchConfig) -> tuple[KeyStore | None, bytes | None]:
    if config.box.keys is None:
        return None, None
    try:
        keys = KeyStore(config.box.keys)
        return keys, keys.load(config.box.serial)
    except KeyStoreError as error:
        raise unusable("box.keys", str(error), "or leave box.keys out", "box.keys") from None


def reseal(box: ConsoleBox) -> None:
    """A seal that was opened stays broken until new ones are told. Raises `Stopped`."""
    for _try in range(RESEAL_TRIES):
        if SEAL_BROKEN not in box.health().get("refusals", ()):
            return
        if box.order("seal", numbers="1001 1002").get("status") == "Accepted":
            return
        time.sleep(RESEAL_PAUSE_S)  # a loop counts as closed after a moment at rest


def wait_until(
    condition: Callable[[], object], timeout_s: float, what: str, box: ConsoleBox
) -> None:
    """Until `condition()` is true; `TimeoutError` with the console's end if it does not come."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(
                f"{what}: not in {timeout_s:.0f} s; console:\n{box.console()[-2000:]}"
            )
        time.sleep(0.05)
