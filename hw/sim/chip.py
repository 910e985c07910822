"""The simulated chip from outside: its process, resets, watchdog, pins.  World's thread only."""

from __future__ import annotations

import asyncio
import contextlib
import os
import pty
import subprocess
import threading
import time
import tty
from collections.abc import Callable
from pathlib import Path

from host.image import board_numbers
from hw.sim import interpreter, wire
from hw.sim.chiplink import ChipLink
from hw.sim.console import Console
from hw.sim.consolelog import ConsoleLog
from hw.sim.hostloop import HostLoop
from hw.sim.outside import FlashCounters, Output
from hw.sim.radio import Radio


class Chip:
    """One ESP32; `box.Box` gives it the verbs that other threads may call."""

    def __init__(
        self, directory: Path, host: HostLoop, board: str, heap: str, unique_id: bytes
    ) -> None:
        self.directory = directory
        self.host = host
        self.heap = heap
        self.unique_id = unique_id
        self.pins = board_numbers(board)
        self.outputs: dict[int, Output] = {}
        self.flash_counters = FlashCounters()
        self.speed = 1  # of the chip's clock, from the next start on
        self.simulation_heap_bytes = 0
        self.dropped_interrupts = 0
        self.dropped_characters = 0
        self.boots = 0
        self.failure: str | None = None  # how the interpreter died, if it did
        self.on_output: Callable[[int, Output], None] = lambda pin, output: None
        self.on_power_lost: Callable[[], None] = lambda: None
        self.on_uart: Callable[[int, int], None] = lambda number, baud: None
        self.on_spi: Callable[[int, bytes], bytes] = lambda number, data: bytes(len(data))
        self._levels: dict[int, int] = {}
        self._analog: dict[int, tuple[int, int, int]] = {}
        self._ports: dict[int, int] = {}
        self._clock_offset_s = 0
        self._rtc_memory = b""
        self._process: subprocess.Popen[bytes] | None = None
        self._link: ChipLink | None = None
        self._watchdog_s = 0.0
        self._watchdog: asyncio.TimerHandle | None = None
        self._news = threading.Condition()
        self._changes = 0
        interpreter.build_rom(directory / "rom.bin")
        self.log = ConsoleLog(directory / "console.log")
        self.console = Console(host.loop, directory / "usb", self.log, self._nudge)
        self.radio = Radio(host.loop, self._tell_radio)
        self._make_bus()

    def _make_bus(self) -> None:
        self._transceiver, self._bus = pty.openpty()
        tty.setraw(self._bus)
        os.set_blocking(self._transceiver, False)
        link = self._bus_link = self.directory / "rs485"
        link.unlink(missing_ok=True)
        link.symlink_to(os.ttyname(self._bus))

    @property
    def flash_path(self) -> Path:
        return self.directory / "flash.bin"

    def _changed(self) -> None:
        with self._news:
            self._changes += 1
            self._news.notify_all()

    # power and resets

    def _power_on(self) -> None:
        if self._process is None:
            self._clock_offset_s = int(time.time())
            self._rtc_memory = b""
            self.failure = None
            self.console.fresh_line()
            self._start(wire.PWRON_RESET)

    def _power_cut(self) -> None:
        self._kill()
        self._release()
        self._changed()

    def _restart(self, cause: int) -> None:
        if self._process is None:
            return
        self._kill()
        self._release()
        self.console.say(f"rst:{cause},boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n")
        if cause == wire.PWRON_RESET:
            self._rtc_memory = b""
        self._start(cause)
        self._changed()

    def _soft_reset(self) -> None:
        """Pins keep their level, PWM stops low, watchdog and radio go on, the REPL's mode stays."""
        self.console.say("MPY: soft reboot\r\n")
        for pin, output in list(self.outputs.items()):
            if output.frequency_hz:
                self._set_output(pin, Output(3, 0))
        self._start(wire.SOFT_RESET)

    def _release(self) -> None:
        """Every pin back to high impedance; watchdog and radio off."""
        self.console.raw = False
        self.radio.reset()
        self._watchdog_s = 0.0
        self._feed()
        pins, self.outputs = list(self.outputs), {}
        for pin in pins:
            self.on_output(pin, Output())

    def _reset_asked(self, cause: int, process: subprocess.Popen[bytes] | None) -> None:
        if self._process is None or self._process is not process:
            return
        if cause == wire.POWER_CUT:
            self.on_power_lost()
            self._power_cut()
        elif cause == wire.SOFT_RESET:
            self._kill()
            self._soft_reset()
            self._changed()
        else:
            self._restart(cause)

    def _feed(self) -> None:
        if self._watchdog:
            self._watchdog.cancel()
            self._watchdog = None
        if self._watchdog_s:
            self._watchdog = self.host.loop.call_later(self._watchdog_s, self._starved)

    def _starved(self) -> None:
        before = self._watchdog
        if self._link:
            self._link.read()  # a feed may have waited while this thread was busy
        if self._watchdog is before and self._process is not None:
            self.console.say("Task watchdog got triggered.\r\n")
            self._restart(wire.WDT_RESET)

    # the interpreter's process

    def _start(self, cause: int) -> None:
        link = self._link = ChipLink(self.host.loop, self, self._ended)
        self._hand_over(cause)
        self.console.prepare()
        with contextlib.suppress(BlockingIOError):
            while os.read(self._transceiver, 4096):
                pass  # what the meter said while nobody listened
        process = self._process = interpreter.start(
            rom=self.directory / "rom.bin",
            flash=self.flash_path,
            heap=self.heap,
            console=self.console.slave,
            wire=link.chip_end.fileno(),
            bus=self._transceiver,
            bus_pins=(self.pins.get("METER_TX", 255), self.pins.get("METER_RX", 255)),
            wish=self.console.interrupt.descriptor,
        )
        self.boots += 1
        self.console.started(process.pid)
        link.started()

    def _hand_over(self, cause: int) -> None:
        """All that the chip must know before its first instruction."""
        link = self._link
        assert link is not None
        link.send(wire.CAUSE, c=cause)
        link.send(wire.RAW, c=1 if self.console.raw else 0)
        link.send(wire.SPEED, c=self.speed)
        link.send(wire.CLOCK_OFFSET, c=self._clock_offset_s)
        link.send_bytes(wire.RTC_MEMORY, self._rtc_memory)
        link.send_bytes(wire.UNIQUE_ID, self.unique_id)
        self._tell_radio(self.radio.status, self.radio.rssi_dbm)
        for pin, level in self._levels.items():
            self._put_level(pin, level)
        for pin, analog in self._analog.items():
            self._put_analog(pin, *analog)
        for port, local in self._ports.items():
            self._put_port(port, local)
        link.send(wire.READY)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            process.wait()
            self._gone()

    def _gone(self) -> None:
        if self._link:
            self._link.close()
            self._link = None
        self.console.stopped()

    def _ended(self) -> None:
        """The process has gone by itself: the REPL's Ctrl-D, or a crash."""
        process, self._process = self._process, None
        if process is None:
            return
        code = process.wait()
        self._gone()
        if code == 0:
            self._soft_reset()
        else:
            self.failure = f"the interpreter died: exit code {code}"
            self.console.say(f"\r\n[{self.failure}]\r\n")
            self._release()
        self._changed()

    # to the chip

    def _nudge(self) -> None:
        self._send(wire.NUDGE, 0, 0, 0)

    def _send(self, what: int, a: int, b: int, c: int) -> None:
        if self._link:
            self._link.send(what, a, b, c)

    def _put_level(self, pin: int, level: int) -> None:
        self._levels[pin] = level
        self._send(wire.LEVEL, pin, 0, level)

    def _put_analog(self, pin: int, high_uv: int, low_uv: int, shaped_by: int) -> None:
        self._analog[pin] = (high_uv, low_uv, shaped_by)
        self._send(wire.ANALOG_HIGH, pin, shaped_by, high_uv)
        self._send(wire.ANALOG_LOW, pin, 0, low_uv)

    def _put_port(self, port: int, local: int) -> None:
        self._ports[port] = local
        self._send(wire.PORT, 0, port, local)

    def _tell_radio(self, status: int, rssi_dbm: int) -> None:
        self._send(wire.WLAN_RSSI, 0, 0, rssi_dbm)
        self._send(wire.WLAN_STATUS, 0, 0, status)

    # from the chip

    def told(self, what: int, a: int, b: int, c: int) -> None:
        """One packet of the chip; the table of packets is in wire.py."""
        if what == wire.OUT:
            self._set_output(a, Output(b, c))
        elif what == wire.PWM:
            self._set_output(a, Output(3, 0, 65_536 if b == 65_535 else b, c))
        elif what == wire.FLASH:
            self.flash_counters.count(a, b, c)
        elif what == wire.WDT:
            self._watchdog_s = c / 1000
            self._feed()
        elif what == wire.FEED:
            self._feed()
        elif what == wire.RESET:
            self.host.loop.call_soon(self._reset_asked, a, self._process)
        elif what == wire.BOOTED:
            self.console.repl_begins()
            self._send(wire.READY, 0, 0, 0)
        elif what == wire.UART:
            self.on_uart(a, c)
        elif what == wire.JOIN and a == 3:
            if self._link:
                self._link.send_bytes(wire.NETWORKS, self.radio.scan())
        elif what == wire.JOIN:
            self.radio.verb(a, b)
        elif what == wire.CLOCK:
            self._clock_offset_s = c
        elif what == wire.DROPPED and a == 0:
            self.dropped_interrupts += c
        elif what == wire.DROPPED:
            self.dropped_characters += c
        elif what == wire.HEAP:
            self.simulation_heap_bytes = c
        self._changed()

    def told_bytes(self, what: int, kind: int, data: bytes) -> None:
        """A longer message of the chip."""
        if what == wire.SPI:
            if self._link:
                self._link.send_bytes(wire.SPI_ANSWER, self.on_spi(kind, data))
        elif kind == wire.MEMORY:
            self._rtc_memory = data
        elif kind == wire.JOIN:
            self.radio.want(data)

    def _set_output(self, pin: int, output: Output) -> None:
        self.outputs[pin] = output
        self.on_output(pin, output)

    def _close(self) -> None:
        self._power_cut()
        self._bus_link.unlink(missing_ok=True)
        self.console.close()
        self.log.close()
        os.close(self._bus)
        os.close(self._transceiver)
