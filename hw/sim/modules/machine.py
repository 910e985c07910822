"""`machine` of an ESP32 (WROOM-32, no PSRAM) as far as a wallbox needs it."""

import io

import utime
from micropython import const
from umachine import idle, mem8, mem16, mem32, time_pulse_us

import _wire

PWRON_RESET = const(1)
HARD_RESET = const(2)
WDT_RESET = const(3)
DEEPSLEEP_RESET = const(4)
SOFT_RESET = const(5)

_FIRST_INPUT_ONLY = const(34)
_USED = {}  # pin -> what occupies it


def _number(pin):
    if isinstance(pin, Pin):
        return pin._pin
    if not isinstance(pin, int) or not 0 <= pin < 40 or pin in (20, 24, 28, 29, 30, 31):
        raise ValueError("invalid pin")
    if 6 <= pin <= 11:
        raise ValueError("pin %d drives the flash chip" % pin)
    return pin


def _output(pin, name):
    pin = _number(pin)
    if pin >= _FIRST_INPUT_ONLY:
        raise ValueError("pin can only be input")
    _take(pin, name)
    return pin


def _take(pin, name):
    if pin in (1, 3):
        raise ValueError("pin %d belongs to the console" % pin)
    # the chip would take the pin away from the other without a word
    if _USED.get(pin, name) not in (name, "gpio"):
        raise ValueError("pin %d is used by %s" % (pin, _USED[pin]))
    _USED[pin] = name


class Pin:
    IN = const(1)
    OUT = const(3)
    OPEN_DRAIN = const(7)
    PULL_DOWN = const(1)
    PULL_UP = const(2)
    IRQ_RISING = const(1)
    IRQ_FALLING = const(2)
    WAKE_LOW = const(4)
    WAKE_HIGH = const(5)
    DRIVE_0 = const(0)
    DRIVE_1 = const(1)
    DRIVE_2 = const(2)
    DRIVE_3 = const(3)

    def __init__(self, pin, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        self._pin = _number(pin)
        if mode is not None or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        pin = self._pin
        if mode not in (None, 1, 3, 7):
            raise ValueError("invalid pin mode")
        if mode in (3, 7) and pin >= _FIRST_INPUT_ONLY:
            raise ValueError("pin can only be input")
        if pull not in (-1, None, 0) and pin >= _FIRST_INPUT_ONLY:
            raise ValueError("pin %d has no pull resistor" % pin)
        if mode is not None:
            _take(pin, "gpio")
        if value is not None:
            _wire.outputs[pin] = 1 if value else 0
        if mode is not None:
            _wire.modes[pin] = mode
        if pull != -1:
            _wire.pulls[pin] = pull or 0
        if _wire.modes[pin] > 1:
            _wire.tell(_wire.OUT, pin, _wire.modes[pin], _wire.outputs[pin])

    def value(self, value=None):
        pin = self._pin
        if value is None:
            _wire.pump()
            if _wire.modes[pin] == 3 or (_wire.modes[pin] == 7 and not _wire.outputs[pin]):
                return _wire.outputs[pin]
            return _wire.pin_level(pin)
        value = 1 if value else 0
        if _wire.modes[pin] > 1:
            if _wire.outputs[pin] != value:
                _wire.outputs[pin] = value
                _wire.tell(_wire.OUT, pin, _wire.modes[pin], value)
        else:
            _wire.outputs[pin] = value

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)

    def toggle(self):
        self.value(1 - _wire.outputs[self._pin])

    def irq(self, handler=None, trigger=3, wake=None):
        if wake is not None:
            raise NotImplementedError("wake is not simulated")
        if handler is not None and not callable(handler):
            raise TypeError("handler must be callable")
        if not 0 < trigger < 4:
            raise ValueError("invalid trigger")
        pin = self._pin
        if handler is None:
            _wire.triggers[pin] = 0
            _wire.handlers.pop(pin, None)
        else:
            _wire.pump()
            _wire.handlers[pin] = (handler, self)
            _wire.triggers[pin] = trigger

    def __repr__(self):
        return "Pin(%d)" % self._pin


