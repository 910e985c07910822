"""A relay board that speaks Modbus RTU: coils for the relays, discrete inputs beside them.

Every wait is bounded: a request has TIMEOUT_S and RETRIES more tries, then `Stopped` says which
board did not answer. What was switched is read back where the board can tell.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from pymodbus.client import ModbusSerialClient
from pymodbus.exceptions import ModbusException
from pymodbus.pdu import ModbusPDU

from host.provisioning.outcome import EXIT_UNREACHABLE, Stopped, refused, unreachable
from hw.bench.config import BenchConfig, Relays
from hw.bench.wiring import NORMALLY_CLOSED, ORDER_TO_REST, RELAYS

TIMEOUT_S = 0.5
RETRIES = 2
SETTLE_S = 0.02  # a relay's contacts, coil to rest
_FUNCTIONS = {"read_coils": 1, "read_discrete_inputs": 2, "write_coil": 5}
_EXCEPTION = 0x80  # set in the function of an answer that refuses
Traffic = Callable[[str, bytes], None]


class RelayBoard:
    """The relays by the names of `wiring.RELAYS`; may be used from any thread.

    `known`: which coils are known to be on or off; empty means that nothing is known.
    """

    def __init__(self, config: Relays, on_traffic: Traffic = lambda who, data: None) -> None:
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # Stopped says it
        self.config = config
        self.known: dict[str, bool] = {}
        self._lock = threading.RLock()
        self._on_traffic = on_traffic
        self._client = ModbusSerialClient(
            config.port,
            baudrate=config.baud,
            parity=config.parity,
            timeout=TIMEOUT_S,
            retries=RETRIES,
            trace_packet=self._trace,
        )

    def _trace(self, sending: bool, data: bytes) -> bytes:
        self._on_traffic("bench" if sending else "board", data)
        return data

    def close(self) -> None:
        with self._lock:
            self._client.close()
            self.known.clear()

    # relays

    def switch(self, name: str, on: bool) -> None:
        """Energises a coil or lets it go; returns when the contacts have moved.

        Raises `Stopped` if the board has no such relay, does not answer, or tells otherwise.
        """
        coil = self.coil(name)
        with self._lock:
            self.known.pop(name, None)
            self._ask(self._client.write_coil, coil, on)
            time.sleep(SETTLE_S)
            if self.config.read_back and self._coils()[name] != on:
                raise refused(
                    f"relay {name} (coil {coil}) did not switch {'on' if on else 'off'}",
                    "the board tells otherwise",
                    "look at the board; if it tells nothing useful, set relays.read_back = false",
                    f"relays.coils.{name}",
                )
            self.known[name] = on

    def conducts(self, name: str, closed: bool) -> None:
        """Lets the contact that is used conduct, or not."""
        self.switch(name, closed != (RELAYS[name].contact == NORMALLY_CLOSED))

    def coil(self, name: str) -> int:
        """Raises `Stopped` if the bench has no such relay."""
        if name not in self.config.coils:
            raise refused(f"this bench has no relay {name}", f"relays.coils.{name} is missing",
                          "write its coil's number there", f"relays.coils.{name}")
        return self.config.coils[name]

    def has(self, name: str) -> bool:
        return name in self.config.coils

    def read(self) -> dict[str, bool]:
        """Every coil as the board tells it; if it does not, those that were switched, as they were.
        """
        with self._lock:
            return self._coils() if self.config.read_back else dict(self.known)

    def _coils(self) -> dict[str, bool]:
        return self._bits(self._client.read_coils, self.config.coils)

    def inputs(self) -> dict[str, bool]:
        """Every input that the bench names."""
        with self._lock:
            return self._bits(self._client.read_discrete_inputs, self.config.inputs)

    def rest(self, mains_on: bool) -> None:
        """Every coil off, but the mains as told; the pilot's first.

        Where the board tells its coils, only those that are not so yet are switched. One that
        sticks keeps none of the others on: then `Stopped` is raised in the end.
        """
        stuck: Stopped | None = None
        with self._lock:
            told = self._told()
            for name in filter(self.has, ORDER_TO_REST):
                wanted = mains_on and name == "mains"
                if told.get(name) == wanted:
                    self.known[name] = wanted
                    continue
                try:
                    self.switch(name, wanted)
                except Stopped as stopped:
                    if stopped.code == EXIT_UNREACHABLE:  # nor would it answer for the next one
                        raise
                    stuck = stuck or stopped
        if stuck:
            raise stuck

    def _told(self) -> dict[str, bool]:
        """Every coil, or none where the board does not tell."""
        try:
            return self._coils() if self.config.read_back else {}
        except Stopped as stopped:
            if stopped.code == EXIT_UNREACHABLE:
                raise
            return {}

    # Modbus

    def _bits(self, read: Callable[..., ModbusPDU], wanted: dict[str, int]) -> dict[str, bool]:
        if not wanted:
            return {}
        first, count = min(wanted.values()), max(wanted.values()) - min(wanted.values()) + 1
        bits = self._ask(read, first, count=count).bits
        return {name: bits[number - first] for name, number in wanted.items()}

    def _ask(
        self, request: Callable[..., ModbusPDU], address: int, *words: bool, count: int = 1
    ) -> ModbusPDU:
        """Asks again when what comes is a late answer to an earlier request: RTU numbers none."""
        function = _FUNCTIONS[request.__name__]
        more = {} if words else {"count": count}
        for _try in range(RETRIES + 1):
            answer = self._answer(request, address, *words, **more)
            known = answer.function_code & ~_EXCEPTION == function
            if known and answer.isError():
                raise refused(
                    f"the relay board at {self.config.port} refuses {address}",
                    f"Modbus exception {getattr(answer, 'exception_code', '?')}",
                    "look at the numbers of relays.coils and relays.inputs; the first is 0",
                )
            if known and len(answer.bits) >= count and (not words or answer.address == address):
                return answer
        raise self._silent("it answers what was not asked")

    def _answer(
        self, request: Callable[..., ModbusPDU], address: int, *words: bool, **more: int
    ) -> ModbusPDU:
        try:
            if not self._client.connect():
                raise unreachable(
                    f"the relay board's port {self.config.port} cannot be opened",
                    "it is not there, or another program has it",
                    "plug the board in, close other programs, and look at relays.port",
                )
            return request(address, *words, device_id=self.config.address, **more)
        except (ModbusException, OSError) as error:
            raise self._silent(str(error).strip()[:200]) from None

    def _silent(self, why: str) -> Stopped:
        config = self.config
        return unreachable(
            f"no answer from the relay board at {config.port}",
            why,
            f"look at its supply, A and B, and whether it has address {config.address}, "
            f"{config.baud} baud, parity {config.parity}",
        )


def put_to_rest(config: BenchConfig) -> None:
    """A bench whose program has ended, by a board of its own. Raises `Stopped`."""
    if config.relays is None:
        return
    board = RelayBoard(config.relays)
    try:
        board.rest(config.mains.at_rest == "on")
    finally:
        board.close()
