"""Images of the box's flash: file system, identity, partition table."""

from __future__ import annotations

import hashlib
import json
import struct
import zlib

import pytest
from littlefs import LittleFS

from host import image
from hw.sim.box import Box

MODULES = {
    "boot.py": "print('boot')\n",
    "main.py": "import package.inner\n",
    "lib/package/__init__.py": "",
    "lib/package/inner.py": "import board\n\n\ndef fail():\n    raise ValueError(board.LAMP_RED)\n",
}

MAIN_IN_ROM = b"""
import os, sys
print(sys.path, os.listdir("/rom"))
import package.inner
package.inner.fail()
"""
IMPORT_LONG = b"""
import gc
gc.collect()
before = gc.mem_alloc()
import long
gc.collect()
print("taken", gc.mem_alloc() - before)
"""


@pytest.fixture
def tree(tmp_path):
    """A small firmware tree."""
    for name, text in MODULES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def mounted(vfs: bytes) -> LittleFS:
    fs = LittleFS(block_size=4096, block_count=len(vfs) // 4096, mount=False)
    fs.context.buffer = bytearray(vfs)
    fs.mount()
    return fs


def test_the_partitions_of_the_product():
    parts = image.partitions()
    assert {name: (p.offset, p.size) for name, p in parts.items()} == {
        "nvs": (0x9000, 0x6000),
        "phy_init": (0xF000, 0x1000),
        "factory": (0x10000, 0x1D0000),
        "romfs": (0x1E0000, 0x50000),
        "vfs": (0x230000, 0x50000),
        "ledger": (0x280000, 0x80000),
        "trace": (0x300000, 0x100000),
    }
    ends = sorted((p.offset, p.offset + p.size) for p in parts.values())
    assert all(end <= begin for (_, end), (begin, _) in zip(ends, ends[1:], strict=False))
    assert ends[-1][1] == image.FLASH_SIZE


def test_the_partition_table_has_the_boot_loaders_format():
    table = image.partition_table()
    assert len(table) == 0xC00
    first = struct.unpack_from("<HBBII16sI", table, 0)
    assert first == (0x50AA, 1, 2, 0x9000, 0x6000, b"nvs".ljust(16, b"\0"), 0)
    count = len(image.partitions())
    magic, digest = struct.unpack_from("<H14x16s", table, count * 32)
    assert (magic, digest) == (0xEBEB, hashlib.md5(table[: count * 32]).digest())
    assert set(table[count * 32 + 32 :]) == {0xFF}


def test_the_file_system_holds_the_firmware_compiled(tree):
    fs = mounted(image.build_vfs({"serial": "B1"}, tree=tree))
    names = {
        f"{folder}/{name}".strip("/") for folder, _, files in fs.walk("/") for name in files
    }
    assert names == {
        "boot.py",
        "main.py",
        "config.json",
        "lib/board.mpy",
        "lib/package/__init__.mpy",
        "lib/package/inner.mpy",
    }
    with fs.open("lib/package/inner.mpy", "rb") as file:
        # "M", version 6, no native code, small integers of 31 bits as on the ESP32
        assert file.read(4) == b"M\x06\x00\x1f"
    with fs.open("boot.py", "rb") as file:
        assert file.read().decode() == MODULES["boot.py"]
    with fs.open("config.json", "rb") as file:
        assert json.loads(file.read()) == {"serial": "B1"}


def test_the_real_interpreter_mounts_it_and_shows_line_numbers(tree):
    with Box() as box:
        files = {"main.py": b"import package.inner\npackage.inner.fail()\n"}
        box.flash(image.build_flash(None, tree=tree, files=files))
        box.power_on()
        lamp = image.board_numbers("wroom32")["LAMP_RED"]
        box.wait_for(rf'File "package/inner.py", line 5, in fail\nValueError: {lamp}\n')


def test_the_same_input_gives_the_same_bytes(tree):
    arguments = {"tree": tree, "serial": "B1", "ledger_key": bytes(32)}
    first = image.build_flash({"interval_s": 900}, **arguments)
    image._compiled.cache_clear()
    assert image.build_flash({"interval_s": 900}, **arguments) == first


def test_identity_is_in_the_nvs_and_nowhere_else(tree):
    key = bytes(range(100, 132))
    flash = image.build_flash({}, tree=tree, serial="WB-4711", ledger_key=key)
    nvs = image.partitions()["nvs"]
    where = flash.index(key)
    assert nvs.offset <= where < nvs.offset + nvs.size
    assert flash.count(key) == 1
    magic, generation, length, crc = struct.unpack_from("<4sIII", flash, nvs.offset)
    data = flash[nvs.offset + 16 : nvs.offset + 16 + length]
    assert (magic, generation, crc) == (b"NVS1", 1, zlib.crc32(data))
    assert data.startswith(b"wallbox\0ledger_key\0") and b"WB-4711" in data


def test_a_box_without_identity_and_firmware_is_blank(tree):
    flash = image.build_flash(None, vfs=b"")
    for name in ("nvs", "romfs", "vfs", "ledger", "trace"):
        part = image.partitions()[name]
        assert set(flash[part.offset : part.offset + part.size]) == {0xFF}, name


def test_what_cannot_be_built_is_refused(tree):
    with pytest.raises(ValueError, match="ledger_key: 16 bytes, must be 32"):
        image.build_flash({}, tree=tree, ledger_key=bytes(16))
    with pytest.raises(ValueError, match="nvs key 'a key of 16 char': must be 1 to 15"):
        image.build_nvs({"wallbox": {"a key of 16 char": 1}})
    with pytest.raises(ValueError, match="partition vfs: 327681 bytes do not fit into 327680"):
        image.build_flash({}, vfs=bytes(327_681))
    with pytest.raises(FileNotFoundError, match="board 'none'"):
        image.build_vfs({}, "none", tree=tree)
    with pytest.raises(image.ImageError, match="file system: full at big.bin"):
        image.build_vfs({}, tree=tree, files={"big.bin": bytes(600_000)})
    (tree / "lib/package/inner.py").write_text("def wrong(:\n")
    with pytest.raises(SyntaxError, match=r"package/inner.py(.|\n)*line 1"):
        image.build_vfs({}, tree=tree)


def test_the_modules_run_in_place_from_the_romfs_partition(tree):
    vfs = mounted(image.build_vfs({"serial": "B1"}, tree=tree, rom=True))
    assert sorted(vfs.listdir("/")) == ["boot.py", "config.json", "main.py"]
    with Box() as box:
        files = {"main.py": MAIN_IN_ROM}
        box.flash(image.build_flash(None, tree=tree, files=files, rom=True))
        box.power_on()
        box.wait_for(r"^\['', '.frozen', '/rom', '/rom/lib', '/lib'\] \['lib'\]")
        lamp = image.board_numbers("wroom32")["LAMP_RED"]
        box.wait_for(rf'File "package/inner.py", line 5, in fail\nValueError: {lamp}\n')


def test_byte_code_in_rom_takes_no_heap(tree):
    (tree / "lib/long.py").write_text(f"TEXT = {'x' * 8000!r}\n")
    taken = []
    for rom in (False, True):
        with Box() as box:
            box.flash(image.build_flash(None, tree=tree, files={"main.py": IMPORT_LONG}, rom=rom))
            box.power_on()
            taken.append(int(box.wait_for(r"^taken (\d+)")[1]))
    assert taken[0] > 8000 and taken[1] < 1000


def test_the_whole_firmware_fits_with_room_for_an_update():
    files = image.firmware_files()
    assert {"boot.py", "main.py", "lib/board.mpy", "lib/wallbox/agent.mpy"} <= set(files)
    assert sum(len(data) for data in files.values()) < image.partitions()["vfs"].size * 4 // 5
    assert len(image.build_romfs()) < image.partitions()["romfs"].size * 3 // 4


def test_every_pin_of_a_board_is_told_how_to_wire():
    from hw.boards import wroom32

    numbers = [pin for pin, _ in wroom32.PINS.values()]
    assert len(numbers) == len(set(numbers))
    assert not set(numbers) & {0, 1, 2, 3, 6, 7, 8, 9, 10, 11, 12, 15}  # console, flash, strapping
    for name, (_, sentence) in wroom32.PINS.items():
        assert len(sentence) > 20 and sentence.endswith("."), name