class PWM:
    def __init__(self, dest, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1, invert=-1):
        pin = _number(dest)
        if pin >= _FIRST_INPUT_ONLY:
            raise OSError(-0x102, "ESP_ERR_INVALID_ARG")
        if pin not in _wire.duties and len(_wire.duties) >= 16:
            raise RuntimeError("out of PWM channels:16")
        _take(pin, "pwm")
        self._pin = pin
        self._freq = 5000
        self._duty = 32768
        self.init(freq, duty=duty, duty_u16=duty_u16, duty_ns=duty_ns, invert=invert)

    def init(self, freq=-1, *, duty=-1, duty_u16=-1, duty_ns=-1, invert=-1):
        if invert == 1:
            raise NotImplementedError("invert is not simulated")
        if (duty != -1) + (duty_u16 != -1) + (duty_ns != -1) > 1:
            raise ValueError(
                "only one of parameters 'duty', 'duty_u16' or 'duty_ns' is allowed"
            )
        if freq != -1:
            if not 1 <= freq <= 40000000:
                raise ValueError("frequency must be from 1Hz to 40MHz")
            self._freq = freq
        if duty_u16 != -1:
            if not 0 <= duty_u16 <= 65535:
                raise ValueError("duty_u16 must be from 0 to 65536")
            # the greatest value means always on
            self._duty = 65536 if duty_u16 == 65535 else duty_u16
        elif duty != -1:
            if not 0 <= duty <= 1023:
                raise ValueError("duty must be from 0 to 1023")
            self._duty = 65536 if duty == 1023 else duty << 6
        elif duty_ns != -1:
            period_ns = 1000000000 // self._freq
            if not 0 <= duty_ns <= period_ns:
                raise ValueError("duty_ns must be from 0 to %d ns" % period_ns)
            self._duty = duty_ns * 65536 // period_ns
        pin = self._pin
        _wire.duties[pin] = self._duty
        _wire.frequencies[pin] = self._freq
        _wire.modes[pin] = Pin.OUT
        _wire.outputs[pin] = 0
        _wire.tell(_wire.PWM, pin, min(self._duty, 65535), self._freq)

    def _active(self):
        if self._pin not in _wire.duties:
            raise RuntimeError("PWM is inactive")

    def freq(self, freq=None):
        self._active()
        if freq is None:
            return self._freq
        self.init(freq)

    def duty_u16(self, duty=None):
        self._active()
        if duty is None:
            return min(self._duty, 65535)
        self.init(duty_u16=duty)

    def duty(self, duty=None):
        self._active()
        if duty is None:
            return min(self._duty >> 6, 1023)
        self.init(duty=duty)

    def duty_ns(self, duty=None):
        self._active()
        if duty is None:
            return self._duty * 1000000000 // (65536 * self._freq)
        self.init(duty_ns=duty)

    def deinit(self):
        # the pin stays an output, and low
        pin = self._pin
        if _wire.duties.pop(pin, None) is not None:
            _USED.pop(pin, None)
            _wire.tell(_wire.OUT, pin, Pin.OUT, 0)


_CONVERSION_US = const(80)
_last_us = utime.ticks_us()
_noise = 1


