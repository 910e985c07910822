"""The way to the simulated chip's flash that the boot loader is on a real one.

`Programmer` does for a `Box` what `host.provisioning.esptool_program.Esptool` does for a chip at a
port: same methods, no serial line in between. Flashing takes the power away and gives it again.
"""

from __future__ import annotations

from collections.abc import Sequence

from host.image import FLASH_SIZE
from host.provisioning.esptool_program import ChipFound, Progress
from hw.sim.box import Box


class Programmer:
    """`name` is what the chip says it is."""

    def __init__(self, box: Box, name: str = "ESP32", flash_bytes: int = FLASH_SIZE) -> None:
        self.box = box
        self._found = ChipFound(name, box.unique_id.hex(), flash_bytes)
        self.writes = 0

    def identify(self) -> ChipFound:
        return self._found

    def read(self, offset: int, size: int) -> bytes:
        return self.box.flash_path.read_bytes()[offset : offset + size]

    def write(
        self, pieces: Sequence[tuple[int, bytes]], erase_all: bool, progress: Progress
    ) -> None:
        before = b"\xff" * FLASH_SIZE if erase_all else self.read(0, FLASH_SIZE)
        flash = bytearray(before)
        for offset, data in pieces:
            flash[offset : offset + len(data)] = data
        self._put(flash)
        self.writes += 1
        progress(1.0)

    def erase(self, offset: int, size: int) -> None:
        flash = bytearray(self.read(0, FLASH_SIZE))
        flash[offset : offset + size] = b"\xff" * size
        self._put(flash)

    def _put(self, flash: bytearray) -> None:
        self.box.power_cut()
        self.box.flash(bytes(flash))
        self.box.power_on()
