"""The parts of the world that a test takes in its hands: car, contactor, meter, seals, tag, net."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from hw.sim.box import Box
from hw.sim.electrics import CarState, Electrics
from hw.sim.hostloop import HostLoop
from hw.sim.meter_wire import Faults
from hw.sim.meters import SimMeter
from hw.sim.outside import Output
from hw.sim.proxy import Proxy
from hw.sim.tagcards import Card
from hw.sim.tagreader import TagReader
from hw.sim.timeserver import TimeServer
from hw.sim.wire import FLOATING

BROKER_PORT = 1883
NTP_PORT = 123


class Car:
    """The car; its verbs are those of `hw.verbs.Car`, and some faults."""

    def __init__(self, host: HostLoop, electrics: Electrics) -> None:
        self._host = host
        self._electrics = electrics

    def _set(self, **changes: object) -> None:
        for name, value in changes.items():
            setattr(self._electrics.car, name, value)
        self._electrics.update()

    def plug(
        self,
        max_current_a: float = 16.0,
        phases: int = 3,
        diode: bool = True,
        waits_for_pilot: bool = True,
    ) -> None:
        """Connects a car.  `waits_for_pilot` False: an old car that shows C without PWM.
        `diode` False: not a car but a resistor."""
        state = CarState(
            plugged=True,
            max_current_a=max_current_a,
            phases=phases,
            diode=diode,
            waits_for_pilot=waits_for_pilot,
        )
        self._host.call(self._replace, state)

    def _replace(self, state: CarState) -> None:
        self._electrics.car = state
        self._electrics.update()

    def request_power(self, ventilation: bool = False) -> None:
        self._host.call(lambda: self._set(wants_power=True, ventilation=ventilation))

    def stop(self) -> None:
        self._host.call(lambda: self._set(wants_power=False))

    def unplug(self) -> None:
        self._host.call(self._replace, CarState())

    def short(self, shorted: bool = True) -> None:
        """Shorts the pilot to earth (E), or ends that."""
        self._host.call(lambda: self._set(shorted=shorted))

    @property
    def letter(self) -> str:
        """The pilot's letter as physics makes it."""
        return self._host.call(lambda: self._electrics.letter)

    @property
    def offered_a(self) -> float:
        """A per phase that the pilot offers."""
        return self._host.call(lambda: self._electrics.offered_a)

    @property
    def power_w(self) -> int:
        """What flows through the meter."""
        return sum(self._electrics.power_w)


class Contactor:
    """The contactor and its faults."""

    def __init__(self, host: HostLoop, electrics: Electrics) -> None:
        self._host = host
        self._electrics = electrics

    @property
    def closed(self) -> bool:
        return self._electrics.contactor_closed

    @property
    def moves(self) -> int:
        """How often it has switched."""
        return self._electrics.contactor_moves

    def weld(self) -> None:
        self._host.call(self._electrics.set_contactor_fault, "welded")

    def stick_open(self) -> None:
        self._host.call(self._electrics.set_contactor_fault, "stuck")

    def repair(self) -> None:
        self._host.call(self._electrics.set_contactor_fault, "")


class Meter:
    """The sub-meter: a pymodbus server on the box's bus; `sim` has its faults."""

    def __init__(self, host: HostLoop, electrics: Electrics, sim: SimMeter) -> None:
        self._host = host
        self._electrics = electrics
        self.sim = sim
        self._faults: Faults | None = None
        self._powered = False

    @property
    def faults(self) -> Faults:
        """What is wrong with the meter or its line; outlives a power cut."""
        return self.sim.faults

    def power(self, on: bool) -> None:
        """The meter's own supply."""
        if on == self._powered:
            return
        self._powered = on
        if on:
            self.sim.start()
            if not self.sim.paced:
                self.faults.answer_ms = 0
            if self._faults:
                self.sim.wire.faults = self._faults
        else:
            self._faults = self.sim.faults
            self.sim.stop()

    def set_load(self, power_w: Sequence[int] | None) -> None:
        self._host.call(self._electrics.set_load, power_w)

    def register_wh(self) -> int:
        return self.sim.register_wh()

    def silence(self, silent: bool = True) -> None:
        self.faults.silent = silent


