"""The simulated world: a box, its car, mains, meter, seals, tag reader, network and broker.

    with World() as world:
        world.car.plug(max_current_a=16, phases=3)
        world.car.request_power()
        world.box.wait_until(lambda: world.car.power_w > 0, what="charging")
        world.mains.cut()
        world.mains.restore()

Everything that is started is ended by its own handle when the `with` block ends.
"""

from __future__ import annotations

import shutil
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

from host import image
from host.closing import Closing
from hw.sim.box import UNIQUE_ID, Box
from hw.sim.broker import Amqtt, Mosquitto, make_broker
from hw.sim.electrics import Electrics
from hw.sim.hostloop import HostLoop
from hw.sim.interpreter import DEFAULT_HEAP
from hw.sim.meters import SimMeter
from hw.sim.outside import Output
from hw.sim.parts import BROKER_PORT, Car, Contactor, Meter, Net, Seal, Tag

SERIAL = "WB-000001"
LEDGER_KEY = bytes(range(32))


class Mains:
    """The supply of box, meter and car."""

    def __init__(self, world: World) -> None:
        self._world = world

    def cut(self) -> None:
        world = self._world
        world.host.call(self._cut)
        world.meter.power(False)

    def _cut(self) -> None:
        self._world.box.power_cut()
        self._world.electrics.set_mains(False)

    def lost(self) -> None:
        """The box has reached the flash operation that the power was to go at."""
        self._world.electrics.set_mains(False)
        self._world.meter.power(False)

    def restore(self) -> None:
        world = self._world
        if world.electrics.mains:
            return
        world.meter.power(True)
        world.host.call(self._restore)

    def _restore(self) -> None:
        self._world.electrics.set_mains(True)
        self._world.box.power_on()


class World(Closing):
    """One box and all around it.

    `broker`: `mosquitto`, `amqtt`, `any` or None.  `config` is merged into the box's
    config.json (`config={"interval_s": 5}`).  `flash`: a whole image instead of a built one.
    `power` False leaves the mains off until `mains.restore()`.  `speed`: how much faster than
    this machine's all clocks of the world run; the meter then answers at once.
    `rom`: the firmware runs in place from the romfs partition, else it is copied into RAM.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        board: str = "wroom32",
        meter: str = "em340",
        broker: str | None = "any",
        heap: str = DEFAULT_HEAP,
        config: Mapping[str, object] | None = None,
        serial: str = SERIAL,
        ledger_key: bytes = LEDGER_KEY,
        firmware: Path = image.FIRMWARE,
        flash: bytes | None = None,
        power: bool = True,
        speed: int = 1,
        rom: bool = True,
        unique_id: bytes = UNIQUE_ID,
    ) -> None:
        super().__init__()
        self.directory = Path(tempfile.mkdtemp(prefix="world-")) if directory is None else directory
        self.serial = serial
        self.ledger_key = ledger_key
        self.host = HostLoop()
        self.ending.callback(self.host.close)
        if directory is None:
            self.ending.callback(shutil.rmtree, self.directory, ignore_errors=True)
        self.box = Box(
            self.directory / "box", board=board, heap=heap, host=self.host, unique_id=unique_id
        )
        self.ending.callback(self.box.close)
        self.broker: Mosquitto | Amqtt | None = None
        if broker is not None:
            self.broker = make_broker(broker, self.directory / "broker")
            self.ending.callback(self.broker.stop)
        self.box.speed = speed
        began_ns = time.monotonic_ns()

        def clock_ns() -> int:
            return began_ns + (time.monotonic_ns() - began_ns) * speed

        sim = SimMeter(meter, port=self.box.rs485, paced=speed == 1, clock_ns=clock_ns)
        self.electrics = self.host.call(Electrics, self.box, self._power)
        self.meter = Meter(self.host, self.electrics, sim)
        self.meter.sim.set(voltage_v=[self.electrics.voltage_v] * 3)
        self.car = Car(self.host, self.electrics)
        self.contactor = Contactor(self.host, self.electrics)
        self.seal = Seal(self.host, self.box, self.electrics)
        self.tag = Tag(self.box, lambda: clock_ns() // 1000)
        self.mains = Mains(self)
        self.net = Net(self.host, self.box)
        self.ending.callback(self.net.close)
        self.ending.callback(self.mains.cut)
        self.net.time.speed = speed
        self.box.on_output = self._output_changed
        self.box.on_power_lost = self.mains.lost
        self._config = {**self.default_config(meter), **(config or {})}
        self._power_at_start = power
        self.box.flash(
            flash
            or image.build_flash(
                self._config, board, serial=serial, ledger_key=ledger_key, tree=firmware, rom=rom
            )
        )

    def _output_changed(self, pin: int, output: Output) -> None:
        self.electrics.output_changed(pin)
        self.tag.output_changed(pin, output)
        self.seal.output_changed(pin, output)

    def _power(self, power_w: tuple[int, ...]) -> None:
        self.meter.sim.set(power_w=power_w)

    def default_config(self, meter: str) -> dict[str, object]:
        """A configuration that fits this world."""
        return {
            "serial": self.serial,
            "installation_limit_a": 16,
            "meter": {"model": meter},
            "wifi": {"ssid": "depot", "password": "correct horse"},
            "broker": {"host": "broker.example", "port": BROKER_PORT, "tls": "none-in-tests"},
            "clock": {"host": "time.example"},
        }

    def _start(self) -> None:
        self.net.start()
        if self.broker:
            self.broker.start()
            self.net.proxy.target_port = self.broker.port
        if self._power_at_start:
            self.mains.restore()
