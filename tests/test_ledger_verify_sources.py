"""`wallbox ledger verify` on what it is given: images, a box over USB, and what is neither."""

import json
import re

import pytest
from typer.testing import CliRunner
from wallbox.store.trace import Trace

from host import image as flash_image
from host.cli import app
from hw.sim.box import Box
from hw.sim.flash import NorFlash, Partition
from tests.consoleline import ConsoleLine
from tests.ledger_story import KEY, Story
from tests.simbox import flash_of
from tests.verifying import SERIAL, Operator, found_in, said

LEDGER = flash_image.partitions()["ledger"]


@pytest.fixture
def operator(tmp_path):
    return Operator(tmp_path / "operator")


@pytest.fixture(scope="module")
def story():
    """16 records of two boots."""
    return Story(sectors=128).boot().day().boot().intervals(1)


@pytest.fixture(scope="module")
def whole_flash(story):
    """4 MB with the story's ledger in it."""
    flash = bytearray(flash_of("pass"))
    flash[LEDGER.offset : LEDGER.offset + LEDGER.size] = story.image()
    return bytes(flash)


# images


def test_a_partition_and_a_whole_flash_are_told_apart_by_looking(operator, story, whole_flash):
    part = operator.report(operator.file(story.image()))
    assert (part["box"], part["source"], part["chain"]) == (SERIAL, "image", "proved")
    assert (part["records"], part["boots"], part["first_utc"]) == (16, 2, "2026-01-01T00:00:00Z")
    whole = operator.report(operator.file(whole_flash))
    assert whole == part
    at = LEDGER.offset + 32 + 10
    broken = whole_flash[:at] + bytes([whole_flash[at] ^ 1]) + whole_flash[at + 1 :]
    (found,) = operator.report(operator.file(broken))["findings"]
    assert (found["code"], found["sequence"], found["kind"]) == ("damaged", 1, "STATE")
    assert found["position"] == LEDGER.offset + 32, "where it lies in the file"


def test_the_summary_for_people(operator, story):
    text = said(operator.run(operator.file(story.image())), 0)
    assert text.splitlines() == [
        "WB-000001: 16 records, 1 to 16, 2026-01-01 00:00:00 to 2026-01-01 02:01:17 UTC, 2 boots",
        "chain: proved, all 16 records are as the box has signed them, in its order",
        "meter 4711: 1000.000 to 1002.040 kWh, 8 intervals, 1 gap: they add up; "
        "1 session of 1.290 kWh",
        "  note: void: 1 void part: each start of the box leaves one",
        "WB-000001: whole",
    ]


def test_findings_come_before_the_verdict(operator, story):
    image = bytearray(story.image())
    image[200] ^= 4
    lines = said(operator.run(operator.file(image)), 1).splitlines()
    assert lines[-1] == "WB-000001: NOT whole, 1 finding"
    assert lines[3].startswith("  damaged: record 4 (INTERVAL, 2026-01-01 00:15:00 S) at 0xb7: one")


def test_without_a_key_the_output_says_what_was_not_proved(operator, story, monkeypatch):
    path = operator.file(story.image())
    monkeypatch.chdir(operator.directory / "keys")  # no key store by the default name here
    for arguments in ([path], [path, "--without-key"]):
        text = said(operator.run(*arguments, keys=False), 0)
        assert "chain: NOT proved; only checks, numbers and sums were looked at" in text
        assert text.splitlines()[-1] == "ledger: nothing wrong found, but not proved"
    report = operator.report(path, keys=False)
    assert (report["chain"], report["proved"], report["unproved"]) == ("not proved", 0, [[1, 16]])
    assert report["notes"][-1]["code"] == "no-key"


def test_wrong_keys(operator, story):
    path = operator.file(story.image())
    report = operator.report(path, "--box", "WB-000002")
    assert [one["code"] for one in report["findings"]] == ["key"]
    assert report["chain"] == "not proved"
    assert "no key of box WB-9" in said(operator.run(path, "--box", "WB-9"), 4)
    (operator.directory / "keys" / f"{SERIAL}.key").unlink()
    report = operator.report(path)
    assert report["findings"][0]["text"].startswith("none of the 1 keys in")


def test_a_key_that_others_can_read_is_refused(operator, story):
    (operator.directory / "keys" / f"{SERIAL}.key").chmod(0o644)
    assert "chmod 600" in said(operator.run(operator.file(story.image())), 4)


def test_nothing_is_written(operator, story):
    path = operator.file(story.image())
    path.chmod(0o400)
    said(operator.run(path), 0)
    assert path.read_bytes() == story.image()
    assert {one.name for one in operator.directory.iterdir()} == {"keys", "ledger.bin"}


