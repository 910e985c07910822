"""`machine.UART` and `machine.SPI`."""

import io

import _wire
import utime
from _pins import number, output, release, take
from micropython import const

_arrived = bytearray(256)


class UART(io.IOBase):
    INV_RX = const(4)
    INV_TX = const(32)

    def __init__(self, uart, baudrate=115200, bits=8, parity=None, stop=1, **options):
        if uart == 0:
            raise ValueError("UART(0) is disabled (dedicated to REPL)")
        if uart not in (1, 2):
            raise ValueError("UART(%d) does not exist" % uart)
        self._id = uart
        self._rx = self._tx = None
        self._buf = None
        self._head = self._len = 0
        self._sent_at = utime.ticks_us()
        self.init(baudrate, bits, parity, stop, **options)

    def init(
        self,
        baudrate=115200,
        bits=8,
        parity=None,
        stop=1,
        *,
        tx=None,
        rx=None,
        rts=None,
        cts=None,
        txbuf=256,
        rxbuf=256,
        timeout=0,
        timeout_char=0,
        invert=0,
        flow=0,
    ):
        if bits not in (5, 6, 7, 8):
            raise ValueError("invalid data bits")
        if stop not in (1, 2):
            raise ValueError("invalid stop bits")
        if not 0 < baudrate <= 5000000:
            raise ValueError("invalid baudrate")
        name = "uart%d" % self._id
        if invert or flow:
            raise NotImplementedError("invert and flow are not simulated")
        if tx is None:
            tx = 17 if self._id == 2 else 10
        if rx is None:
            rx = 16 if self._id == 2 else 9
        self._tx = output(tx, name)
        self._rx = number(rx)
        take(self._rx, name)
        if rts is not None:
            output(rts, name)
        if cts is not None:
            take(number(cts), name)
        if self._buf is None:
            # the driver takes no less than the hardware's own queue
            self._buf = bytearray(max(rxbuf, 129))
            self._head = self._len = 0
        self._timeout = timeout
        # start, data, parity and stop bits of one character
        bits_sent = 1 + bits + stop + (0 if parity is None else 1)
        self._char_us = max(1, bits_sent * 1000000 // baudrate)
        self._port = _wire.bus if self._tx == _wire.bus_tx and self._rx == _wire.bus_rx else None
        _wire.tell(_wire.UART, self._id, bits | stop << 4 | (parity or 0) << 8, baudrate)

    def deinit(self):
        release("uart%d" % self._id)
        self._port = None

    def _fill(self):
        if self._port is None:
            return 0
        n = self._port.readinto(_arrived)
        if n:
            size = len(self._buf)
            room = size - self._len
            if n > room:
                _wire.tell(_wire.DROPPED, 1, 0, n - room)
                n = room
            tail = self._head + self._len
            for i in range(n):
                self._buf[(tail + i) % size] = _arrived[i]
            self._len += n
        return self._len

    def any(self):
        return self._fill()

    def _wait(self):
        n = self._fill()
        if not n and self._timeout:
            end = utime.ticks_add(utime.ticks_ms(), self._timeout)
            while not n and utime.ticks_diff(end, utime.ticks_ms()) > 0:
                utime.sleep_ms(1)
                n = self._fill()
        return n

    def readinto(self, buf, n=-1):
        have = self._wait()
        if n < 0:
            n = len(buf)
        n = min(have, n)
        if not n:
            return None
        source = self._buf
        head = self._head
        size = len(source)
        for i in range(n):
            buf[i] = source[(head + i) % size]
        self._head = (head + n) % size
        self._len -= n
        return n

    def read(self, n=-1):
        have = self._wait()
        if n < 0 or n > have:
            n = have
        if not n:
            return None
        buf = bytearray(n)
        self.readinto(buf)
        return bytes(buf)

    def write(self, buf):
        if self._port is not None:
            now = utime.ticks_us()
            if utime.ticks_diff(self._sent_at, now) < 0:
                self._sent_at = now
            self._sent_at = utime.ticks_add(self._sent_at, len(buf) * self._char_us)
            self._port.write(buf)
        return len(buf)

    def txdone(self):
        return utime.ticks_diff(self._sent_at, utime.ticks_us()) <= 0

    def flush(self):
        while not self.txdone():
            utime.sleep_us(200)

    def ioctl(self, request, arg):
        if request == 3:
            ready = arg & 4
            if arg & 1 and self._fill():
                ready |= 1
            return ready
        return -1


class SPI:
    MSB = const(0)
    LSB = const(1)

    def __init__(
        self,
        spi,
        baudrate=500000,
        *,
        polarity=0,
        phase=0,
        bits=8,
        firstbit=0,
        sck=None,
        mosi=None,
        miso=None,
    ):
        if spi not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % spi)
        if bits != 8 or firstbit != 0:
            raise ValueError("only 8 bits, MSB first are simulated")
        if sck is None:
            sck, mosi, miso = (14, 13, 12) if spi == 1 else (18, 23, 19)
        self._id = spi
        name = "spi%d" % spi
        output(sck, name)
        output(mosi, name)
        take(number(miso), name)

    init = __init__

    def deinit(self):
        release("spi%d" % self._id)

    def write_readinto(self, write_buf, read_buf):
        if len(write_buf) != len(read_buf):
            raise ValueError("buffers must be the same length")
        reply = _wire.ask(self._id, write_buf)
        for i in range(len(read_buf)):
            read_buf[i] = reply[i]

    def write(self, buf):
        _wire.ask(self._id, buf)

    def readinto(self, buf, write=0):
        self.write_readinto(bytes([write]) * len(buf), buf)

    def read(self, n, write=0):
        return _wire.ask(self._id, bytes([write]) * n)
