# Stands for the chip's modules, so that the firmware's own `box` runs in simulated time.
#
# One world at a time: `chip.world` is asked for levels, time and flash.

import json
import sys

from host.years.on_box.tasks import Asyncio, Flag
from hw.boards import wroom32
from hw.sim.flash import Partition

UNIQUE_ID = b"\x02\x00\x00\x00\x00\x01"
_NVS_MISSING = -4354
_EAGAIN = 11

world = None


class Module:
    def __init__(self, **names):
        for name in names:
            setattr(self, name, names[name])


class Reset(BaseException):
    """The firmware resets the chip."""


class Pin:
    IN, OUT, PULL_UP, IRQ_RISING, IRQ_FALLING = 1, 3, 2, 1, 2

    def __init__(self, number, mode=None, pull=None, value=None):
        self._number = number
        if value is not None:
            self.value(value)

    def value(self, level=None):
        if level is None:
            return world.pins[self._number]
        level = 1 if level else 0
        if world.pins[self._number] != level:
            world.pins[self._number] = level
            if self._number == board.CONTACTOR:
                world.site.coil_changed()
            elif self._number == board.SEAL_LATCH_RESET and level:
                world.latches_reset()

    __call__ = value

    def irq(self, handler, trigger):
        world.interrupts[self._number] = handler


class Pwm:
    def __init__(self, pin, freq, duty_u16):
        self.duty_u16(duty_u16)

    def duty_u16(self, duty):
        if world.duty != duty:
            world.duty = duty
            world.site.offer_changed()


class Adc:
    ATTN_11DB = 3

    def __init__(self, pin, atten):
        pass


class Uart:
    """The meter's bus, as the box has it."""

    def __init__(self, number, **_options):
        pass

    def any(self):
        return world.site.bus.ready(world.site.at)

    def readinto(self, buf):
        return world.site.bus.read_into(buf, world.site.at)

    def write(self, data):
        world.site.bus.ask(bytes(data), world.site.at)
        return len(data)


