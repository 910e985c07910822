"""A whole bench without hardware: a simulated board whose relays move the simulated world.

What drives it is the bench's own code, over the same serial ports. `file` is its bench.toml,
`box` the path of the box's USB socket.
"""

from __future__ import annotations

from pathlib import Path

from host.closing import Closing
from host.keys import KeyStore
from hw.bench.simulated_board import SimulatedBoard
from hw.bench.simulation import METER, SPEED, TAG_UID, rig_world
from hw.bench.wiring import NORMALLY_CLOSED, RELAYS
from hw.sim.electrics import CarState
from hw.sim.parts import Meter
from hw.sim.ports import free_port
from hw.sim.world import SERIAL

COILS = {name: number for number, name in enumerate(RELAYS)}


class _NoMeter(Meter):
    """The bench plays the meter; the world's own stays out of the line."""

    def power(self, on: bool) -> None:
        pass


class SimulatedBench(Closing):
    """Use as a context; `world` is what the relays move, `board` the board itself."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self._folder = folder
        (folder / "keys").mkdir(mode=0o700)
        key = KeyStore(folder / "keys").create(SERIAL)
        self.world = world = rig_world(folder / "world", key, None, SPEED)
        self.ending.callback(world.close)
        world.meter = _NoMeter(world.host, world.electrics, world.meter.sim)
        self.board = SimulatedBoard(self._switched, self._inputs, link=folder / "relays")
        self.broker_port = free_port()
        self.file = folder / "bench.toml"

    @property
    def box(self) -> str:
        return self.world.box.usb

    def _start(self) -> None:
        self.world.__enter__()
        self.world.net.proxy.target_port = self.broker_port
        self.ending.enter_context(self.board)
        self.file.write_text(self.toml())

    def toml(self) -> str:
        """Its bench.toml."""
        coils = "\n".join(f"{name} = {number}" for name, number in COILS.items())
        return f"""
[box]
serial = "{SERIAL}"
keys = "keys"

[relays]
port = "{self._folder / "relays"}"

[relays.coils]
{coils}

[relays.inputs]
contactor = 0

[mains]
off_s = 0.2

[meter]
port = "{self.world.box.rs485}"
model = "{METER}"

[tag]
kind = "actuator"
uid = "{TAG_UID.hex()}"

[broker]
address = "127.0.0.1"
port = {self.broker_port}
"""

    # the wires

    def _inputs(self) -> list[bool]:
        return [self.world.contactor.closed]

    def conducts(self, name: str) -> bool:
        """Whether the contact of that relay which is used lets current through."""
        return self.board.coils[COILS[name]] != (RELAYS[name].contact == NORMALLY_CLOSED)

    def _switched(self, number: int, on: bool) -> None:
        name = list(RELAYS)[number]
        world, closed = self.world, self.conducts(name)
        if name == "mains":
            (world.mains.restore if closed else world.mains.cut)()
        elif name in ("seal_lid", "seal_terminal_cover"):
            (world.seal.close if closed else world.seal.open)(name.removeprefix("seal_"))
        elif name == "access_point":
            (world.net.restore if closed else world.net.drop)()
        elif name == "tag":
            world.tag.present(TAG_UID) if closed else world.tag.remove()
        else:
            world.host.call(self._pilot)

    def _pilot(self) -> None:
        """The resistors that are in the circuit are the car."""
        ventilation = self.conducts("pilot_d")
        self.world.electrics.car = CarState(
            plugged=self.conducts("pilot_b"),
            wants_power=self.conducts("pilot_c") or ventilation,
            ventilation=ventilation,
            diode=not self.conducts("diode_bridge"),
            shorted=self.conducts("pilot_short"),
            waits_for_pilot=False,
            s2_closed=self.world.electrics.car.s2_closed,
        )
        self.world.electrics.update()
