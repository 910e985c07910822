"""A box in service has no prompt: not at boot, not after crashes, not when its modules are gone."""

from __future__ import annotations

import json
import threading

import pytest

from host import image
from hw.sim.box import Box
from hw.sim.world import LEDGER_KEY, World
from tests.consoleline import ConsoleLine
from tests.flashed import facts_in, file_in

READY = "console: ready"
SERIAL = "WB-000001"
CONFIG = {
    "serial": SERIAL,
    "type": "WB-11-3",
    "installation_limit_a": 16,
    "meter": {"model": "sdm630"},
    "wifi": {"ssid": "depot", "password": "correct horse"},
    "broker": {"host": "broker.example", "tls": "none-in-tests"},
}


def locked_flash(**nvs: int | bytes) -> bytes:
    """Of a box that was in service."""
    flash = bytearray(image.build_flash(CONFIG, serial=SERIAL, ledger_key=LEDGER_KEY))
    entries = {"serial": SERIAL.encode(), "ledger_key": LEDGER_KEY, "locked": 1, **nvs}
    put(flash, "nvs", image.build_nvs({"wallbox": entries}))
    return bytes(flash)


def put(flash: bytearray, name: str, data: bytes) -> None:
    part = image.partitions()[name]
    flash[part.offset : part.offset + part.size] = data.ljust(part.size, b"\xff")


@pytest.fixture
def box():
    with Box() as running:
        yield running


def no_prompt(box: Box) -> bool:
    text = box.log.text()
    return ">>>" not in text and "raw REPL" not in text and "KeyboardInterrupt" not in text


def test_a_flood_of_control_characters_from_the_first_moment_on_gives_no_prompt(box):
    box.flash(locked_flash())
    over = threading.Event()

    def flood() -> None:
        while not over.wait(0.001):
            box.type("\x03\x03\x01\x04")

    flooding = threading.Thread(target=flood)
    flooding.start()
    try:
        box.power_on()
        box.wait_for(READY, 20)
        for _ in range(5):
            mark = box.log.position
            box.press_reset()
            box.wait_for(READY, 20, since=mark)
    finally:
        over.set()
        flooding.join()
    assert no_prompt(box)
    assert box.boots == 6, "none of it made the box reset"


def test_three_crashes_lead_to_the_console_and_not_to_a_prompt(box):
    traceback = b"Traceback (most recent call last):\n" + b"x" * 400 + b"\nValueError: a bug\n"
    box.flash(locked_flash(crashes=3, crash=traceback))
    box.power_on()
    box.wait_for(f"failed 3 times in a row(.|\n)*{READY}", 20)
    box.type("\x03\x04\x01")
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        told = line.ask("identity")
        assert (told["serial"], told["type"], told["locked"]) == (SERIAL, "WB-11-3", True)
        assert told["lifecycle"] is None
        assert line.ask("health")["agent"] == "failed"
        assert line.login()["status"] == "Accepted"
        crash = line.done("crash")
        assert crash[0] == {"crashes": 3}
        assert "".join(part["text"] for part in crash[1:]).encode() == traceback
        for verb, arguments in (("seal", {"numbers": "1"}), ("wipe", {}), ("self-test", {})):
            assert line.order(verb, **arguments)[1]["status"] == "NotSupported"
        ring, _ = line.image("ledger")
        assert set(ring) == {0xFF}
        assert {"agent": "failed"} in line.done("status")
        line.done("network", values={"wifi.ssid": "elsewhere"})
        config = json.loads(file_in(box.flash_path.read_bytes(), "config.json"))
        assert config["wifi"]["ssid"] == "elsewhere"
        line.done("clear-fault")
        mark = box.log.position
        line.done("restart")
    box.wait_for(READY, 20, since=mark)
    with ConsoleLine(box.usb) as line:
        assert line.ask("health")["agent"] == "runs"
    assert no_prompt(box)


def test_logins_while_no_agent_runs_are_in_the_ledger_when_it_runs_again():
    with World(broker=None, flash=locked_flash(crashes=3)) as world:
        world.box.wait_for(READY, 20)
        with ConsoleLine(world.box.usb, bytes(32)) as line:
            line.login()
            line.login()
        with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
            assert line.login()["status"] == "Accepted"
            line.done("clear-fault")
            mark = world.box.log.position
            line.done("restart")
        world.box.wait_for(READY, 20, since=mark)
        told = facts_in(world.box.flash_path.read_bytes(), LEDGER_KEY, "SECURITY")
        assert [(fact["event"], fact["count"]) for fact in told] == [
            ("MaintenanceLoginFailed", 2),
            ("MaintenanceLoginAccepted", 1),
        ]


