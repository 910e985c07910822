"""An MFRC522 tag reader on the box's SPI bus, and the tag in front of it.

Registers, commands and timer as in NXP's data sheet MFRC522 (sections 8 to 10), as far as a
driver needs them to find tags: CalcCRC and Transceive.  The tag speaks ISO/IEC 14443-3 type A up
to SELECT and HALT, with UIDs of 4, 7 or 10 bytes.  Air time is not modelled.
"""

from __future__ import annotations

import time
from collections.abc import Callable

VERSION = 0x92
COMMAND, COM_IRQ, DIV_IRQ, ERROR, FIFO_DATA, FIFO_LEVEL = 0x01, 0x04, 0x05, 0x06, 0x09, 0x0A
CONTROL, BIT_FRAMING, TX_MODE, RX_MODE, TX_CONTROL = 0x0C, 0x0D, 0x12, 0x13, 0x14
CRC_HIGH, CRC_LOW = 0x21, 0x22
T_MODE, T_PRESCALER, T_RELOAD_HIGH, T_RELOAD_LOW, VERSION_REG = 0x2A, 0x2B, 0x2C, 0x2D, 0x37
IDLE, CALC_CRC, TRANSCEIVE, SOFT_RESET = 0x00, 0x03, 0x0C, 0x0F
TX_IRQ, RX_IRQ, IDLE_IRQ, TIMER_IRQ, CRC_IRQ = 0x40, 0x20, 0x10, 0x01, 0x04
FIFO_BYTES = 64
CARRIER_HZ = 13_560_000
CASCADE_TAG = 0x88
CASCADE_BIT = 0x04


def crc_a(data: bytes) -> bytes:
    """The CRC of ISO/IEC 14443-3 type A, low byte first."""
    crc = 0x6363
    for byte in data:
        for bit in range(8):
            mix = (crc ^ byte >> bit) & 1
            crc = crc >> 1 ^ (0x8408 if mix else 0)
    return crc.to_bytes(2, "little")


class Card:
    """A type A tag: `answer` takes a frame and its last byte's bits, gives the answer."""

    def __init__(self, uid: bytes) -> None:
        if len(uid) not in (4, 7, 10):
            raise ValueError(f"tag: a UID has 4, 7 or 10 bytes, not {len(uid)}")
        self.uid = uid
        self._halted = False
        self._selected = -1  # cascade levels passed; -1: not even asked
        levels = (len(uid) - 1) // 3
        self._levels = [
            (bytes((CASCADE_TAG,)) + uid[3 * n : 3 * n + 3]) if n < levels - 1 else uid[3 * n :]
            for n in range(levels)
        ]

    def answer(self, frame: bytes, last_bits: int) -> bytes:
        if last_bits == 7 and frame in (b"\x26", b"\x52"):
            if self._halted and frame == b"\x26":
                return b""
            self._halted, self._selected = False, 0
            return bytes(((len(self._levels) - 1) << 6 | 0x04, 0x00))
        if self._selected < 0 or last_bits:
            return b""
        if self._selected == len(self._levels):
            return self._active(frame)
        part = self._levels[self._selected]
        part += bytes((part[0] ^ part[1] ^ part[2] ^ part[3],))
        if frame == bytes((0x93 + 2 * self._selected, 0x20)):
            return part
        select = bytes((0x93 + 2 * self._selected, 0x70)) + part
        if frame != select + crc_a(select):
            self._selected = -1
            return b""
        self._selected += 1
        last = self._selected == len(self._levels)
        sak = bytes(((0x08 if len(self.uid) == 4 else 0x00) if last else CASCADE_BIT,))
        return sak + crc_a(sak)

    def _active(self, frame: bytes) -> bytes:
        if frame == b"\x50\x00" + crc_a(b"\x50\x00"):
            self._halted = True
        self._selected = -1
        return b""