class Seal:
    """The seal loops of the board, their latches, and their place in the contactor's path.

    `latched`: the names of the loops that were open since the firmware reset the latches; they
    need no power. `interlock` False: the jumper is pulled, and an open loop does not stop the box.
    """

    NAMES = ("lid", "terminal_cover")

    def __init__(self, host: HostLoop, box: Box, electrics: Electrics) -> None:
        self._host = host
        self._box = box
        self._electrics = electrics
        self._open: set[str] = set()
        self._interlock = True
        self.latched: set[str] = set()
        host.call(self._drive)

    def _pin(self, name: str) -> int:
        pin = self._box.pins.get(f"SEAL_{name.upper()}")
        if name not in self.NAMES or pin is None:
            raise ValueError(f"seal {name!r}: the board has none of that name")
        return pin

    def open(self, name: str = "lid") -> None:
        self._pin(name)
        self._host.call(self._change, self._open | {name})

    def close(self, name: str = "lid") -> None:
        self._pin(name)
        self._host.call(self._change, self._open - {name})

    @property
    def interlock(self) -> bool:
        return self._interlock

    @interlock.setter
    def interlock(self, fitted: bool) -> None:
        self._interlock = fitted
        self._host.call(self._drive)

    def _change(self, opened: set[str]) -> None:
        self._open = opened
        self.latched |= opened
        self._drive()

    def output_changed(self, pin: int, output: Output) -> None:
        """The firmware's pulse resets the latches; an open loop sets its own again."""
        if pin == self._box.pins["SEAL_LATCH_RESET"] and output.level:
            self.latched = set(self._open)
            self._drive()

    def _drive(self) -> None:
        closed = self._box.pins["SEAL_CLOSED_LEVEL"]
        for name in self.NAMES:
            self._box.set_level(self._pin(name), FLOATING if name in self._open else closed)
            latch = self._box.pins[f"SEAL_LATCH_{name.upper()}"]
            self._box.set_level(latch, 1 if name in self.latched else 0)
        self._electrics.enable(not (self._interlock and self._open))


class Tag:
    """Tags in front of the reader; `reader` is the reader's chip, which can be unplugged."""

    def __init__(self, box: Box, clock_us: Callable[[], int] | None = None) -> None:
        self._box = box
        self.reader = TagReader(clock_us)
        box.on_spi = lambda number, data: self.reader.transfer(data)

    def output_changed(self, pin: int, output: Output) -> None:
        pins = self._box.pins
        if pin == pins["TAG_SELECT"]:
            self.reader.select(output.level)
        elif pin == pins["TAG_RESET"]:
            # nobody drives it while the box is without power, which then the reader is, too
            self.reader.reset_line(0)
            self.reader.reset_line(1 if output.mode == 0 else output.level)

    def present(self, uid: bytes, counter: int = -1) -> None:
        """Holds this tag alone to the reader; with a `counter` it is an NTAG21x."""
        self.hold(Card(uid, counter))

    def hold(self, *cards: Card) -> None:
        """Holds these tags to the reader; a card remembers its counter when it is taken away."""
        self._box.host.call(self._replace, cards)

    def _replace(self, cards: Sequence[Card]) -> None:
        self.reader.clear()
        for card in cards:
            self.reader.put(card)

    def remove(self) -> None:
        self._box.host.call(self.reader.clear)

    def unplug(self) -> None:
        """The reader's cable is out."""
        self._box.host.call(self.reader.unplug)

    def plug(self) -> None:
        self._box.host.call(self.reader.plug)


class Net:
    """Access point, line to the broker, and time server."""

    def __init__(self, host: HostLoop, box: Box) -> None:
        self._host = host
        self._box = box
        self.proxy = host.call(Proxy)
        self.time = TimeServer()

    def start(self) -> None:
        self._host.run(self.proxy.start())
        self._host.run(self.time.start())
        self._box.set_port(BROKER_PORT, self.proxy.port)
        self._box.set_port(NTP_PORT, self.time.port)

    def networks(self, *others: str) -> None:
        """The names of the other networks in range, which a scan finds beside the box's own."""
        self._host.call(self._box.radio.surround, others)

    def drop(self, radio: bool = True) -> None:
        """`radio`: the access point goes off; else only the line behind it goes silent."""
        self._host.call(self.proxy.silence, True)
        if radio:
            self._box.set_radio(False)

    def restore(self) -> None:
        """Radio, line and delay as at the start; what waited on the line is delivered."""
        self._box.set_radio(True)
        self.delay(0)
        self._host.call(self.proxy.silence, False)

    def delay(self, one_way_s: float) -> None:
        """Every piece of data takes this long."""
        self._host.call(setattr, self.proxy, "delay_s", one_way_s)

    def reset_connections(self) -> None:
        """Every TCP connection ends with a reset."""
        self._host.call(self.proxy.break_connections)

    def close(self) -> None:
        self._host.run(self.proxy.close())
        self._host.call(self.time.close)