def test_a_ledger_that_cannot_be_opened_is_no_bug_of_ours_and_is_tried_again(box):
    """Nobody has to drive there for a flash that was ill for an hour."""
    flash = locked_flash()
    whole, small = ledger_entry(flash), ledger_entry(flash, 3 * 4096)
    box.speed = 30
    box.flash(flash.replace(whole, small))
    box.power_on()
    box.wait_for(f"store: wallbox ledger: 3 sectors(.|\n)*{READY}", 20)
    mark = box.log.position
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        assert line.ask("health")["agent"] == "store failed"
        assert line.login()["status"] == "Accepted"
        assert line.done("crash") == [{"crashes": 0}]
        line.ask("logout")
    box.wait_for(f"store: wallbox ledger: 3 sectors(.|\n)*{READY}", 60, since=mark)
    assert no_prompt(box)
    box.power_cut()
    box.flash(box.flash_path.read_bytes().replace(small, whole))
    mark = box.log.position
    box.power_on()
    box.wait_for(READY, 20, since=mark)
    with ConsoleLine(box.usb) as line:
        assert line.ask("health")["agent"] == "runs"


def ledger_entry(flash: bytes, size: int | None = None) -> bytes:
    """Of the partition table in a flash, or what it would be with another size (bytes)."""
    at = flash.index(b"ledger".ljust(16, b"\0")) - 12
    entry = flash[at : at + 32]
    return entry if size is None else entry[:8] + size.to_bytes(4, "little") + entry[12:]


def test_a_locked_box_without_key_answers_and_lets_nobody_in(box):
    flash = bytearray(locked_flash())
    put(flash, "nvs", image.build_nvs({"wallbox": {"locked": 1}}))
    box.flash(bytes(flash))
    box.power_on()
    box.wait_for(READY, 20)
    with ConsoleLine(box.usb, b"") as line:
        assert line.ask("identity")["key"] is False
        assert line.ask("health")["agent"] == "no identity"
        assert line.login()["info"] == "this box has no key; provision it"
    assert no_prompt(box)


@pytest.mark.parametrize("own", [True, False])
def test_a_key_that_is_bound_to_a_chip_is_none_on_another(box, own):
    """The configuration says nothing of the chip: a copy could have changed it."""
    chip = bytes.fromhex("240ac4000001") if own else b"\x24\x0a\xc4\xff\xff\xff"
    box.flash(locked_flash(chip=chip))
    ledger = image.partitions()["ledger"]
    box.power_on()
    box.wait_for(READY, 20)
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        assert line.ask("identity")["key"] is own
        assert line.ask("health")["agent"] == ("runs" if own else "no identity")
    written = set(box.flash_path.read_bytes()[ledger.offset : ledger.offset + ledger.size])
    assert (written == {0xFF}) is not own, "a copy writes no ledger"


def test_a_locked_box_whose_modules_are_gone_resets_again_and_again(box):
    flash = bytearray(locked_flash())
    put(flash, "romfs", b"")
    box.flash(bytes(flash))
    box.power_on()
    box.wait_until(lambda: box.boots > 3, 20, "resets")
    assert no_prompt(box)


def test_a_power_cut_leaves_the_old_settings_or_the_new():
    """At every flash operation of the change, and at some behind it."""
    new_cuts = mark = 0
    with World(broker=None, config={"lifecycle": "commissioned"}) as world:
        box = world.box
        for cut_after in range(12):
            box.wait_for(READY, 20, since=mark)
            old = json.loads(file_in(box.flash_path.read_bytes(), "config.json"))
            name = f"network {cut_after}"
            with ConsoleLine(box.usb, LEDGER_KEY) as line:
                assert line.login()["status"] == "Accepted"
                box.cut_at_flash_operation(cut_after)
                values = {"wifi.ssid": name, "wifi.password": "another password"}
                line.type(b"\n>" + line.sign("network", values=values) + b"\n")
                box.wait_until(lambda: not box.running or "Reboot" in box.tail(300), 20, "a word")
            if box.running:
                world.mains.cut()
            mark = box.log.position
            world.mains.restore()
            box.wait_for(READY, 20, since=mark)
            assert "configuration:" not in box.log.text(mark)
            told = json.loads(file_in(box.flash_path.read_bytes(), "config.json"))
            new = old | {"wifi": {"ssid": name, "password": "another password"}}
            assert told in (old, new)
            new_cuts += told == new
    assert 0 < new_cuts < 12, "cuts before and behind the change"


def test_the_lock_is_read_before_anything_that_waits():
    """Kept apart from the flood, which might come too late on a slow machine."""
    source = (image.FIRMWARE / "boot.py").read_text() + (image.FIRMWARE / "main.py").read_text()
    for script in source.split("while True:")[1:]:
        lines = [line.strip() for line in script.splitlines() if line.strip()]
        assert lines[0].startswith("try:") and lines[1] == "import micropython"
        assert lines[2] == "micropython.kbd_intr(-1)"