class ADC:
    ATTN_0DB = const(0)
    ATTN_2_5DB = const(1)
    ATTN_6DB = const(2)
    ATTN_11DB = const(3)

    def __init__(self, pin, *, atten=0):
        pin = _number(pin)
        if not (32 <= pin <= 39 or pin in (0, 2, 4, 12, 13, 14, 15, 25, 26, 27)):
            raise ValueError("Pin doesn't have ADC capabilities")
        _take(pin, "adc")
        self._pin = pin
        self.atten(atten)

    def init(self, *, atten=0):
        self.atten(atten)

    def atten(self, atten):
        if not 0 <= atten <= 3:
            raise ValueError("invalid atten")
        self._full = (950, 1250, 1750, 3130)[atten]

    def _millivolts(self):
        global _last_us, _noise
        pin = self._pin
        _wire.pump()
        if pin < 32 and _wire.wlan[0]:
            raise OSError(-263, "ESP_ERR_TIMEOUT")
        # one conversion takes its time: successive readings sweep the waveform
        now = utime.ticks_us()
        if utime.ticks_diff(now, _last_us) < _CONVERSION_US:
            now = utime.ticks_add(_last_us, _CONVERSION_US)
        _last_us = now
        _noise = (_noise * 1103515245 + 12345) & 0x3FFFFFFF
        source = _wire.analog.get(pin)
        if source is None:
            value = 142
        else:
            driver = source[2]
            high = True
            if driver < 40:
                duty = _wire.duties.get(driver)
                if duty is not None:
                    freq = _wire.frequencies[driver]
                    high = now * freq // 16 % 62500 < duty * 62500 // 65536
                elif _wire.modes[driver] == 3:
                    high = _wire.outputs[driver]
            value = source[0 if high else 1] // 1000 + (_noise >> 12) % 13 - 6
        return min(max(value, 142), self._full)

    def read_uv(self):
        return self._millivolts() * 1000

    def read_u16(self):
        return self._millivolts() * 65535 // self._full

    def read(self):
        return self.read_u16() >> 4


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
        self._tx = _output(tx, name)
        self._rx = _number(rx)
        _take(self._rx, name)
        if rts is not None:
            _output(rts, name)
        if cts is not None:
            _take(_number(cts), name)
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
        name = "uart%d" % self._id
        for pin in list(_USED):
            if _USED[pin] == name:
                _USED.pop(pin)
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

    def __init__(self, spi, baudrate=500000, *, polarity=0, phase=0, bits=8, firstbit=0, sck=None, mosi=None, miso=None):
        if spi not in (1, 2):
            raise ValueError("SPI(%d) doesn't exist" % spi)
        if bits != 8 or firstbit != 0:
            raise ValueError("only 8 bits, MSB first are simulated")
        if sck is None:
            sck, mosi, miso = (14, 13, 12) if spi == 1 else (18, 23, 19)
        self._id = spi
        name = "spi%d" % spi
        _output(sck, name)
        _output(mosi, name)
        _take(_number(miso), name)

    init = __init__

    def deinit(self):
        name = "spi%d" % self._id
        for pin in list(_USED):
            if _USED[pin] == name:
                _USED.pop(pin)

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


class WDT:
    _timeout = 0

    def __init__(self, id=0, timeout=5000):
        if id != 0:
            raise ValueError("WDT(%d) doesn't exist" % id)
        if timeout <= 0:
            raise ValueError("WDT timeout too short")
        WDT._timeout = timeout
        _wire.tell(_wire.WDT, 0, 0, timeout)

    def feed(self):
        _wire.tell(_wire.FEED, 0, 0, 0)


class RTC:
    def datetime(self, fields=None):
        import time

        if fields is None:
            now = time.time_ns()
            t = time.gmtime(now // 1000000000)
            return (t[0], t[1], t[2], t[6], t[3], t[4], t[5], now // 1000 % 1000000)
        seconds = time.mktime((fields[0], fields[1], fields[2], fields[4], fields[5], fields[6], 0, 0))
        _wire.clock_offset = utime.time_ns() // 1000000000 - seconds
        _wire.tell(_wire.CLOCK, 0, 0, _wire.clock_offset)

    init = datetime

    def memory(self, data=None):
        if data is None:
            return _wire.payloads.get(0, b"")
        if len(data) > 2048:
            raise ValueError("buffer too long")
        _wire.payloads[0] = bytes(data)
        _wire.tell_bytes(_wire.MEMORY, data)


class Signal:
    def __init__(self, pin, *args, invert=False, **kwargs):
        self._pin = pin if isinstance(pin, Pin) else Pin(pin, *args, **kwargs)
        self._invert = 1 if invert else 0

    def value(self, value=None):
        if value is None:
            return self._pin.value() ^ self._invert
        self._pin.value((1 if value else 0) ^ self._invert)

    __call__ = value

    def on(self):
        self.value(1)

    def off(self):
        self.value(0)


def reset_cause():
    return _wire.cause


def wake_reason():
    return 0


def unique_id():
    return _wire.payloads.get(1, b"\x24\x0a\xc4\x00\x00\x01")


def freq(hertz=None):
    if hertz is None:
        return 160000000
    if hertz not in (20000000, 40000000, 80000000, 160000000, 240000000):
        raise ValueError("frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz")


def reset():
    _wire.stop(HARD_RESET)


def soft_reset():
    raise SystemExit


def disable_irq():
    state = _wire.irq_off
    _wire.irq_off = 1
    return state


def enable_irq(state):
    _wire.irq_off = state
    if not state:
        _wire.pump()
