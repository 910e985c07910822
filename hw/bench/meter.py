"""The bench's meter: the simulated meter's registers behind a real RS-485 adapter.

What the car draws follows the contactor, which is looked at every FOLLOW_S. The register goes on
where the last run left it, or the box would see a meter that counts backwards.
"""

from __future__ import annotations

import json
import termios
import threading
from collections.abc import Callable, Sequence
from pathlib import Path

import serial

from host.provisioning.outcome import Stopped, unusable
from host.provisioning.port_errors import explain
from hw.bench.config import Meter
from hw.sim.meter_models import MODELS
from hw.sim.meters import SimMeter

FOLLOW_S = 0.1
VOLTAGE_V = 230
SAVE_EVERY = 10  # times FOLLOW_S
UNSAVED_WH = 20  # what may have been counted since the last save of a run that was killed
FIRST_WH = 1_000_000


class BenchMeter:
    """Use `open` and `close`; `set_load`, `register_wh` and `silence` are the verbs."""

    def __init__(
        self,
        config: Meter,
        folder: Path,
        limit_a: float,
        contactor: Callable[[], bool] | None,
        on_traffic: Callable[[str, bytes], None] = lambda who, data: None,
    ) -> None:
        """`contactor` tells whether it is closed; None: the bench does not see it."""
        self._config = config
        self._file = folder / "meter.json"
        self._limit_a = limit_a
        self._contactor = contactor
        self._load: tuple[int, ...] | None = None
        self._max_current_a, self._phases = 16.0, 3
        self._asks = self._powered = self._silent = False
        self._power_w = 0
        self._lock = threading.RLock()
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None
        self._line: serial.Serial | None = None
        self.failure: Stopped | None = None  # why the contactor is not followed any more
        self.sim = SimMeter(
            config.model, config.serial, config.address, port=config.port, baud=config.baud,
            paced=False,
        )
        self.sim.on_traffic = on_traffic

    def open(self) -> None:
        """Raises `Stopped` if the adapter cannot be used."""
        parity = self._config.parity or MODELS[self._config.model].parity
        try:
            # held open: the server opens it by name, and the line's settings are the port's
            self._line = serial.Serial(
                self._config.port, self._config.baud, parity=parity, stopbits=1, timeout=0
            )
            self.sim.start()
        except (OSError, ValueError, RuntimeError, termios.error) as error:
            raise explain(self._config.port, error) from None
        self.sim.faults.answer_ms = 5
        self.sim.set(power_w=(0, 0, 0), voltage_v=[VOLTAGE_V] * 3, register_wh=self._saved_wh())
        self.power(False)
        self._save(clean=False)
        self._thread = threading.Thread(target=self._follow, name="meter", daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._stopping.set()
        if self._thread:
            self._thread.join(10)
            self._save(clean=True)
        self._thread = None
        self.sim.stop()
        if self._line:
            self._line.close()
        self._line = None

    # verbs

    def set_load(self, power_w: Sequence[int] | None) -> None:
        with self._lock:
            self._load = None if power_w is None else tuple(power_w)
        self._update(self._sees_contactor())

    def register_wh(self) -> int:
        return self.sim.register_wh()

    def silence(self, silent: bool = True) -> None:
        with self._lock:
            self._silent = silent
            self.sim.faults.silent = silent or not self._powered

    @property
    def power_w(self) -> int:
        """What flows now, all phases together."""
        return self._power_w

    # what the other parts tell

    def power(self, on: bool) -> None:
        """The meter's own supply, which is the box's."""
        with self._lock:
            self._powered = on
            self.silence(self._silent)
        self._update(False)

    def car_draws(self, max_current_a: float, phases: int) -> None:
        with self._lock:
            self._max_current_a, self._phases = max_current_a, phases

    def car_asks(self, asks: bool) -> None:
        with self._lock:
            self._asks = asks
        self._update(self._sees_contactor())

    def raise_register(self, register_wh: int) -> None:
        """The box remembers a higher register: another bench has had it."""
        with self._lock:
            if register_wh > self.register_wh():
                self.sim.set(register_wh=register_wh)

    # what flows

    def _follow(self) -> None:
        rounds = 0
        while not self._stopping.wait(FOLLOW_S):
            self._update(self._sees_contactor())
            rounds += 1
            if rounds % SAVE_EVERY == 0:
                self._save(clean=False)

    def _sees_contactor(self) -> bool:
        if self._contactor is None or not (self._asks and self._powered):
            return False
        try:
            closed = self._contactor()
        except Stopped as stopped:
            self.failure = stopped
            return False
        self.failure = None
        return closed

    def _update(self, closed: bool) -> None:
        with self._lock:
            each = round(min(self._max_current_a, self._limit_a) * VOLTAGE_V)
            if not self._powered:
                power_w: tuple[int, ...] = (0, 0, 0)
            elif self._load is not None:
                power_w = self._load
            else:
                flows = closed and self._asks
                power_w = tuple(each if flows and n < self._phases else 0 for n in range(3))
            self._power_w = sum(power_w)
            self.sim.set(power_w=power_w)

    # between runs

    def _saved_wh(self) -> int:
        try:
            saved = json.loads(self._file.read_text())
            return int(saved["register_wh"]) + (0 if saved["clean"] else UNSAVED_WH)
        except FileNotFoundError:
            return FIRST_WH
        except (OSError, ValueError, KeyError, TypeError):
            raise unusable(str(self._file), "it does not tell a register",
                           "remove it; the box's own register is asked for then") from None

    def _save(self, clean: bool) -> None:
        text = json.dumps({"register_wh": self.register_wh(), "clean": clean})
        beside = self._file.with_suffix(".part")
        beside.write_text(text)
        beside.replace(self._file)
