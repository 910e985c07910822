"""The MFRC522's registers over SPI: one exchange of frames with a tag, without waiting.

`send` starts an exchange, `result` asks what has come of it. Registers and bits are those of
NXP's data sheet MFRC522: SPI in 8.1.2, CRC and timer in 8.5 to 8.7, registers in 9.3, commands
in 10.3. The chip appends and checks the CRC; its timer ends the wait for an answer.

Nothing is allocated after construction.
"""

from micropython import const

# what result() answers
WAIT = const(0)
SILENT = const(1)  # no answer in time
ANSWER = const(2)  # `length` bytes in `answer`
NAK = const(3)  # four bits: a tag refuses
SPOILED = const(4)  # noise
COLLISION = const(5)  # more than one tag
DEAD = const(6)  # no chip answers

BUS_HZ = const(10_000_000)
ANSWER_MAX = const(7)
FRAME_MAX = const(7)
TICKS_MS = const(40)  # of the chip's timer

_COMMAND = const(0x01)
_COM_IRQ = const(0x04)
_ERROR = const(0x06)
_FIFO_DATA = const(0x09)
_FIFO_LEVEL = const(0x0A)
_CONTROL = const(0x0C)
_BIT_FRAMING = const(0x0D)
_TX_MODE = const(0x12)
_RX_MODE = const(0x13)
_TX_CONTROL = const(0x14)
_TX_ASK = const(0x15)
_T_MODE = const(0x2A)
_T_PRESCALER = const(0x2B)
_T_RELOAD_HIGH = const(0x2C)
_T_RELOAD_LOW = const(0x2D)
_VERSION = const(0x37)

_IDLE = const(0x00)
_TRANSCEIVE = const(0x0C)
_READ = const(0x80)
_CRC_ON = const(0x80)
_RF_ON = const(0x03)
_RX_IRQ = const(0x20)
_TIMER_IRQ = const(0x01)
_COLLIDED = const(0x08)
_SPOILED = const(0x17)  # overflow, CRC, parity, protocol
_PRESCALER = const(169)  # 13.56 MHz / 339: 25 us


class Mfrc522:
    """spi as machine.SPI (mode 0, at most 10 MHz); select and reset as machine.Pin, active low.

    A frame to send is put into `frame`; an answer is the first `length` bytes of `answer`.
    """

    def __init__(self, spi, select, reset):
        self._spi = spi
        self._select = select
        self._reset = reset
        self.version = 0
        self.length = 0
        self._mode = -1  # the CRC's bit as the chip has it
        self._ticks = -1  # the same for the time-out
        self._pair = bytearray(2)
        self._back = bytearray(2)
        out = bytearray(1 + FRAME_MAX)
        out[0] = _FIFO_DATA << 1
        whole = memoryview(out)
        self.frame = whole[1:]
        self._frames = [whole[: 1 + n] for n in range(1 + FRAME_MAX)]
        back = memoryview(bytearray(1 + ANSWER_MAX))
        self.answer = back[1:]
        self._answers = [back[: 1 + n] for n in range(1 + ANSWER_MAX)]
        # an address for each byte wanted, then 0
        ask = memoryview(bytes([_READ | _FIFO_DATA << 1] * ANSWER_MAX + [0]))
        self._asks = [ask[ANSWER_MAX - n :] for n in range(1 + ANSWER_MAX)]
        # error, FIFO level and control in one transfer
        self._ask_outcome = bytes(
            [_READ | _ERROR << 1, _READ | _FIFO_LEVEL << 1, _READ | _CONTROL << 1, 0]
        )
        self._outcome = bytearray(4)
        select(1)

    def reset(self, level: int) -> None:
        """Drives the reset line: 0 holds the chip, 1 lets it go; it needs 50 ms then."""
        self._reset(level)
        self._mode = self._ticks = -1

    def configure(self) -> bool:
        """Prepares the chip after a reset. False if none answers as it should."""
        self.version = self._read(_VERSION)
        if self.version == 0 or self.version == 0xFF:
            return False
        self._write(_T_MODE, 0x80)  # the timer starts by itself after each frame sent
        self._write(_T_PRESCALER, _PRESCALER)
        self._write(_T_RELOAD_HIGH, 0)
        self._write(_TX_ASK, 0x40)  # full modulation
        return self._read(_T_PRESCALER) == _PRESCALER

    def field(self, on: bool) -> None:
        """Switches the field; a tag needs 5 ms until it listens, or has forgotten."""
        self._write(_TX_CONTROL, 0x80 | (_RF_ON if on else 0))

    def alive(self) -> bool:
        """Whether the chip is as `configure` left it, with its field on."""
        return self._read(_T_PRESCALER) == _PRESCALER and self._read(_TX_CONTROL) & 3 == _RF_ON

    def send(self, length: int, last_bits: int, crc: bool, ticks: int) -> None:
        """Sends `length` bytes of `frame` and listens for `ticks` of 25 us (1 to 256)."""
        self._write(_COMMAND, _IDLE)
        mode = _CRC_ON if crc else 0
        if mode != self._mode:
            self._mode = mode
            self._write(_TX_MODE, mode)
            self._write(_RX_MODE, mode)
        if ticks != self._ticks:
            self._ticks = ticks
            self._write(_T_RELOAD_LOW, ticks - 1)
        self._write(_COM_IRQ, 0x7F)
        self._write(_FIFO_LEVEL, 0x80)
        self._select(0)
        self._spi.write(self._frames[length])
        self._select(1)
        self._write(_BIT_FRAMING, last_bits)
        self._write(_COMMAND, _TRANSCEIVE)
        self._write(_BIT_FRAMING, 0x80 | last_bits)

    def result(self) -> int:
        """What the exchange has come to; WAIT while it runs."""
        irq = self._read(_COM_IRQ)
        if irq & 0x80:  # always 0 on a chip
            return DEAD
        if irq & _RX_IRQ:
            return self._received()
        return SILENT if irq & _TIMER_IRQ else WAIT

    def _received(self) -> int:
        self._select(0)
        self._spi.write_readinto(self._ask_outcome, self._outcome)
        self._select(1)
        error = self._outcome[1]
        length = self._outcome[2]
        if error & _COLLIDED:
            return COLLISION
        if length == 1 and self._outcome[3] & 7 == 4:
            return NAK
        if error & _SPOILED or length == 0 or length > ANSWER_MAX or self._outcome[3] & 7:
            return SPOILED
        self._select(0)
        self._spi.write_readinto(self._asks[length], self._answers[length])
        self._select(1)
        self.length = length
        return ANSWER

    def _write(self, register: int, value: int) -> None:
        self._pair[0] = register << 1
        self._pair[1] = value
        self._select(0)
        self._spi.write(self._pair)
        self._select(1)

    def _read(self, register: int) -> int:
        self._pair[0] = _READ | register << 1
        self._pair[1] = 0
        self._select(0)
        self._spi.write_readinto(self._pair, self._back)
        self._select(1)
        return self._back[1]