def test_what_is_no_source_is_one_line(operator, whole_flash):
    text = said(operator.run(operator.directory / "none.bin"), 4)
    assert text.endswith("none.bin: cannot be read: No such file or directory\n")
    assert "no file and no serial port" in said(operator.run(operator.directory), 4)
    assert "neither a collector's database nor the image" in said(
        operator.run(operator.file(b"a letter")), 4
    )
    assert "ledger is blank" in said(operator.run(operator.file(b"\xff" * LEDGER.size)), 4)
    assert "no ledger: neither" in said(operator.run(operator.file(b"\x55" * 65536)), 4)
    assert "no partition table at 0x8000 that names a ledger" in said(
        operator.run(operator.file(bytes(len(whole_flash)))), 4
    )
    assert "ends before its ledger does" in said(
        operator.run(operator.file(whole_flash[: LEDGER.offset + 4096])), 4
    )


def test_a_trace_is_no_ledger(operator):
    flash = NorFlash(size=LEDGER.size)
    trace = Trace(Partition(flash, 0, flash.size), KEY)
    trace.mount()
    trace.append_event(b"\x00", 1, 5)
    trace.flush(5, 1, 0, 0)
    assert "a trace, which proves nothing" in said(operator.run(operator.file(flash.image())), 4)


def test_wrong_options(operator, story):
    path = operator.file(story.image())
    assert "exclude each other" in said(operator.run(path, "--without-key"), 2)
    assert "--save keeps" in said(operator.run(path, "--save", "x.bin"), 2)
    assert "allow it with --yes" in said(operator.run("box:/dev/null"), 2)


# a box over USB


def test_a_box_is_read_over_usb_and_goes_on(operator, scene):
    """The agent runs when it is stopped; its key is in the collector's key store."""
    config = scene.world.default_config("sdm630") | {"interval_s": 2, "lifecycle": "commissioned"}
    key = scene.keys.load(SERIAL)
    scene.world.box.flash(flash_image.build_flash(config, serial=SERIAL, ledger_key=key))
    scene.world.mains.restore()
    scene.wait(lambda: scene.status.get("clock") == "S", 30, "clock")
    scene.wait(lambda: any(one.kind == "INTERVAL" for one in scene.entries()), 30, "interval")
    box = scene.world.box
    mark, boots = box.log.position, box.boots
    save = operator.directory / "pulled.bin"
    words = [box.usb, "--yes", "--save", str(save), "--keys", str(scene.keys.directory)]
    done = CliRunner().invoke(app, ["ledger", "verify", *words, "--json"])
    report = json.loads(said(done, 0))
    assert (report["box"], report["source"], report["chain"]) == (SERIAL, "box", "proved")
    assert report["records"] == report["last_sequence"] >= 5
    assert "stopped from the keyboard: contactor open" in box.log.text(mark)
    box.wait_for(r"^rst:", 10, since=mark)
    assert box.boots > boots
    text = save.read_bytes()
    assert len(text) == LEDGER.size
    again = CliRunner().invoke(
        app, ["ledger", "verify", str(save), "--keys", str(scene.keys.directory), "--json"]
    )
    assert json.loads(said(again, 0))["records"] == report["records"]


def test_a_box_in_service_is_read_by_its_console(operator, scene):
    scene.world.mains.restore()
    box = scene.world.box
    box.wait_for("console: ready", 20)
    scene.wait(lambda: any(one.kind == "INTERVAL" for one in scene.entries()), 30, "interval")
    with ConsoleLine(box.usb, scene.keys.load(SERIAL)) as line:
        line.login()
        ring, told = line.image("ledger")
    path = operator.file(ring)
    words = ["ledger", "verify", str(path), "--keys", str(scene.keys.directory), "--json"]
    report = json.loads(said(CliRunner().invoke(app, words), 0))
    assert report["chain"] == "proved" and report["last_sequence"] >= 5
    assert told["sequence"] >= report["last_sequence"]
    assert box.boots == 1


def test_a_box_with_a_damaged_ledger(operator, whole_flash):
    at = LEDGER.offset + 60
    broken = whole_flash[:at] + bytes([whole_flash[at] ^ 16]) + whole_flash[at + 1 :]
    with Box() as box:
        box.flash(broken)
        box.power_on()
        box.wait_for(r"^>>> ")
        report = operator.report(f"box:{box.usb}", "--yes", "--box", SERIAL)
        assert ("damaged", 1) in found_in(report)
        assert ("box", None) in found_in(report), "it calls itself TEST-1"
        assert box.failure is None


def test_a_port_where_no_box_answers(operator, tmp_path):
    text = said(operator.run("box:/dev/does-not-exist", "--yes"), 4)
    assert re.search(r"box:/dev/does-not-exist|/dev/does-not-exist: the ledger did not come", text)
    with Box() as box:
        box.flash(b"\xff" * flash_image.FLASH_SIZE)
        box.power_on()
        text = said(operator.run(box.usb, "--yes"), 4)
        assert "the ledger did not come whole" in text and "\n" not in text.strip()
