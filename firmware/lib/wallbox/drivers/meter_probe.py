"""Finds out which meter is on the bus, and how it is set: for the installer, not for every boot.

Each baud rate, parity and address is asked for the identity register of each known model. An
exception answer proves that the line is right, and that the model is another.
"""

from micropython import const

from . import meter_maps, modbus
from . import meter_reasons as reasons
from .meter_identity import Identity

# what `service` answers
NOTHING = const(0)
FOUND = const(1)  # name, baud, parity, address, identity
NOT_FOUND = const(2)  # `heard`: a meter answered, but none of the known models


class Probe:
    """uart: also `init(baudrate, bits, parity, stop)`, as machine.UART."""

    def __init__(self, uart, addresses=(1,), bauds=(9600,), parities="NE"):
        self.due = 0
        self.heard = False
        self.name = ""
        self.baud = 0
        self.parity = ""
        self.address = 0
        self.identity = None
        self._uart = uart
        self._chunk = bytearray(64)
        self._master = modbus.Master(9600)
        self._asking = False
        self._request = (0, 0, 0, 0, 0)
        self._line = (0, "")
        self._plan = self._plans(addresses, bauds, parities)

    def _plans(self, addresses, bauds, parities):
        for baud in bauds:
            for parity in parities:
                for address in addresses:
                    for name in meter_maps.NAMES:
                        yield baud, parity, address, name

    def service(self, now: int) -> int:
        """Goes on as far as it can without waiting; `due` is when to call again (ms)."""
        if not self._asking and not self._next(now):
            return NOT_FOUND
        master = self._master
        while self._uart.any():
            master.feed(self._chunk, self._uart.readinto(self._chunk) or 0, now)
        code = master.service(now)
        if code == modbus.SEND:
            self._uart.write(master.request)
            master.sent(now)
        elif code == modbus.ANSWER:
            self._asking = False
            if self._fits():
                return FOUND
        elif code == modbus.FAILED:
            self._asking = False
            self.heard = self.heard or master.reason == reasons.EXCEPTION
        self.due = master.due
        return NOTHING

    def _next(self, now: int) -> bool:
        try:
            self.baud, self.parity, self.address, self.name = next(self._plan)
        except StopIteration:
            return False
        if self._line != (self.baud, self.parity):
            self._line = (self.baud, self.parity)
            parity = {"N": None, "E": 0, "O": 1}[self.parity]
            self._uart.init(self.baud, bits=8, parity=parity, stop=1)
        self._request = meter_maps.find(self.name).identity[0]
        self._master = modbus.Master(self.baud, attempts=1, pause_ms=100)
        self._master.feed(self._chunk, 0, now)  # begin with silence
        _, _, function, register, count = self._request
        self._master.ask(self.address, function, register, count, now)
        self._asking = True
        return True

    def _fits(self) -> bool:
        meter = meter_maps.find(self.name)
        self.heard = True
        self.identity = Identity(meter.vendor)
        self.identity.take(self._request, self._master.buf, self._master.at)
        if self.identity.model + self.identity.serial == "":
            return False
        return self.identity.close(meter.model, meter.models)
