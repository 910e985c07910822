"""One flash image from a real MicroPython, and the real esptool against a boot loader.

The MicroPython here, from a package on PyPI, is old and has no ROM file system: it tests layout,
writing and comparing, not running. What runs is tested on the simulated box.
"""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.util
import json
import struct
import time
from pathlib import Path

import pytest
import serial
from esp32_mock_bootloader import server
from esp32_mock_bootloader.protocol import CMD_FLASH_DEFL_END, CMD_SYNC
from typer.testing import CliRunner

from host import image
from host.cli import app
from host.provisioning import flash_image
from host.provisioning.esptool_program import Esptool
from host.provisioning.outcome import EXIT_REFUSED, EXIT_UNREACHABLE, Stopped
from host.provisioning.ports import Device, look
from host.provisioning.step_detect import has_rings
from tests.boot_loader import boot_loader


def real_micropython() -> Path:
    spec = importlib.util.find_spec("thonnycontrib.thonny_etboard_firmware")
    assert spec is not None and spec.submodule_search_locations is not None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return folder / "etboard/firmware/etboard_firmware_micropython_custom_0831_last.bin"


@pytest.fixture
def manifest(tmp_path):
    data = real_micropython().read_bytes()
    (tmp_path / "mp.bin").write_bytes(data)
    path = tmp_path / "manifest.toml"
    digest = hashlib.sha256(data).hexdigest()
    path.write_text(f'micropython = "mp.bin"\nsha256 = "{digest}"\n')
    return path


def build(manifest, name="wallbox.bin", *words):
    output = manifest.parent / name
    result = CliRunner().invoke(
        app, ["image", "build", str(manifest), "-o", str(output), "--json", *words]
    )
    return result, output


def test_the_same_input_gives_the_same_bytes(manifest):
    result, first = build(manifest, "one.bin", "--without-rom")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["micropython"].startswith("v1.16")
    _, second = build(manifest, "two.bin", "--without-rom")
    assert first.read_bytes() == second.read_bytes()
    data = first.read_bytes()
    part = image.partitions()["vfs"]
    assert len(data) == part.offset + part.size  # neither ledger nor trace is in it
    assert data[0x1000] == 0xE9 and data[0x10000] == 0xE9
    magic, _, _, offset, size, name, _ = struct.unpack_from("<HBBII16sI", data, 0x8000 + 5 * 32)
    assert (magic, name.rstrip(b"\0")) == (0x50AA, b"ledger")
    assert (offset, size) == (0x280000, 0x80000)
    nvs = image.partitions()["nvs"]
    assert set(data[nvs.offset : nvs.offset + nvs.size]) == {0xFF}


def test_what_is_not_pinned_is_refused(manifest):
    path = manifest.parent / "mp.bin"
    path.write_bytes(path.read_bytes() + b"\0")
    result, output = build(manifest)
    assert result.exit_code == EXIT_REFUSED and "SHA-256" in result.output
    assert not output.exists()


def test_an_interpreter_that_cannot_run_in_place_is_refused(manifest):
    result, _ = build(manifest)
    assert result.exit_code == EXIT_REFUSED and "MICROPY_VFS_ROM" in result.output
    told = json.loads(result.stdout)
    assert "v1.16" in told["why"] and "docs/provisioning.md" in told["action"]


@pytest.mark.parametrize("damage", [b"", b"\xe9" + bytes(70_000), b"MicroPython"])
def test_what_is_no_interpreter_is_refused(damage):
    with pytest.raises(Stopped) as stopped:
        flash_image.build(damage)
    assert stopped.value.code == EXIT_REFUSED


def test_an_image_that_was_changed_is_not_used(manifest):
    _, output = build(manifest, "wallbox.bin", "--without-rom")
    assert flash_image.load(output).about.board == "wroom32"
    data = bytearray(output.read_bytes())
    data[0x12345] ^= 1
    output.write_bytes(data)
    with pytest.raises(Stopped):
        flash_image.load(output)


@pytest.mark.parametrize(
    ("one", "other", "is_older"),
    [("0.1.0", "0.2.0", True), ("0.10.0", "0.9.0", False), ("1.0.0", "1.0.0", False),
     ("?", "0.0.1", True)],
)
def test_versions_are_compared_by_number(one, other, is_older):
    assert flash_image.older(one, other) == is_older


class Overheard(Esptool):
    """What esptool printed, too."""

    said = ""

    def _run(self, *words):
        text = super()._run(*words)
        self.said += text
        return text


def test_the_real_esptool_writes_compares_and_keeps_the_ledger(manifest, tmp_path):
    _, output = build(manifest, "wallbox.bin", "--without-rom")
    built = flash_image.load(output)
    ledger = image.partitions()["ledger"]
    with boot_loader(tmp_path) as url:
        flasher = Overheard(url, before="no-reset", after="no-reset")
        found = flasher.identify()
        assert found.name == "ESP32" and found.flash_bytes == image.FLASH_SIZE
        job = dataclasses.make_dataclass("Job", ["flasher"])(flasher)
        assert not has_rings(job)
        seen = []
        flasher.write(built.pieces(), True, seen.append)
        assert seen[-1] == 1.0 and len(seen) > 2
        assert has_rings(job)
        flasher.write([(ledger.offset, b"evidence" * 32)], False, seen.append)
        begin, data = built.pieces()[-1]
        last = len(data) - 0x8000  # a second time, over the first: what lies next to the ledger
        flasher.write([(begin + last, data[last:])], False, seen.append)
        assert begin + len(data) <= ledger.offset
        assert flasher.read(ledger.offset, 256) == b"evidence" * 32
        begin, data = built.pieces()[0]
        assert flasher.read(begin, 256) == data[:256]
        assert "Lost connection" not in flasher.said  # esptool would go on after one


def test_the_boot_loader_waits_for_the_next_file(tmp_path):
    """esptool ends each file, and may take its time with the next one."""

    def command(number):
        return server.slip_encode(struct.pack("<BBHI", 0, number, 0, 0))

    with boot_loader(tmp_path) as url, serial.serial_for_url(url, timeout=10) as line:
        for number, pause_s in ((CMD_FLASH_DEFL_END, server._FLASH_END_IDLE_SEC + 0.2),
                                (CMD_SYNC, 0)):
            line.write(command(number))
            assert line.read(4)[:3] == bytes((server.protocol.SLIP_END, 1, number))
            line.reset_input_buffer()
            time.sleep(pause_s)


def test_another_chip_is_recognised(tmp_path):
    with boot_loader(tmp_path, "esp32c3") as url:
        assert Esptool(url, "no-reset", "no-reset").identify().name == "ESP32-C3"


def test_no_port_and_a_silent_port_are_explained(tmp_path):
    with pytest.raises(Stopped) as stopped:
        Esptool(str(tmp_path / "none")).identify()
    assert stopped.value.code == EXIT_UNREACHABLE
    device = look(Device(str(tmp_path / "none")))
    assert device.content == "trouble" and "cable" in device.note
