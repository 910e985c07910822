# Stands for the chip's modules on plain MicroPython, for benches of the whole firmware: flash with
# the time that a real one takes, pins whose interrupts come from another thread, a pilot, a bus.

import sys
import time
from array import array

from hw.sim.flash import ERASE_US, PROGRAM_UNIT, PROGRAM_US, SECTOR_SIZE, NorFlash, Partition

import select


class SlowFlash(NorFlash):
    """Takes its time: nothing else runs meanwhile, no interrupt either."""

    progress = array("l", [0])  # begins and ends of erases: odd while one is under way

    def _program(self, address, buf):
        NorFlash._program(self, address, buf)
        time.sleep_us((len(buf) + PROGRAM_UNIT - 1) // PROGRAM_UNIT * PROGRAM_US)

    def _erase(self, address):
        self.progress[0] += 1
        NorFlash._erase(self, address)
        time.sleep_us(ERASE_US)
        self.progress[0] += 1


class Pin:
    IN, OUT, PULL_UP, IRQ_RISING, IRQ_FALLING = 1, 3, 2, 1, 2
    levels = bytearray(40)
    handlers = [None] * 40
    written = [None] * 40  # called with the level, by pin

    def __init__(self, number, mode=None, pull=None, value=None):
        self.number = number
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return self.levels[self.number]
        self.levels[self.number] = 1 if level else 0
        written = self.written[self.number]
        if written:
            written(self.levels[self.number])

    __call__ = value

    def irq(self, handler, trigger):
        self.handlers[self.number] = handler


def interrupt(number):
    """What the chip's scheduler calls."""
    Pin.handlers[number](None)


class Pwm:
    duty = 65_535

    def __init__(self, pin, freq, duty_u16):
        Pwm.duty = duty_u16

    def duty_u16(self, duty):
        Pwm.duty = duty


class Adc:
    """The pilot of a car that charges as soon as it is offered current; 80 us a reading."""

    ATTN_11DB = 3
    us = 0

    def __init__(self, pin, atten):
        pass

    def read_uv(self):
        Adc.us = (Adc.us + 80) % 1000
        if Pwm.duty >= 65_535:
            return 200_000 + 21_000 * 2_700_000 // 24_000
        high = Adc.us * 65_536 < Pwm.duty * 1000
        return 200_000 + (18_000 if high else 0) * 2_700_000 // 24_000


class Uart:
    """A pty with the verbs of machine.UART."""

    path = ""

    def __init__(self, number, **_options):
        self._file = open(self.path, "r+b")
        self._poller = select.poll()
        self._poller.register(self._file, select.POLLIN)

    def any(self):
        return 1 if self._poller.poll(0) else 0

    def readinto(self, buf):
        return self._file.readinto(memoryview(buf)[:1])

    def write(self, data):
        return self._file.write(data)


class Watchdog:
    def feed(self):
        pass


class Rtc:
    def datetime(self, moment=None):
        return 2000, 1, 1, 0, 0, 0, 0, 0


class Wlan:
    IF_STA = 0

    def __init__(self, number):
        pass

    def isconnected(self):
        return True


class Nvs:
    def __init__(self, space):
        pass

    def get_blob(self, name, buf):
        buf[:] = bytes(len(buf))
        return len(buf)

    def get_i32(self, name):
        raise OSError(-4354)

    def set_i32(self, name, value):
        pass

    def commit(self):
        pass


class Module:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


class Partitions:
    """Partitions of the flash, by label; 0 is the type of data."""

    TYPE_DATA = 1
    flash = None
    places = {}

    @staticmethod
    def find(_type, label):
        at, size = Partitions.places[label]
        return [Partition(Partitions.flash, at, size, label)]


def install(flash_path, uart_path, tag_bus):
    """Puts the modules where the firmware's imports find them; sizes as in partitions.csv."""
    ledger_size, trace_size = 128 * SECTOR_SIZE, 256 * SECTOR_SIZE
    Partitions.flash = SlowFlash(flash_path, ledger_size + trace_size)
    Partitions.places = {"ledger": (0, ledger_size), "trace": (ledger_size, trace_size)}
    Uart.path = uart_path
    sys.modules["machine"] = Module(
        Pin=Pin,
        PWM=Pwm,
        ADC=Adc,
        UART=Uart,
        RTC=Rtc,
        SPI=lambda number, **_options: tag_bus,
        unique_id=lambda: bytes(6),
        reset_cause=lambda: 1,
    )
    sys.modules["network"] = Module(WLAN=Wlan)
    sys.modules["esp32"] = Module(
        NVS=Nvs,
        Partition=Partitions,
        HEAP_DATA=4,
        idf_heap_info=lambda kind: [(0, 0, 0, 0)],
    )
    return Partitions.flash
