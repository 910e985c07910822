"""The MFRC522's logic: registers, commands, interrupt bits, FIFO, timer, CRC unit, frames.

As in NXP's data sheet MFRC522 (sections 8 to 10), as far as ISO/IEC 14443-3 type A at 106 kbit/s
needs it: Idle, CalcCRC, Transmit, Transceive, SoftReset. Power-down, MFAuthent and the test
registers are missing. Strict where the data sheet leaves a doubt: StartSend is not cleared by
itself, and Transceive with StartSend still set sends at once.

A frame takes its time in the air: 9.44 us a bit with parity, start and end, and 86 us between a
frame and its answer. One source for MicroPython and CPython; a poll of an empty field allocates
nothing.
"""

from hw.sim.tagcards import crc16, overlap

VERSION = 0x92
COMMAND, COM_IRQ, DIV_IRQ, ERROR, STATUS_1 = 0x01, 0x04, 0x05, 0x06, 0x07
FIFO_DATA, FIFO_LEVEL, WATER_LEVEL = 0x09, 0x0A, 0x0B
CONTROL, BIT_FRAMING, COLLISION, MODE, TX_MODE, RX_MODE = 0x0C, 0x0D, 0x0E, 0x11, 0x12, 0x13
TX_CONTROL, TX_ASK, DEMOD, CRC_HIGH, CRC_LOW = 0x14, 0x15, 0x19, 0x21, 0x22
T_MODE, T_PRESCALER, T_RELOAD_HIGH, T_RELOAD_LOW = 0x2A, 0x2B, 0x2C, 0x2D
T_COUNTER_HIGH, T_COUNTER_LOW, VERSION_REG = 0x2E, 0x2F, 0x37
IDLE, CALC_CRC, TRANSMIT, NO_CHANGE, RECEIVE, TRANSCEIVE, SOFT_RESET = 0, 3, 4, 7, 8, 12, 15
TX_IRQ, RX_IRQ, IDLE_IRQ, HI_IRQ, LO_IRQ, ERROR_IRQ, TIMER_IRQ = 64, 32, 16, 8, 4, 2, 1
CRC_IRQ = 0x04
WRITE_ERROR, OVERFLOW, COLLIDED, CRC_ERROR, PARITY_ERROR = 0x80, 0x10, 0x08, 0x04, 0x02
FIFO_BYTES = 64
FRAME_DELAY_US = 86

# what the registers hold after a reset
_RESETS = (
    (COMMAND, 0x20), (0x02, 0x80), (COM_IRQ, 0x14), (STATUS_1, 0x21), (WATER_LEVEL, 0x08),
    (CONTROL, 0x10), (COLLISION, 0x80), (MODE, 0x3F), (TX_CONTROL, 0x80), (0x16, 0x10),
    (0x17, 0x84), (0x18, 0x84), (DEMOD, 0x4D), (0x1C, 0x62), (0x1F, 0xEB), (CRC_HIGH, 0xFF),
    (CRC_LOW, 0xFF), (0x24, 0x26), (0x26, 0x48), (0x27, 0x88), (0x28, 0x20), (0x29, 0x20),
    (VERSION_REG, VERSION),
)  # fmt: skip
_IRQS = (COM_IRQ, DIV_IRQ)
_T_COUNTERS = (T_COUNTER_HIGH, T_COUNTER_LOW)
_SENDERS = (TRANSMIT, TRANSCEIVE)
_READ_ONLY = (ERROR, STATUS_1, CRC_HIGH, CRC_LOW, T_COUNTER_HIGH, T_COUNTER_LOW, VERSION_REG)
_PRESETS = (0x0000, 0x6363, 0xA671, 0xFFFF)
NEVER = -1


def bits_us(bits: int) -> int:
    """So many bits at 106 kbit/s: 128 periods of 13.56 MHz each."""
    return bits * 12800 // 1356