class TagReader:
    """The chip: `transfer` is one SPI transfer, `select` the chip-select line."""

    def __init__(self, clock_s: Callable[[], float] = time.monotonic) -> None:
        self.card: Card | None = None
        self._clock_s = clock_s
        self._address: int | None = None
        self._reading = False
        self.reset()

    def reset(self) -> None:
        self._registers = bytearray(64)
        self._registers[COMMAND] = 0x20
        self._registers[COM_IRQ] = 0x14
        self._registers[VERSION_REG] = VERSION
        self._fifo = bytearray()
        self._timer_at: float | None = None

    def select(self, level: int) -> None:
        """A transaction begins (0) or ends (1)."""
        self._address = None

    def transfer(self, data: bytes) -> bytes:
        """Bytes out and in at once, as the data sheet's section 8.1.2 has it."""
        answer = bytearray()
        for byte in data:
            if self._address is None:
                self._reading = bool(byte & 0x80)
                self._address = byte >> 1 & 0x3F
                answer.append(0)
            elif self._reading:
                answer.append(self._read(self._address))
                self._address = byte >> 1 & 0x3F
            else:
                self._write(self._address, byte)
                answer.append(0)
        return bytes(answer)

    def _read(self, register: int) -> int:
        if register == FIFO_DATA:
            return self._fifo.pop(0) if self._fifo else 0
        if register == FIFO_LEVEL:
            return len(self._fifo)
        if register == COM_IRQ and self._timer_at is not None and self._clock_s() >= self._timer_at:
            self._timer_at = None
            self._registers[COM_IRQ] |= TIMER_IRQ
        return self._registers[register]

    def _write(self, register: int, value: int) -> None:
        registers = self._registers
        if register == FIFO_DATA:
            if len(self._fifo) < FIFO_BYTES:
                self._fifo.append(value)
            else:
                registers[ERROR] |= 0x10
        elif register == FIFO_LEVEL:
            if value & 0x80:
                self._fifo.clear()
        elif register in (COM_IRQ, DIV_IRQ):
            # bit 7 tells whether the marked bits are set or cleared
            if value & 0x80:
                registers[register] |= value & 0x7F
            else:
                registers[register] &= ~value & 0x7F
        elif register == COMMAND:
            self._command(value)
        elif register == CONTROL:
            if value & 0x80:
                self._timer_at = None
        elif register != VERSION_REG:
            registers[register] = value
            if register == BIT_FRAMING and value & 0x80:
                self._start_send()

    def _command(self, value: int) -> None:
        command = value & 0x0F
        if command == SOFT_RESET:
            self.reset()
            return
        self._registers[COMMAND] = value
        if command == IDLE:
            self._registers[COM_IRQ] |= IDLE_IRQ
        elif command == CALC_CRC:
            low, high = crc_a(bytes(self._fifo))
            self._fifo.clear()
            self._registers[CRC_LOW], self._registers[CRC_HIGH] = low, high
            self._registers[DIV_IRQ] |= CRC_IRQ

    def _start_send(self) -> None:
        registers = self._registers
        if registers[COMMAND] & 0x0F != TRANSCEIVE:
            return
        frame = bytes(self._fifo)
        self._fifo.clear()
        last_bits = registers[BIT_FRAMING] & 7
        registers[BIT_FRAMING] &= 0x7F
        registers[ERROR] = 0
        registers[COM_IRQ] |= TX_IRQ
        if registers[TX_MODE] & 0x80:
            frame += crc_a(frame)
        answer = b""
        if self.card and registers[TX_CONTROL] & 0x03:
            answer = self.card.answer(frame, last_bits)
        if answer:
            if registers[RX_MODE] & 0x80:
                answer = answer[:-2]
            self._fifo += answer
            registers[CONTROL] &= 0xF8
            registers[COM_IRQ] |= RX_IRQ
        elif registers[T_MODE] & 0x80:
            prescaler = (registers[T_MODE] & 0x0F) << 8 | registers[T_PRESCALER]
            reload = registers[T_RELOAD_HIGH] << 8 | registers[T_RELOAD_LOW]
            delay_s = (reload + 1) * (2 * prescaler + 1) / CARRIER_HZ
            self._timer_at = self._clock_s() + delay_s
