"""`machine.Pin` and `machine.Signal`; who uses which pin."""

import _wire
from micropython import const

FIRST_INPUT_ONLY = const(34)
used = {}  # pin: what occupies it


def number(pin):
    if isinstance(pin, Pin):
        return pin._pin
    if not isinstance(pin, int) or not 0 <= pin < 40 or pin in (20, 24, 28, 29, 30, 31):
        raise ValueError("invalid pin")
    if 6 <= pin <= 11:
        raise ValueError("pin %d drives the flash chip" % pin)
    return pin


def output(pin, name):
    pin = number(pin)
    if pin >= FIRST_INPUT_ONLY:
        raise ValueError("pin can only be input")
    take(pin, name)
    return pin


def take(pin, name):
    if pin in (1, 3):
        raise ValueError("pin %d belongs to the console" % pin)
    # the chip would take the pin away from the other without a word
    if used.get(pin, name) not in (name, "gpio"):
        raise ValueError("pin %d is used by %s" % (pin, used[pin]))
    used[pin] = name


def release(name):
    """Frees what a peripheral occupied."""
    for pin in list(used):
        if used[pin] == name:
            used.pop(pin)


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
        self._pin = number(pin)
        if mode is not None or pull != -1 or value is not None:
            self.init(mode, pull, value=value)

    def init(self, mode=None, pull=-1, *, value=None, drive=None, hold=None):
        pin = self._pin
        if mode not in (None, 1, 3, 7):
            raise ValueError("invalid pin mode")
        if mode in (3, 7) and pin >= FIRST_INPUT_ONLY:
            raise ValueError("pin can only be input")
        if pull not in (-1, None, 0) and pin >= FIRST_INPUT_ONLY:
            raise ValueError("pin %d has no pull resistor" % pin)
        if mode is not None:
            take(pin, "gpio")
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
