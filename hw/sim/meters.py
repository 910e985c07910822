"""A sub-meter on RS-485: a pymodbus RTU server behind a pty, with the faults of the field.

    with SimMeter("em340") as meter:  # the box opens meter.path
        meter.set(power_w=(3680, 3680, 3680))
        meter.register_wh()           # what can be read now, in Wh
        meter.faults.answer_ms = 450

Two ptys: the box's, and one for the server, which opens a serial port of its own; meter_wire.py
carries the bytes between them.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
import tty
from collections.abc import Callable, Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from types import TracebackType

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from hw.sim.meter_models import MODELS, State
from hw.sim.meter_wire import Faults, Wire

NS_PER_H = 3_600_000_000_000
STOP_S = 30.0
Number = int | Fraction


class SimMeter:
    """One meter. Energy is exact: power x the clock's ns; `clock_ns` may be simulated time.

    `faults` (see meter_wire.Faults), `requests` and `answers` (counters) are alive from start().
    """

    def __init__(
        self,
        model: str,
        serial: str = "",
        address: int = 1,
        link: str | Path | None = None,
        port: str | Path | None = None,
        baud: int = 9600,
        paced: bool = True,
        clock_ns: Callable[[], int] = time.monotonic_ns,
    ):
        """model: a name of meter_models.MODELS. link: a symlink to make to the box's pty.
        port: a pty that is there already, to be opened instead. paced: no faster than `baud`
        (11-bit characters), else at once.
        """
        self.model = MODELS[model]
        self.address = address
        self.baud = baud
        self.paced = paced
        self.path = ""
        self._state = State(serial=serial or self.model.serial, code=self.model.code)
        self._clock_ns = clock_ns
        self._counted_ns = clock_ns()
        self._link = Path(link) if link else None
        self._port = str(port) if port else ""
        self._fds: list[int] = []
        self._lock = threading.RLock()
        self._wire: Wire | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None
        self._ready = threading.Event()
        self._failure: BaseException | None = None
        self.on_traffic: Callable[[str, bytes], None] = lambda who, data: None

    # --- the physical side

    def set(
        self,
        power_w: Sequence[Number] | None = None,
        voltage_v: Sequence[Number] | None = None,
        register_wh: Number | None = None,
        export_wh: Number | None = None,
        frequency_hz: Number | None = None,
    ) -> None:
        """Changes the load, the grid or the registers, from now on. Power and voltage: 3 phases."""
        with self._lock:
            self._count()
            if power_w is not None:
                self._state.power_w = [Fraction(power) for power in power_w]
            if voltage_v is not None:
                self._state.voltage_v = [Fraction(voltage) for voltage in voltage_v]
            if register_wh is not None:
                self._state.import_wh = Fraction(register_wh)
            if export_wh is not None:
                self._state.export_wh = Fraction(export_wh)
            if frequency_hz is not None:
                self._state.frequency_hz = Fraction(frequency_hz)

    @property
    def energy_wh(self) -> Fraction:
        """The imported energy, exactly."""
        with self._lock:
            self._count()
            return self._state.import_wh

    def register_wh(self) -> int:
        """The import register as it reads now through the meter's number format, in Wh."""
        with self._lock:
            self._count()
            return self.model.register_wh(self._state)

    def exchange(self, serial: str, register_wh: int = 0) -> None:
        """Another meter of the same model is mounted."""
        with self._lock:
            self._count()
            self._state = replace(self._state, serial=serial, import_wh=Fraction(register_wh))

    def _count(self) -> None:
        now_ns = self._clock_ns()
        wh = sum(self._state.power_w, Fraction(0)) * (now_ns - self._counted_ns) / NS_PER_H
        self._counted_ns = now_ns
        if wh > 0:
            self._state.import_wh += wh
        else:
            self._state.export_wh -= wh

    # --- the wire's side

    @property
    def wire(self) -> Wire:
        assert self._wire, "start() first"
        return self._wire

    @property
    def faults(self) -> Faults:
        return self.wire.faults

    @property
    def requests(self) -> int:
        return self.wire.requests

    @property
    def answers(self) -> int:
        return self.wire.answers

    # --- start and stop

    def start(self) -> SimMeter:
        """Opens the ptys and starts the server in a thread. RuntimeError if it does not start."""
        assert self._thread is None, "already started"
        if self._port:
            box_fd, self.path = os.open(self._port, os.O_RDWR | os.O_NOCTTY), self._port
            self._fds.append(box_fd)
        else:
            box_fd, self.path = self._pty()
        server_fd, server_path = self._pty()
        self._wire = Wire(box_fd, server_fd, self.address, self.baud, self.paced)
        self._wire.on_traffic = self.on_traffic
        if self._link:
            self._link.unlink(missing_ok=True)
            self._link.symlink_to(self.path)
        self._ready.clear()
        self._thread = threading.Thread(target=self._run, args=(server_path,), daemon=True)
        self._thread.start()
        if not self._ready.wait(STOP_S) or self._failure:
            failure = self._failure
            self.stop()
            raise RuntimeError(f"meter {self.model.name} did not start: {failure}")
        return self

    def stop(self) -> None:
        """Ends the server; the box's port goes dead. RuntimeError if it does not end."""
        if self._link:
            self._link.unlink(missing_ok=True)
        loop, thread = self._loop, self._thread
        if loop and thread and thread.is_alive():
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(loop.stop)
            thread.join(STOP_S)
            if thread.is_alive():  # closed under it, the numbers would soon be somebody else's
                raise RuntimeError(f"meter {self.model.name} did not stop in {STOP_S} s")
        self._thread = self._loop = None
        for fd in self._fds:
            os.close(fd)
        self._fds = []

    def __enter__(self) -> SimMeter:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def _pty(self) -> tuple[int, str]:
        master, slave = os.openpty()
        tty.setraw(slave)
        # our hold on the slave keeps the pty alive while nobody else has it open
        self._fds += [master, slave]
        return master, os.ttyname(slave)

    def _run(self, server_path: str) -> None:
        loop = self._loop = asyncio.new_event_loop()
        server: ModbusSerialServer | None = None
        try:
            server = loop.run_until_complete(self._serve(server_path))
            self.wire.connect(loop)
            self._ready.set()
            loop.run_forever()
        except BaseException as error:
            self._failure = error
            self._ready.set()
        finally:
            self.wire.disconnect()
            if server:
                loop.run_until_complete(server.shutdown())
            for task in asyncio.all_tasks(loop):
                task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    loop.run_until_complete(task)
            loop.close()

    async def _serve(self, path: str) -> ModbusSerialServer:
        spans = {
            function: [
                SimData(span.start, count=len(span), datatype=DataType.REGISTERS)
                for span in self.model.readable.get(function, [range(1)])
            ]
            for function in (3, 4)
        }
        nothing = [SimData(0, values=[False] * 16, datatype=DataType.BITS)]
        device = SimDevice(
            id=self.address,
            simdata=(nothing, nothing, spans[3], spans[4]),
            action=self._read,
        )
        server = ModbusSerialServer(device, port=path, baudrate=self.baud)
        await server.serve_forever(background=True)
        return server

    async def _read(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        """Fills the registers that are asked for, from the state of this moment."""
        if values is not None:
            return ExcCodes.ILLEGAL_FUNCTION
        if self.faults.exception:
            return ExcCodes(self.faults.exception)
        with self._lock:
            self._count()
            words = self.model.words(self._state, function, address, count)
        if words is None:
            return ExcCodes.ILLEGAL_ADDRESS
        for at, wrong in list(self.faults.words.items()):
            for i, word in enumerate(wrong):
                if address <= at + i < address + count:
                    words[at + i - address] = word
        registers[address - first : address - first + count] = words
        return None
