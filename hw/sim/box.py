"""The simulated box: the real MicroPython on the box's own flash, behind its USB console.

    with Box() as box:
        box.flash(image.build_flash(config, serial=..., ledger_key=...))
        box.power_on()
        box.wait_for("wallbox ready")
        box.power_cut()

A box directory holds `flash.bin`, `usb` and `rs485` (links to ptys), `console.log` and
`rom.bin`, the modules that stand for the chip's hardware.
"""

from __future__ import annotations

import re
import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from host.image import FLASH_SIZE
from hw.sim import wire
from hw.sim.chip import Chip
from hw.sim.hostloop import HostLoop
from hw.sim.interpreter import DEFAULT_HEAP

UNIQUE_ID = bytes.fromhex("240ac4000001")


class Box(Chip):
    """One box; its verbs may be called from any thread.

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
        directory = Path(tempfile.mkdtemp(prefix="box-")) if directory is None else directory
        directory.mkdir(parents=True, exist_ok=True)
        self._own_host = host is None
        host = host or HostLoop()
        host.call(super().__init__, directory, host, board, heap, unique_id)

    def __enter__(self) -> Box:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    # state

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

    def wait_for(self, pattern: str, timeout_s: float = 10.0, since: int = 0) -> re.Match[str]:
        """Waits until the console printed what the regular expression says."""
        return self.log.wait_for(pattern, timeout_s, since)

    def wait_until(
        self, condition: Callable[[], object], timeout_s: float = 10.0, what: str = "condition"
    ) -> None:
        """Waits until `condition()` is true; `TimeoutError` with the console's end if not."""
        deadline = time.monotonic() + timeout_s
        while True:
            seen = self._changes
            if condition():
                return
            if time.monotonic() > deadline:
                raise TimeoutError(f"{what}: not in {timeout_s} s; console:\n{self.tail()}")
            with self._news:
                if self._changes == seen:
                    self._news.wait(0.02)

    def tail(self, characters: int = 2000) -> str:
        """The end of what the console printed."""
        return self.log.text()[-characters:]

    # verbs

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
        """The chip's reset button: as a power-on, but the clock goes on."""
        self.host.call(self._restart, wire.PWRON_RESET)

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
        self.host.call(self.radio.switch, on, rssi_dbm)

    def close(self) -> None:
        """Cuts the power and gives every process, pty, socket and own directory back."""
        self.host.call(self._close)
        if self._own_directory:
            shutil.rmtree(self.directory, ignore_errors=True)
        if self._own_host:
            self.host.close()
