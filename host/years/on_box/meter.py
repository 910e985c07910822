# The sub-meter and its bus, in integers and in simulated time: exact energy, and the faults.
#
# Its registers are those of hw/sim/meter_models.py; a test compares them word for word.

import struct
from array import array

WH = 3_600_000  # W x ms
VOLTAGE_MV = 230_000
_ANSWER_MS = 40
_CHARACTER_US = 1146  # 11 bits at 9600 baud

# what a meter does wrong
SILENT, EXCEPTION, BAD_CRC, CUT_SHORT, NOISE, SPIKE, FALL, FROZEN, STRANGER, UNIT, LATE = range(
    1, 12
)
FAULTS = (
    "", "silent", "exception", "bad CRC", "cut short", "noise", "register too high",
    "register too low", "register frozen", "another meter for a while", "another unit", "late",
)  # fmt: skip


def _table():
    table = array("H", bytes(512))
    for index in range(256):
        crc = index
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
        table[index] = crc
    return table


_CRC = _table()


def crc16(data):
    crc = 0xFFFF
    table = _CRC
    for byte in data:
        crc = crc >> 8 ^ table[(crc ^ byte) & 0xFF]
    return bytes((crc & 0xFF, crc >> 8))


def _low_first(value):
    value &= 0xFFFFFFFF
    return [value & 0xFFFF, value >> 16]


def _high_first(value):
    value &= 0xFFFFFFFF
    return [value >> 16, value & 0xFFFF]


def _float(value, per):
    return list(struct.unpack(">2H", struct.pack(">f", value / per)))


