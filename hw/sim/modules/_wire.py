"""The wire between the simulated chip and its world: messages of eight bytes.

`<BBHi`: what, a, b, c.  See hw/sim/wire.py for the table; both sides agree on it.
Nothing here allocates once the box runs.
"""

import struct
import sys

import utime
from micropython import const

_PINS = const(40)
_QUEUE = const(8)

_LEVEL = const(1)
_ANALOG_HIGH = const(2)
_ANALOG_LOW = const(3)
_WLAN = const(4)
_RSSI = const(5)
_CLOCK = const(6)
_PORT = const(7)
_BYTES = const(8)
_READY = const(9)
_CUT = const(10)
_CAUSE = const(11)
_RAW = const(12)
_SPEED = const(13)

OUT = const(1)
PWM = const(2)
WDT = const(3)
FEED = const(4)
RESET = const(5)
BOOTED = const(6)
UART = const(7)
FLASH = const(8)
JOIN = const(9)
CLOCK = const(10)
DROPPED = const(11)
SPI = const(12)
MEMORY = const(13)
HEAP = const(14)
BYTES = const(15)

FLOATING = const(2)

file = None
ctrl_c = None
interrupt_character = -1
ready = False
irq_off = 0
levels = bytearray(_PINS)
outputs = bytearray(_PINS)
modes = bytearray(_PINS)
pulls = bytearray(_PINS)
duties = {}
frequencies = {}
triggers = bytearray(_PINS)
handlers = {}
analog = {}
ports = {}
wlan = [0, 0, 0]  # active, status, rssi
clock_offset = 0
speed = 1
cause = 1
raw = 0
cut = -1
payloads = {}

_rx = bytearray(512)
_tx = bytearray(8)
_pending = bytearray(_QUEUE)
_count = 0
_busy = False
_expected = 0
_kind = 0


def attach(descriptor, wish):
    global file, ctrl_c
    ctrl_c = wish
    file = open(descriptor, "r+b")
    for i in range(_PINS):
        levels[i] = FLOATING
    while not ready:
        pump()


def tell(what, a, b, c):
    struct.pack_into("<BBHi", _tx, 0, what, a, b, c)
    while file.write(_tx) is None:
        utime.sleep_ms(1)


def tell_bytes(kind, data):
    tell(BYTES, kind, len(data), 0)
    _tell_body(data)


def _tell_body(data):
    for i in range(0, len(data), 8):
        part = data[i : i + 8]
        _tx[:] = b"\0\0\0\0\0\0\0\0"
        _tx[: len(part)] = part
        while file.write(_tx) is None:
            utime.sleep_ms(1)


def pump():
    """Takes what the world sent; then does what it caused: Ctrl-C, the handlers of interrupts."""
    listen()
    if ctrl_c[0] and interrupt_character == 3:
        ctrl_c[0] = 0
        raise KeyboardInterrupt
    if _count and not _busy and not irq_off:
        _run()


def listen():
    """Takes what the world sent."""
    n = file.readinto(_rx)
    if n == 0:
        raise SystemExit  # the world is gone
    if n:
        i = 0
        while i < n:
            _take(i)
            i += 8


def _take(i):
    global ready, clock_offset, speed, cause, raw, cut, _expected, _kind
    if _expected:
        payloads[_kind] += bytes(_rx[i : i + min(8, _expected)])
        _expected = max(0, _expected - 8)
        return
    what = _rx[i]
    a = _rx[i + 1]
    b = _rx[i + 2] | _rx[i + 3] << 8
    c = _rx[i + 4] | _rx[i + 5] << 8 | _rx[i + 6] << 16 | _rx[i + 7] << 24
    if c & 0x80000000:
        c -= 0x100000000
    if what == _LEVEL:
        _edge(a, c)
    elif what == _ANALOG_HIGH:
        if a not in analog:
            analog[a] = [0, 0, 0]
        analog[a][0] = c
        analog[a][2] = b
    elif what == _ANALOG_LOW:
        analog[a][1] = c
    elif what == _WLAN:
        wlan[1] = c
    elif what == _RSSI:
        wlan[2] = c
    elif what == _CLOCK:
        clock_offset = c
    elif what == _PORT:
        ports[b] = c
    elif what == _BYTES:
        payloads[a] = b""
        _kind = a
        _expected = b
    elif what == _READY:
        ready = True
    elif what == _CUT:
        cut = c
    elif what == _CAUSE:
        cause = c
    elif what == _RAW:
        raw = c
    elif what == _SPEED:
        speed = c


def pin_level(pin):
    """The level that the input stage of a pin sees."""
    level = levels[pin]
    if level == FLOATING:
        pull = pulls[pin]
        if pull == 0:
            return utime.ticks_us() >> 3 & 1
        return pull >> 1 & 1
    return level


def _edge(pin, level):
    global _count
    before = pin_level(pin)
    levels[pin] = level
    after = pin_level(pin)
    if before == after or not triggers[pin] & (1 if after else 2):
        return
    if _count < _QUEUE:
        _pending[_count] = pin
        _count += 1
    else:
        tell(DROPPED, 0, pin, 1)


def _run():
    global _count, _busy
    _busy = True
    try:
        while _count:
            pin = _pending[0]
            _count -= 1
            for i in range(_count):
                _pending[i] = _pending[i + 1]
            handler = handlers.get(pin)
            if handler:
                try:
                    handler[0](handler[1])
                except Exception as error:
                    sys.print_exception(error)
    finally:
        _busy = False


def ask(number, data):
    """One full-duplex exchange with a chip on the SPI bus, played by the world."""
    payloads.pop(2, None)
    tell(SPI, number, len(data), 0)
    _tell_body(data)
    return answer(2)


def answer(kind):
    """Waits for the world's answer of that kind, which must not be in payloads yet."""
    while _expected or kind not in payloads:
        listen()
    return payloads[kind]


def stop(kind):
    """The chip stops here: the launcher ends the process and starts it again."""
    tell(RESET, kind, 0, 0)
    while True:
        utime.sleep_ms(1000)
