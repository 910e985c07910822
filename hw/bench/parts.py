"""The verbs of `hw.verbs`, made of relays. A part that the bench lacks is refused by name."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Sequence

from host.provisioning.outcome import refused, unreachable
from hw.bench.config import Mains as MainsConfig
from hw.bench.config import Network
from hw.bench.meter import BenchMeter
from hw.bench.relays import RelayBoard

PILOT = ("pilot_c", "pilot_d", "pilot_b", "diode_bridge")


class Car:
    """Resistors on the pilot. Unlike a car it shows C at once, without waiting for an offer."""

    def __init__(self, relays: RelayBoard, meter: BenchMeter | None) -> None:
        self._relays = relays
        self._meter = meter

    def plug(self, max_current_a: float = 16.0, phases: int = 3, diode: bool = True) -> None:
        if not diode or self._relays.has("diode_bridge"):
            self._relays.conducts("diode_bridge", not diode)
        if self._meter:
            self._meter.car_draws(max_current_a, phases)
        self._relays.conducts("pilot_b", True)

    def request_power(self, ventilation: bool = False) -> None:
        if ventilation:
            self._relays.conducts("pilot_d", True)
        else:
            self._relays.conducts("pilot_c", True)
        if self._meter:
            self._meter.car_asks(True)

    def stop(self) -> None:
        if self._meter:
            self._meter.car_asks(False)
        self._off("pilot_c", "pilot_d")

    def unplug(self) -> None:
        if self._meter:
            self._meter.car_asks(False)
        self._off(*PILOT)

    def short(self, shorted: bool = True) -> None:
        self._relays.conducts("pilot_short", shorted)

    def _off(self, *names: str) -> None:
        for name in names:
            if self._relays.has(name):
                self._relays.conducts(name, False)


class Contactor:
    """A free auxiliary contact at an input of the relay board."""

    def __init__(self, relays: RelayBoard) -> None:
        self._relays = relays

    @property
    def closed(self) -> bool:
        told = self._relays.inputs()
        if "contactor" not in told:
            raise refused("this bench does not see the contactor",
                          "relays.inputs.contactor is missing", "write its input's number there",
                          "relays.inputs.contactor")
        return told["contactor"]


class Seal:
    """Relays in the seal loops."""

    def __init__(self, relays: RelayBoard) -> None:
        self._relays = relays

    def open(self, name: str = "lid") -> None:
        self._relays.conducts(f"seal_{name}", False)

    def close(self, name: str = "lid") -> None:
        self._relays.conducts(f"seal_{name}", True)


class Mains:
    """The supply contactor; the meter has the same supply."""

    def __init__(
        self, config: MainsConfig, relays: RelayBoard, meter: BenchMeter | None
    ) -> None:
        self._config = config
        self._relays = relays
        self._meter = meter
        self._cut_at = time.monotonic()

    def cut(self) -> None:
        self._relays.conducts("mains", False)
        self._cut_at = time.monotonic()
        if self._meter:
            self._meter.power(False)

    def restore(self) -> None:
        """Not before the box's supply has emptied its capacitors (`mains.off_s`)."""
        time.sleep(max(0.0, min(60.0, self._cut_at + self._config.off_s - time.monotonic())))
        if self._meter:
            self._meter.power(True)
        self._relays.conducts("mains", True)


class Net:
    """The access point's supply."""

    def __init__(self, relays: RelayBoard) -> None:
        self._relays = relays

    def drop(self) -> None:
        self._relays.conducts("access_point", False)

    def restore(self) -> None:
        self._relays.conducts("access_point", True)


class ProgrammedNet:
    """A network that two programs of the bench's owner take away and give back."""

    def __init__(self, config: Network) -> None:
        self._config = config

    def drop(self) -> None:
        self._run(self._config.drop, "network.drop")

    def restore(self) -> None:
        self._run(self._config.restore, "network.restore")

    def _run(self, command: Sequence[str], field: str) -> None:
        try:
            done = subprocess.run(
                command, stdin=subprocess.DEVNULL, capture_output=True, text=True,
                errors="replace", timeout=self._config.timeout_s, check=False,
            )
        except subprocess.TimeoutExpired:
            raise unreachable(f"{field} did not end", f"not within {self._config.timeout_s} s",
                              "run it by hand, or raise network.timeout_s") from None
        except OSError as error:
            raise refused(f"{field} does not run", error.strerror or str(error),
                          "name a program with its whole path", field) from None
        if done.returncode:
            told = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["it says nothing"]
            raise refused(f"{field} ended with {done.returncode}", told[0][:200],
                          "run it by hand and put it right", field)