def _em340(meter, function, address, count):
    if address == 0x000B and count == 1:
        return [340]
    if address == 0x5000:
        return [ord(letter) for letter in meter.serial[:7]]
    words = [0] * count
    wh = meter.register_wh()
    _put(words, 0x0112 - address, _low_first(wh // 100))
    for phase in range(3):
        at = 14 * phase - address
        _put(words, 0x0120 + at, _low_first(VOLTAGE_MV // 100))
        _put(words, 0x0122 + at, _low_first(meter.current_ma(phase)))
        _put(words, 0x0124 + at, _low_first(meter.power_w[phase] * 10))
    return words


def _b23(meter, function, address, count):
    words = [0] * count
    if address == 0x8900:
        return _high_first(int(meter.serial))[:count]
    if address == 0x8960:
        return list(struct.unpack(">6H", b"B23 112-100\0"))[:count]
    if address >= 0x5B00:
        for phase in range(3):
            at = 2 * phase - address
            _put(words, 0x5B00 + at, _high_first(VOLTAGE_MV // 100))
            _put(words, 0x5B0C + at, _high_first((meter.current_ma(phase) + 5) // 10))
            _put(words, 0x5B16 + at, _high_first(meter.power_w[phase] * 100))
        _put(words, 0x5B14 - address, _high_first(sum(meter.power_w) * 100))
        _put(words, 0x5B2C - address, [5000])
        return words
    _put(words, 0x5002 - address, _high_first(meter.register_wh() // 10))
    return words


def _sdm630(meter, function, address, count):
    words = [0] * count
    if address == 0xFC00:
        return _high_first(int(meter.serial))[:count]
    if address == 0xFC02:
        return [112]
    if address < 0x0046:
        for phase in range(3):
            at = 2 * phase - address
            _put(words, at, _float(VOLTAGE_MV, 1000))
            _put(words, 0x0006 + at, _float(meter.power_w[phase], VOLTAGE_MV // 1000))
            _put(words, 0x000C + at, _float(meter.power_w[phase], 1))
        _put(words, 0x0034 - address, _float(sum(meter.power_w), 1))
        return words
    _put(words, 0x0046 - address, _float(50, 1))
    _put(words, 0x0048 - address, _float(meter.register_wh(), 1000))
    return words


def _put(words, at, values):
    for value in values:
        if 0 <= at < len(words):
            words[at] = value
        at += 1


# registers; Wh a step; Wh that a reading may differ by
MODELS = {
    "em340": (_em340, 100, 100),
    "b23": (_b23, 10, 10),
    "sdm630": (_sdm630, 1, 70),  # float32: 64 Wh a step below 1,000 MWh
}


class Meter:
    """energy: W x ms since the register was 0; it is what the meter has really counted.

    full_wh: what the register counts before it is 0 again.
    """

    def __init__(self, model, serial, register_wh, full_wh=1_000_000_000):
        self.model = model
        self.registers, self.step_wh, self.slack_wh = MODELS[model]
        self.full_wh = full_wh
        self.serial = serial
        self.energy = register_wh * WH
        self.power_w = [0, 0, 0]
        self.at = 0
        self.fault = 0
        self.strength = 0
        self.frozen_wh = 0
        self._framed = None
        self._frames = {}

    def count(self, at):
        """Up to this moment (ms)."""
        power_w = self.power_w
        self.energy += (power_w[0] + power_w[1] + power_w[2]) * (at - self.at)
        self.at = at
        if self.energy >= self.full_wh * WH:
            self.energy -= self.full_wh * WH

    def current_ma(self, phase):
        return self.power_w[phase] * 1_000_000 // VOLTAGE_MV

    def register_wh(self):
        """As it is read, faults included."""
        wh = self.energy // WH
        if self.fault == FROZEN:
            wh = self.frozen_wh
        elif self.fault == SPIKE:
            wh += 200_000 + self.strength
        elif self.fault == FALL:
            wh = max(0, wh - 1000 - self.strength)
        return wh // self.step_wh * self.step_wh

    def true_wh(self):
        """What the register would read without a fault."""
        return self.energy // WH // self.step_wh * self.step_wh

    def begin_fault(self, fault, strength):
        self.fault = fault
        self.strength = strength
        self.frozen_wh = self.energy // WH

    def answer(self, request, chance):
        """The bytes that come back, b"" for none, and after how many ms the last one."""
        fault = self.fault
        if fault == SILENT or len(request) != 8 or crc16(request) != b"\0\0":
            return b"", 0
        if fault == EXCEPTION:
            head = bytes((request[0], request[1] | 0x80, 4))
            return head + crc16(head), _ANSWER_MS + 6
        frame = self._frame(request)
        late_ms = _ANSWER_MS + chance.below(20) + len(frame) * _CHARACTER_US // 1000
        if fault == BAD_CRC:
            frame = frame[:-1] + bytes((frame[-1] ^ 0x55,))
        elif fault == CUT_SHORT:
            frame = frame[: len(frame) // 2]
        elif fault == NOISE:
            frame = b"\0\xfe" + frame + b"\x55"
        elif fault == LATE:
            late_ms += 700
        return frame, late_ms

    def _frame(self, request):
        """The answer to a request; the same as before, if nothing has moved."""
        state = (self.register_wh(), self.power_w[0], self.power_w[1], self.power_w[2],
                 self.serial, self.fault)  # fmt: skip
        if state != self._framed:
            self._framed = state
            self._frames = {}
        frame = self._frames.get(request)
        if frame is None:
            address = request[2] << 8 | request[3]
            serial = self.serial
            if self.fault == STRANGER:
                self.serial = "1234567"
            words = self.registers(self, request[1], address, request[5])
            self.serial = serial
            data = struct.pack(">%dH" % len(words), *words)
            unit = request[0] if self.fault != UNIT else request[0] % 247 + 1
            body = bytes((unit, request[1], len(data))) + data
            frame = self._frames[request] = body + crc16(body)
        return frame


class Bus:
    """The box's side: asks, and later finds the answer. count() brings the energies up to date."""

    def __init__(self, chance, meter, count):
        self._chance = chance
        self._count = count
        self.meter = meter
        self.asked = 0
        self.data = b""
        self.at = -1  # when `data` has come, -1: nothing is on its way

    def ask(self, request, at):
        self.asked += 1
        self._count()
        self.data, late_ms = self.meter.answer(request, self._chance)
        self.at = at + 9 + late_ms if self.data else -1

    def ready(self, at):
        return len(self.data) if 0 <= self.at <= at else 0

    def read_into(self, buf, at):
        part = self.data[: len(buf)]
        buf[: len(part)] = part
        self.data = self.data[len(part) :]
        if not self.data:
            self.at = -1
        return len(part)

    def power_off(self):
        self.data = b""
        self.at = -1