class Rtc:
    """Goes on over resets, and begins in 2000 when the power comes back."""

    def datetime(self, moment=None):
        from wallbox.drivers import calendar

        if moment is not None:
            utc_s = calendar.utc_s(moment[0], moment[1], moment[2], *moment[4:7])
            world.rtc_ms = utc_s * 1000 + moment[7] // 1000 - world.site.at
            return None
        if world.rtc_ms is None:
            return (2000, 1, 1, 0, 0, 0, 0, 0)
        utc_ms = world.rtc_ms + world.site.at
        year, month, day, hour, minute, second = calendar.date(utc_ms // 1000)
        return (year, month, day, 0, hour, minute, second, utc_ms % 1000 * 1000)


class Wlan:
    IF_STA = 0

    def __init__(self, number):
        pass

    def isconnected(self):
        return world.net.wifi_up

    def active(self, on):
        pass

    def connect(self, ssid, password):
        pass

    def disconnect(self):
        pass

    def scan(self):
        return world.net.scan()

    def status(self, what):
        return -60


class Nvs:
    def __init__(self, space):
        pass

    def get_blob(self, name, buf):
        data = self._get(name)
        buf[: len(data)] = data
        return len(data)

    def set_blob(self, name, data):
        world.nvs[name] = bytes(data)

    def get_i32(self, name):
        return self._get(name)

    def set_i32(self, name, value):
        world.nvs[name] = value

    def commit(self):
        pass

    def _get(self, name):
        if name not in world.nvs:
            raise OSError(_NVS_MISSING)
        return world.nvs[name]


class Partitions:
    TYPE_DATA = 1

    @staticmethod
    def find(_type, label):
        at, size = world.partitions[label]
        return [Partition(world.flash, at, size, label)]


class Udp:
    """A socket to the time server."""

    def __init__(self, *_kind):
        self._answer = None

    def setblocking(self, on):
        pass

    def connect(self, address):
        pass

    def send(self, packet):
        self._answer = world.net.time_asked(bytes(packet))

    def recv(self, size):
        if self._answer is None or world.site.at < self._answer[0]:
            raise OSError(_EAGAIN)
        data, self._answer = self._answer[1], None
        return data

    def close(self):
        self._answer = None


def _get_address(host, port, *_rest):
    world.net.name_asked()
    return [(2, 1, 0, "", (host, port))]


def _reset():
    raise Reset("the firmware resets the chip")


def _said(*words):
    world.said(" ".join([str(word) for word in words]))


def _names(values):
    return {name.upper(): values[name] for name in values}


sockets = Module(AF_INET=2, SOCK_STREAM=1, SOCK_DGRAM=2, socket=Udp, getaddrinfo=_get_address)
times = Module(
    ticks_ms=lambda: world.now(),
    ticks_diff=lambda later, earlier: later - earlier,
    sleep_us=lambda us: None,
)
system = Module(urandom=lambda count: world.noise(count))
garbage = Module(collect=lambda: None, mem_free=lambda: 40_000, mem_alloc=lambda: 180_000)
files = Module(
    rename=lambda old, new: world.files.rename(old, new),
    remove=lambda path: world.files.remove(path),
    stat=lambda path: world.files.stat(path),
)
board = Module(**_names({name: wroom32.PINS[name][0] for name in wroom32.PINS}))
for _name in wroom32.VALUES:
    setattr(board, _name.upper(), wroom32.VALUES[_name])


def _open(path, mode="r"):
    return world.files.open(path, mode)


class _Silent:
    """Stands for the console's listener: nobody sits at the USB line."""

    def __init__(self, *_arguments):
        pass


def install():
    """Puts all of it where the firmware's imports find it; then the firmware may be imported."""
    if "machine" in sys.modules and isinstance(sys.modules["machine"], Module):
        return
    sys.modules["board"] = board
    sys.modules["machine"] = Module(
        Pin=Pin, PWM=Pwm, ADC=Adc, UART=Uart, RTC=Rtc, reset=_reset, WDT_RESET=3,
        unique_id=lambda: UNIQUE_ID, WDT=None, reset_cause=lambda: world.reset_cause,
    )  # fmt: skip
    sys.modules["network"] = Module(WLAN=Wlan)
    sys.modules["esp32"] = Module(
        NVS=Nvs, Partition=Partitions, HEAP_DATA=4, idf_heap_info=lambda kind: [(0, 0, 40_000, 0)]
    )
    import wallbox

    wallbox.forget = lambda package, name: None  # what is loaded stays: it has no state
    _install_in_modules()


def _install_in_modules():
    from wallbox import agent, box, build, config, housekeeping, inbox, report, sampling, start
    from wallbox.commands import settings, taking
    from wallbox.drivers import clock, seals, tags
    from wallbox.link import address, link
    from wallbox.store import leasefile

    box.asyncio = housekeeping.asyncio = link.asyncio = Asyncio
    inbox._Flag = Flag
    clock.time = seals.time = times
    clock.os = link.os = system
    clock.socket = address.socket = sockets
    report.gc = taking.gc = start.gc = garbage
    for module in (config, settings, leasefile):
        module.os = files
        module.open = _open
    settings.json = Module(  # MicroPython's own wants streams made in C
        dump=lambda tree, file: file.write(json.dumps(tree)),
        load=lambda file: json.loads(file.read()),
    )
    if sys.implementation.name == "cpython":  # a status as long as MicroPython's
        report.json = Module(dumps=lambda tree: json.dumps(tree, ensure_ascii=False))
    for module in (box, agent, sampling, tags, report):
        module.print = _said
    box.listener = Module(Listener=_Silent)
    build.build_pilot = lambda: world.site.pilot()
    build.build_tags = lambda values, key, inbox: world.build_tags(values, key, inbox)
