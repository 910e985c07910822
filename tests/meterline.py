"""An RS-485 line and a meter in simulated time: a UART for the driver, every byte to the ms.

The real meter simulator (pymodbus on a pty) is in hw/sim/meters.py; this one is for tests
that need thousands of seconds or exact delays.
"""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction

from wallbox.drivers import meter, meter_maps
from wallbox.drivers.modbus import crc16

from hw.sim.meter_models import MODELS, State


def frame(*body: int) -> bytes:
    """The bytes with their CRC."""
    crc = crc16(bytes(body), 0, len(body))
    return bytes(body) + bytes((crc & 0xFF, crc >> 8))


class Line:
    """UART on one side, a meter on the other. `answer` may replace what the meter says.

    answer(request, honest answer) -> bytes, or a list of (delay_ms, bytes) parts.
    """

    def __init__(self, model: str = "sdm630", address: int = 1, answer_ms: int = 40):
        self.model = MODELS[model]
        self.state = State(serial=self.model.serial, code=self.model.code)
        self.address = address
        self.answer_ms = answer_ms
        self.answer: Callable[[bytes, bytes], bytes | list[tuple[int, bytes]]] | None = None
        self.echo = False
        self.now = 0
        self.requests: list[tuple[int, bytes]] = []
        self._coming: list[tuple[float, int]] = []
        self._energy_at = 0

    # --- the UART, as machine.UART has it

    def any(self) -> int:
        return sum(1 for at, _ in self._coming if at <= self.now)

    def readinto(self, buf: bytearray) -> int | None:
        n = min(self.any(), len(buf))
        if n == 0:
            return None
        buf[:n] = bytes(byte for _, byte in self._coming[:n])
        del self._coming[:n]
        return n

    def write(self, data: bytes) -> int:
        data = bytes(data)
        self.requests.append((self.now, data))
        character_ms = 11000 / 9600
        end = self.now + len(data) * character_ms
        if self.echo:
            self.put(self.now, data)
        self.advance_energy()
        honest = self.honest(data)
        said = self.answer(data, honest) if self.answer else honest
        for delay_ms, part in [(0, said)] if isinstance(said, bytes) else said:
            self.put(end + self.answer_ms + delay_ms, part)
        return len(data)

    # --- the meter

    def put(self, at: float, data: bytes) -> None:
        """Bytes on the wire, the first complete one character after `at`."""
        character_ms = 11000 / 9600
        self._coming += [(at + (i + 1) * character_ms, byte) for i, byte in enumerate(data)]
        self._coming.sort(key=lambda coming: coming[0])

    def honest(self, request: bytes) -> bytes:
        if request[0] != self.address:
            return b""
        address, count = request[2] << 8 | request[3], request[4] << 8 | request[5]
        words = self.model.words(self.state, request[1], address, count)
        if words is None:
            return frame(request[0], request[1] | 0x80, 2)
        body = [byte for word in words for byte in word.to_bytes(2, "big")]
        return frame(request[0], request[1], 2 * count, *body)

    def advance_energy(self) -> None:
        """Adds what was drawn since the last time."""
        elapsed = self.now - self._energy_at
        self._energy_at = self.now
        power_w = sum(self.state.power_w)
        if power_w > 0:
            self.state.import_wh += power_w * elapsed / Fraction(3_600_000)

    def load(self, *power_w: int) -> None:
        self.advance_energy()
        self.state.power_w = [Fraction(power) for power in power_w]

    # --- the driver on it

    def driver(self, map_name: str = "", **options) -> meter.Meter:
        return meter.Meter(self, meter_maps.find(map_name or self.model.name), **options)

    def run(self, driver: meter.Meter, until: int, stop_at: int = -1) -> list[tuple[int, int, int]]:
        """Serves the driver when due; returns (time, code, reason) of each answer but NOTHING."""
        said = []
        while self.now < until:
            code = driver.service(self.now)
            if code != meter.NOTHING:
                said.append((self.now, code, driver.reason))
                if code == stop_at:
                    break
            assert driver.due >= 0
            self.now = max(self.now + 1, min(driver.due, until))
        return said


def codes(said: list[tuple[int, int, int]]) -> list[int]:
    return [code for _, code, _ in said]


def charging(name: str = "sdm630", **options) -> Line:
    """A car draws 3 x 16 A; the register stands at 12,345.678 kWh."""
    line = Line(name, **options)
    line.state.import_wh = Fraction(12_345_678)
    line.load(3680, 3680, 3680)
    return line


def running(line: Line, **options) -> meter.Meter:
    """A driver that has given its first reading."""
    driver = line.driver(**options)
    assert codes(line.run(driver, line.now + 20_000, stop_at=meter.READING))[-1] == meter.READING
    return driver
