"""The simulated rig: `hw.sim.world` behind the same face as a bench, with every capability."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

from host import image
from host.closing import Closing
from host.keys import KeyStore
from hw.bench import evidence
from hw.bench.box import ConsoleBox
from hw.bench.operator import BenchOperator
from hw.bench.rig import reseal, wait_until
from hw.sim.world import SERIAL, World
from hw.verbs import CAPABILITIES

METER = "sdm630"
SPEED = 3
TAG_UID = bytes.fromhex("04a1b2c3d4e5f6")
CONFIG = {"interval_s": 2, "reader": {"fitted": True}}


def rig_world(
    folder: Path, key: bytes, broker: str | None, speed: int = 1,
    config: Mapping[str, object] | None = None,
) -> World:
    """The world of a rig: short intervals, a reader, the mains off."""
    return World(
        folder, meter=METER, broker=broker, ledger_key=key, power=False,
        config={**CONFIG, **(config or {})}, speed=speed,
    )


class Simulation(Closing):
    """`hw.verbs.Rig` in a folder; use as a context."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.capabilities = frozenset(CAPABILITIES)
        self.tag_uid = TAG_UID
        self.traffic = evidence.Capture()
        (folder / "keys").mkdir(mode=0o700)
        self._keys = KeyStore(folder / "keys")
        key = self._keys.create(SERIAL)
        self._folder = folder
        self._key = key
        self.world = rig_world(folder / "world", key, "mosquitto", SPEED)
        self.ending.callback(self.world.close)
        self.world.meter.sim.on_traffic = self.traffic.add

    def _start(self) -> None:
        self.world.__enter__()
        assert self.world.broker
        self.box = ConsoleBox(self.world.box.usb, self._key)
        self.ending.callback(self.box.close)
        self.operator = BenchOperator(self._folder / "collector.db", self._keys, SERIAL,
                                      self.world.broker.port)
        self.ending.callback(self.operator.close)
        self.operator.open()

    def wait_until(self, condition: Callable[[], object], timeout_s: float, what: str) -> None:
        wait_until(condition, timeout_s, what, self.box)

    def rest(self) -> None:
        world = self.world
        world.car.unplug()
        world.contactor.repair()
        world.tag.remove()
        for name in world.seal.NAMES:
            world.seal.close(name)
        world.net.restore()
        assert world.broker
        world.broker.start()
        world.meter.set_load(None)
        world.mains.restore()
        world.meter.silence(False)
        self.box.forget()
        self.traffic.clear()

    def settle(self) -> None:
        reseal(self.box)

    def keep_evidence(self, folder: Path) -> list[str]:
        return evidence.keep(folder, {
            "console.log": self.box.console,
            "meter-bus.txt": self.traffic.text,
            "ledger.bin": self._ledger,
        })

    def _ledger(self) -> bytes:
        """From the flash, so that it can be had of a box that does not answer."""
        ledger = image.partitions()["ledger"]
        flash = self.world.box.flash_path.read_bytes()
        return flash[ledger.offset : ledger.offset + ledger.size]