class TagChip:
    """The chip behind its bus; `clock_us()` is the time, `cards` the tags in its field."""

    def __init__(self, clock_us) -> None:  # type: ignore[no-untyped-def]
        self.clock_us = clock_us
        self.cards: list = []
        self.air_us = 0  # frames and the pauses between them, time-outs apart
        self.hung = False
        self.spoiled: tuple = (0, 0, 0)  # answers still to spoil, which byte, which bits
        self._registers = bytearray(64)
        self._fifo = bytearray(FIFO_BYTES)
        self._count = 0
        self.reset()

    @property
    def field(self) -> bool:
        return bool(self._registers[TX_CONTROL] & 3)

    def reset(self) -> None:
        for index in range(64):
            self._registers[index] = 0
        for register, value in _RESETS:
            self._registers[register] = value
        self._count = 0
        self._sent_at = self._heard_at = self._timer_at = self._crc_at = NEVER
        self._answer_at = NEVER  # when the fifth bit of an answer is in
        self._answer: tuple = (0, 0, -1)
        for card in self.cards:
            card.power(False)

    def read(self, register: int) -> int:
        if register == FIFO_DATA:
            return self._pop()
        if register == FIFO_LEVEL:
            return self._count
        if register == STATUS_1:
            return self._status()
        if register in _T_COUNTERS:
            left = self._ticks_left()
            return left >> 8 if register == T_COUNTER_HIGH else left & 0xFF
        return self._registers[register]

    def _status(self) -> int:
        level = self._registers[WATER_LEVEL] & 0x3F
        status = 0x20  # the CRC is ready
        if self._timer_at >= 0:
            status |= 0x08
        if FIFO_BYTES - self._count <= level:
            status |= 0x02
        if self._count <= level:
            status |= 0x01
        return status

    def write(self, register: int, value: int) -> None:
        registers = self._registers
        if register == FIFO_DATA:
            self._push(value)
        elif register == FIFO_LEVEL:
            if value & 0x80:
                self._count = 0
                registers[ERROR] &= ~OVERFLOW & 0xFF
        elif register in _IRQS:
            # bit 7 tells whether the marked bits are set or cleared
            if value & 0x80:
                registers[register] |= value & 0x7F
            else:
                registers[register] &= ~value & 0x7F
        elif register == COMMAND:
            self._command(value)
        elif register == CONTROL:
            if value & 0x80:
                self._timer_at = NEVER
            elif value & 0x40:
                self._start_timer(self.clock_us())
        elif register == COLLISION:
            registers[register] = registers[register] & 0x7F | value & 0x80
        elif register == TX_CONTROL:
            registers[register] = value
            for card in self.cards:
                card.power(self.field)
        elif register not in _READ_ONLY:
            registers[register] = value
            if register == BIT_FRAMING and value & 0x80:
                self._start_send()

    def _push(self, value: int) -> None:
        if self._count == FIFO_BYTES:
            self._fail(OVERFLOW)
            return
        self._fifo[self._count] = value
        self._count += 1
        if FIFO_BYTES - self._count <= self._registers[WATER_LEVEL] & 0x3F:
            self._registers[COM_IRQ] |= HI_IRQ

    def _pop(self) -> int:
        if not self._count:
            return 0
        value = self._fifo[0]
        self._count -= 1
        for index in range(self._count):
            self._fifo[index] = self._fifo[index + 1]
        if self._count <= self._registers[WATER_LEVEL] & 0x3F:
            self._registers[COM_IRQ] |= LO_IRQ
        return value

    def _fail(self, errors: int) -> None:
        self._registers[ERROR] |= errors
        self._registers[COM_IRQ] |= ERROR_IRQ

    def _command(self, value: int) -> None:
        registers = self._registers
        command = value & 0x0F
        if command == SOFT_RESET:
            self.reset()
            return
        if command == NO_CHANGE or self.hung:
            registers[COMMAND] = registers[COMMAND] & 0x0F | value & 0x30
            return
        if command == IDLE and registers[COMMAND] & 0x0F != IDLE:
            registers[COM_IRQ] |= IDLE_IRQ
        registers[COMMAND] = value & 0x3F
        registers[ERROR] = 0
        self._sent_at = self._heard_at = self._answer_at = self._crc_at = NEVER
        if command == CALC_CRC:
            # a byte in each eight periods of 13.56 MHz
            self._crc_at = self.clock_us() + self._count
        elif command == TRANSMIT or registers[BIT_FRAMING] & 0x80:
            self._start_send()

    # time

    def advance(self) -> None:
        """What has come to pass until now, in its order."""
        now = self.clock_us()
        registers = self._registers
        if 0 <= self._sent_at <= now:
            registers[COM_IRQ] |= TX_IRQ
            if registers[T_MODE] & 0x80:
                self._start_timer(self._sent_at)
            self._sent_at = NEVER
        if 0 <= self._answer_at <= now and self._sent_at < 0:
            if registers[T_MODE] & 0x80 and not registers[RX_MODE] & 0x04:
                if not 0 <= self._timer_at <= self._answer_at:
                    self._timer_at = NEVER
            self._answer_at = NEVER
        if 0 <= self._timer_at <= now:
            registers[COM_IRQ] |= TIMER_IRQ
            self._timer_at = NEVER
            if registers[T_MODE] & 0x10:
                self._start_timer(now)
        if 0 <= self._heard_at <= now:
            self._heard_at = NEVER
            self._receive()
        if 0 <= self._crc_at <= now:
            self._crc_at = NEVER
            self._calculate()

    def _tick_ns(self) -> int:
        registers = self._registers
        prescaler = (registers[T_MODE] & 0x0F) << 8 | registers[T_PRESCALER]
        even = registers[DEMOD] >> 4 & 1
        return (2 * prescaler + 1 + even) * 100_000 // 1356

    def _start_timer(self, at_us: int) -> None:
        reload = self._registers[T_RELOAD_HIGH] << 8 | self._registers[T_RELOAD_LOW]
        self._timer_at = at_us + (reload + 1) * self._tick_ns() // 1000

    def _ticks_left(self) -> int:
        if self._timer_at < 0:
            return 0
        return max(0, self._timer_at - self.clock_us()) * 1000 // self._tick_ns()

    def _calculate(self) -> None:
        preset = _PRESETS[self._registers[MODE] & 3]
        low, high = crc16(bytes(self._fifo[: self._count]), preset)
        self._count = 0
        self._registers[CRC_LOW], self._registers[CRC_HIGH] = low, high
        self._registers[DIV_IRQ] |= CRC_IRQ

    # frames

    def _start_send(self) -> None:
        registers = self._registers
        command = registers[COMMAND] & 0x0F
        if command not in _SENDERS or self.hung or not self._count:
            return
        last_bits = registers[BIT_FRAMING] & 7
        registers[CONTROL] &= 0xF8
        bits = 3 + 9 * self._count if not last_bits else 9 * self._count - 6 + last_bits
        if registers[TX_MODE] & 0x80:
            bits += 18
        self._sent_at = self.clock_us() + bits_us(bits)
        self.air_us += bits_us(bits)
        self._heard_at = self._answer_at = NEVER
        if self.cards and self.field:
            frame = bytes(self._fifo[: self._count])
            if registers[TX_MODE] & 0x80:
                frame += crc16(frame, 0x6363)
            self._ask(frame, last_bits, command)
        self._count = 0
        registers[COM_IRQ] |= LO_IRQ

    def _ask(self, frame: bytes, last_bits: int, command: int) -> None:
        answers = [card.answer(frame, last_bits) for card in self.cards]
        answers = [answer for answer in answers if answer[1]]
        if not answers or command != TRANSCEIVE:
            return
        self._answer = overlap(answers, bool(self._registers[COLLISION] & 0x80))
        bits = 2 + self._answer[1] + self._answer[1] // 8
        begins_at = self._sent_at + FRAME_DELAY_US
        self._answer_at = begins_at + bits_us(5)
        self._heard_at = begins_at + bits_us(bits)
        self.air_us += FRAME_DELAY_US + bits_us(bits)

    def _receive(self) -> None:
        registers = self._registers
        bits, length, collision = self._answer
        errors = 0
        if self.spoiled[0]:
            left, byte, mask = self.spoiled
            self.spoiled = (left - 1, byte, mask)
            bits ^= mask << 8 * byte & (1 << length) - 1
            if mask & mask - 1 == 0:
                errors |= PARITY_ERROR
        align = registers[BIT_FRAMING] >> 4 & 7
        registers[COLLISION] &= 0x80
        if collision >= 0:
            errors |= COLLIDED
            at = align + collision + 1
            registers[COLLISION] |= at & 0x1F if at <= 32 else 0x20
        else:
            registers[COLLISION] |= 0x20
        if registers[RX_MODE] & 0x80:
            whole = length % 8 == 0 and length >= 16
            data = bits.to_bytes((length + 7) // 8, "little")
            if not whole or crc16(data[:-2], 0x6363) != data[-2:]:
                errors |= CRC_ERROR
            if whole:
                length -= 16
        data = (bits << align & (1 << align + length) - 1).to_bytes(
            (align + length + 7) // 8, "little"
        )
        for value in data:
            self._push(value)
        registers[CONTROL] = registers[CONTROL] & 0xF8 | (align + length) % 8
        registers[COM_IRQ] |= RX_IRQ
        if errors:
            self._fail(errors)
