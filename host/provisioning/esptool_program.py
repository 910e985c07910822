"""The chip's ROM boot loader, by the real esptool: which chip, reading and writing its flash."""

from __future__ import annotations

import re
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from host.provisioning.outcome import Stopped, refused, unreachable
from host.provisioning.port_errors import explain
from host.provisioning.texts import _

PROGRAM = (sys.executable, "-m", "esptool")
BAUD = 460_800
TIMEOUT_S = 300.0
_PERCENT = re.compile(rb"(\d{1,3}(?:\.\d)?) ?%")

Progress = Callable[[float], None]  # 0 to 1


@dataclass(frozen=True)
class ChipFound:
    """`id`: 12 hex digits, as `machine.unique_id().hex()` on the box."""

    name: str
    id: str
    flash_bytes: int


class Flasher(Protocol):
    """The way to a chip whose program is not asked. Every method raises Stopped."""

    def identify(self) -> ChipFound: ...

    def read(self, offset: int, size: int) -> bytes: ...

    def write(
        self, pieces: Sequence[tuple[int, bytes]], erase_all: bool, progress: Progress
    ) -> None:
        """Write and compare by hash; `erase_all` empties the whole flash before."""

    def erase(self, offset: int, size: int) -> None: ...


class Esptool:
    """At a serial port. `before` and `after` are esptool's ways to reset."""

    def __init__(
        self, port: str, before: str = "default-reset", after: str = "hard-reset"
    ) -> None:
        self.port = port
        self._ways = ["--before", before, "--after", after]

    def identify(self) -> ChipFound:
        text = self._run(["flash-id"])
        name = re.search(r"^Detecting chip type\.* ?(ESP\S+)", text, re.MULTILINE)
        mac = re.search(r"^(?:BASE )?MAC: +((?:[0-9a-f]{2}:){5}[0-9a-f]{2})", text, re.MULTILINE)
        size = re.search(r"^Detected flash size: (\d+)([KM])B", text, re.MULTILINE)
        if not name or not mac or not size:
            raise unreachable(_("the chip at {port} was not recognised", port=self.port),
                              _("esptool does not tell chip, MAC and flash size"),
                              _("look at the cable; hold the BOOT button and repeat"))
        flash_bytes = int(size[1]) << {"K": 10, "M": 20}[size[2]]
        return ChipFound(name[1], mac[1].replace(":", ""), flash_bytes)

    def read(self, offset: int, size: int) -> bytes:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "flash.bin"
            self._run(["read-flash", hex(offset), hex(size), str(path)])
            data = path.read_bytes()
        if len(data) != size:
            raise unreachable(_("the flash at {port} did not come whole", port=self.port),
                              _("{got} of {size} bytes came", got=len(data), size=size),
                              _("repeat the command"))
        return data

    def write(
        self, pieces: Sequence[tuple[int, bytes]], erase_all: bool, progress: Progress
    ) -> None:
        with tempfile.TemporaryDirectory() as folder:
            words = ["write-flash", "--flash-mode", "keep", "--flash-freq", "keep"]
            words += ["--flash-size", "keep"] + (["--erase-all"] if erase_all else [])
            for offset, data in pieces:
                path = Path(folder) / f"{offset:x}.bin"
                path.write_bytes(data)
                words += [hex(offset), str(path)]
            text = self._run(words, progress)
        if text.count("Hash of data verified") != len(pieces):
            raise refused(_("the flash does not hold what was written"),
                          _("esptool's comparison by hash did not pass"),
                          _("repeat the command; if it stays, the chip's flash is failing"))

    def erase(self, offset: int, size: int) -> None:
        self._run(["erase-region", hex(offset), hex(size)])

    def _run(self, words: list[str], progress: Progress = lambda part: None) -> str:
        command = [*PROGRAM, "--port", self.port, "--baud", str(BAUD), *self._ways, *words]
        with subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        ) as process:
            watchdog = threading.Timer(TIMEOUT_S, process.kill)
            watchdog.start()
            try:
                data = b""
                assert process.stdout is not None
                while piece := process.stdout.read1(4096):  # type: ignore[attr-defined]
                    data += piece
                    for found in _PERCENT.finditer(piece):
                        progress(min(1.0, float(found[1]) / 100))
            finally:
                watchdog.cancel()
                if process.poll() is None and sys.exc_info()[0]:
                    process.kill()
        text = data.decode("utf-8", "replace")
        if process.returncode:
            raise self._failure(text)
        return text

    def _failure(self, text: str) -> Stopped:
        fatal = re.search(r"A fatal error occurred: (.*(?:\n\(.*\))?)", text)
        why = fatal[1].strip() if fatal else text.strip()[-200:]
        if "Failed to connect" in why or "No serial data received" in why:
            return unreachable(
                _("no chip answers at {port}", port=self.port),
                _("the boot loader did not start, or the cable carries no data"),
                _("hold the BOOT button while the command begins, or take another cable"),
            )
        return explain(self.port, why)
