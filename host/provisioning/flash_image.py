"""The box's flash as one file: boot loader, partition table, MicroPython, firmware.

It begins at address 0 and ends with the vfs partition, so ledger and trace are never part of it;
NVS is left erased. Same input, same bytes. Beside it lies `<image>.json`: what is in it.
"""

from __future__ import annotations

import hashlib
import json
import re
import struct
from dataclasses import asdict, dataclass
from pathlib import Path

from wallbox import version

from host import image
from host.provisioning.files import write_whole
from host.provisioning.outcome import refused, unusable
from host.provisioning.texts import _

BOOT_LOADER_AT = 0x1000  # where a MicroPython .bin for the ESP32 begins
MAGIC = 0xE9
_CHIP_ID_ESP32 = 0
_ROM_MARK = b"VfsRom"  # a name in the interpreter's tables if it was built with MICROPY_VFS_ROM
_NUMBERS = re.compile(r"(\d+)\.(\d+)\.(\d+)")


@dataclass(frozen=True)
class About:
    """What `<image>.json` tells. `rom`: the interpreter runs modules in place."""

    firmware: str
    micropython: str
    micropython_sha256: str
    board: str
    rom: bool
    sha256: str


@dataclass(frozen=True)
class FlashImage:
    about: About
    data: bytes

    def pieces(self) -> list[tuple[int, bytes]]:
        """What is written onto a box that keeps its NVS, ledger and trace."""
        nvs = image.partitions()["nvs"]
        parts = ((BOOT_LOADER_AT, nvs.offset), (nvs.offset + nvs.size, len(self.data)))
        return [(begin, self.data[begin:end]) for begin, end in parts]


def build(micropython: bytes, board: str = "wroom32", need_rom: bool = True) -> FlashImage:
    """The image with this interpreter. Raises Stopped if it is none for this box.

    `need_rom` False takes an interpreter that cannot run the firmware in place; no box that is
    to charge can use it.
    """
    parts = image.partitions()
    app_at = parts["factory"].offset
    rom = _check_interpreter(micropython, app_at, parts["factory"].size, need_rom)
    end = parts["vfs"].offset + parts["vfs"].size
    data = bytearray(b"\xff" * end)
    data[BOOT_LOADER_AT : BOOT_LOADER_AT + len(micropython)] = micropython
    nvs = parts["nvs"]
    data[image.PARTITION_TABLE_AT : app_at] = b"\xff" * (app_at - image.PARTITION_TABLE_AT)
    for offset, content in (
        (image.PARTITION_TABLE_AT, image.partition_table()),
        (parts["romfs"].offset, image.build_romfs(board)),
        (parts["vfs"].offset, image.build_vfs(None, board, rom=True)),
    ):
        data[offset : offset + len(content)] = content
    assert not bytes(data[nvs.offset : nvs.offset + nvs.size]).strip(b"\xff")
    about = About(
        firmware=version.TEXT,
        micropython=_version(micropython),
        micropython_sha256=hashlib.sha256(micropython).hexdigest(),
        board=board,
        rom=rom,
        sha256=hashlib.sha256(data).hexdigest(),
    )
    return FlashImage(about, bytes(data))


def _version(micropython: bytes) -> str:
    found = re.search(rb"MicroPython (v[0-9][^ \0]*)", micropython)
    return found[1].decode("ascii", "replace") if found else "?"


def _check_interpreter(data: bytes, app_at: int, app_size: int, need_rom: bool) -> bool:
    what = _("the MicroPython image is not used")
    app = app_at - BOOT_LOADER_AT
    action = _("take the .bin of ESP32_GENERIC that is written at 0x1000")
    if len(data) < app + 24 or data[0] != MAGIC or data[app] != MAGIC:
        raise refused(what, _("no boot loader at its begin, or no program at 0x10000"), action)
    if struct.unpack_from("<H", data, app + 12)[0] != _CHIP_ID_ESP32:
        raise refused(what, _("it is for another chip than the ESP32"), action)
    if len(data) - app > app_size:
        raise refused(what, _("its program has {bytes} bytes, {room} are there",
                              bytes=len(data) - app, room=app_size), action)
    rom = _ROM_MARK in data[app:]
    if need_rom and not rom:
        raise refused(what, _("MicroPython {version} was built without the ROM file system, in "
                              "which the firmware runs", version=_version(data)),
                      _("build MicroPython 1.25 or newer with MICROPY_VFS_ROM 1; the four lines "
                        "for it are in docs/provisioning.md"))
    return rom


def save(built: FlashImage, path: Path) -> None:
    """The image, and what is in it. Raises OSError."""
    write_whole(path, built.data, 0o644)
    text = json.dumps(asdict(built.about), indent=1, sort_keys=True) + "\n"
    write_whole(about_path(path), text.encode(), 0o644)


def load(path: Path) -> FlashImage:
    """Raises Stopped unless the image is what its `.json` says."""
    what = _("{file} is not used", file=path)
    action = _("make it anew with `wallbox image build`")
    try:
        about = About(**json.loads(about_path(path).read_text()))
        data = path.read_bytes()
    except (OSError, ValueError, TypeError) as error:
        raise unusable(what, _("image or {about} cannot be read ({error})",
                               about=about_path(path).name, error=error), action) from None
    if hashlib.sha256(data).hexdigest() != about.sha256:
        raise refused(what, _("its bytes are not those that were built"), action)
    return FlashImage(about, data)


def about_path(path: Path) -> Path:
    return path.with_name(path.name + ".json")


def older(one: str, other: str) -> bool:
    """Whether version `one` is older than `other`; what is no version is older than any."""
    numbers = [tuple(map(int, _NUMBERS.findall(text)[0])) if _NUMBERS.search(text) else ()
               for text in (one, other)]
    return numbers[0] < numbers[1]
