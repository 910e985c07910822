"""A relay board without relays: a pymodbus server behind a pty, for the tests of the bench.

    with SimulatedBoard(switched=print, inputs=lambda: [True]) as board:
        RelayBoard(Relays(port=board.path, coils={"mains": 0}))
"""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Callable, Sequence
from pathlib import Path

from pymodbus.constants import ExcCodes
from pymodbus.server import ModbusSerialServer
from pymodbus.simulator import DataType, SimData, SimDevice

from host.closing import Closing
from hw.sim.hostloop import HostLoop

CHANNELS = 16
READ_COILS, READ_INPUTS = 1, 2


class SimulatedBoard(Closing):
    """16 relays and 16 inputs. `switched(number, on)` is called for every coil that is written.

    `silent`: it answers nobody. `tells`: it can read its coils. `stuck`: coils that do not switch,
    whatever is written. `late`: goes out once, ahead of the next answer.
    """

    def __init__(
        self,
        switched: Callable[[int, bool], None] = lambda number, on: None,
        inputs: Callable[[], Sequence[bool]] = lambda: (),
        address: int = 1,
        link: Path | None = None,
    ) -> None:
        super().__init__()
        self._switched = switched
        self._inputs = inputs
        self._address = address
        self._link = link
        self._server: ModbusSerialServer | None = None
        self.coils = [False] * CHANNELS
        self.silent = False
        self.tells = True
        self.stuck: set[int] = set()
        self.late = b""
        self.requests = 0
        self.path = ""

    def _start(self) -> None:
        bench, bench_slave = self._pty()
        server, server_slave = self._pty()
        self.path = os.ttyname(bench_slave)
        if self._link:
            self._link.symlink_to(self.path)
            self.ending.callback(self._link.unlink, missing_ok=True)
        self._host = HostLoop()
        self.ending.callback(self._host.close)
        self._host.run(self._serve(os.ttyname(server_slave)))
        self.ending.callback(self._shut_down)
        self._host.call(self._connect, bench, server)
        self.ending.callback(self._host.call, self._disconnect, bench, server)

    def _pty(self) -> tuple[int, int]:
        master, slave = pty.openpty()
        self.ending.callback(os.close, master)
        self.ending.callback(os.close, slave)
        tty.setraw(slave)
        os.set_blocking(master, False)
        return master, slave

    def _shut_down(self) -> None:
        assert self._server
        self._host.run(self._server.shutdown())

    # the line between both ptys

    def _connect(self, bench: int, server: int) -> None:
        self._host.loop.add_reader(bench, self._ask, bench, server)
        self._host.loop.add_reader(server, self._answer, server, bench)

    def _disconnect(self, *masters: int) -> None:
        for master in masters:
            self._host.loop.remove_reader(master)

    def _ask(self, source: int, target: int) -> None:
        self._carry(target, os.read(source, 4096))

    def _answer(self, source: int, target: int) -> None:
        late, self.late = self.late, b""
        self._carry(target, late + os.read(source, 4096))

    def _carry(self, target: int, data: bytes) -> None:
        if not self.silent:
            os.write(target, data)

    # the board

    async def _serve(self, path: str) -> None:
        bits = [SimData(0, values=[False] * CHANNELS, datatype=DataType.BITS)]
        words = [SimData(0, count=1, datatype=DataType.REGISTERS)]
        device = SimDevice(self._address, simdata=(bits, bits, words, words), action=self._act)
        self._server = ModbusSerialServer(device, port=path, baudrate=9600)
        await self._server.serve_forever(background=True)

    async def _act(
        self,
        function: int,
        first: int,
        address: int,
        count: int,
        registers: list[int],
        values: list[int] | list[bool] | None,
    ) -> ExcCodes | None:
        self.requests += 1
        if values is not None:
            if address + len(values) > CHANNELS:
                return ExcCodes.ILLEGAL_ADDRESS
            for offset, value in enumerate(values):
                self._switch(address + offset, bool(value))
        elif function == READ_COILS:
            if not self.tells:
                return ExcCodes.ILLEGAL_FUNCTION
            registers[0] = _word(self.coils)
        elif function == READ_INPUTS:
            registers[0] = _word(self._inputs())
        return None

    def _switch(self, number: int, on: bool) -> None:
        if number not in self.stuck and self.coils[number] != on:
            self.coils[number] = on
            self._switched(number, on)


def _word(bits: Sequence[bool]) -> int:
    return sum(1 << number for number, bit in enumerate(bits) if bit)
