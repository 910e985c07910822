"""Whoever types whatever, at whatever moment: a locked box gives no prompt."""

from __future__ import annotations

import threading

import pytest

from host import image
from hw.sim.world import LEDGER_KEY, World
from tests.consoleline import ConsoleLine
from tests.test_console_locked import READY, box, locked_flash, no_prompt, put  # noqa: F401

CONTROL = [*range(0x20), 0x7F]
ASKED = b"\r\nprint(123 * 457)\r\x04\n"


def told_no_python(text: str) -> bool:
    return not any(word in text for word in (">>>", "raw REPL", "56211", "KeyboardInterrupt"))


@pytest.mark.parametrize("part", range(3))
def test_no_control_character_gets_in_while_the_box_starts(box, part):  # noqa: F811
    """Each of them, from the first instruction on, over a whole start."""
    box.flash(locked_flash())
    for code in CONTROL[part::3]:
        over = threading.Event()
        typed = bytes([code]).decode("latin-1") * 3 + "\r\nprint(123 * 457)\r"

        def flood(over=over, typed=typed) -> None:
            while not over.wait(0.002):
                box.type(typed)

        flooding = threading.Thread(target=flood)
        flooding.start()
        mark, boots = box.log.position, box.boots
        try:
            box.power_on()
            box.wait_for(READY, 20, since=mark)
        finally:
            over.set()
            flooding.join()
        assert told_no_python(box.log.text(mark)), f"{code:#x}"
        assert box.boots == boots + 1, f"{code:#x} made it reset"
        box.power_cut()


def wrong_configuration() -> bytes:
    flash = bytearray(locked_flash())
    put(flash, "vfs", image.build_vfs({"serial": 7}, rom=True))
    return bytes(flash)


def without_key() -> bytes:
    flash = bytearray(locked_flash())
    put(flash, "nvs", image.build_nvs({"wallbox": {"locked": 1}}))
    return bytes(flash)


STATES = {
    "failed three times": lambda: locked_flash(crashes=3),
    "without key": without_key,
    "copied to another chip": lambda: locked_flash(chip=b"\x24\x0a\xc4\xff\xff\xff"),
    "wrong configuration": wrong_configuration,
}


@pytest.mark.parametrize("state", STATES)
def test_no_control_character_gets_in_whatever_is_broken(box, state):  # noqa: F811
    box.flash(STATES[state]())
    box.power_on()
    box.wait_for(READY, 20)
    for code in CONTROL:
        box.type((bytes([code]) * 3 + ASKED).decode("latin-1"))
    with ConsoleLine(box.usb) as line:
        assert line.ask("identity")["locked"]
    assert no_prompt(box) and told_no_python(box.log.text()) and box.boots == 1


def test_no_control_character_gets_in_while_an_order_runs_or_after_the_service_ended():
    with World(broker=None, meter="sdm630") as world:
        box = world.box
        box.wait_for(READY, 20)
        with ConsoleLine(box.usb, LEDGER_KEY) as line:
            box.wait_until(lambda: line.ask("identity")["locked"], 10, "locked")
            assert line.login()["status"] == "Accepted"
            for _ in range(2):
                line.type(b"\n>" + line.sign("trace") + b"\n")
                for code in CONTROL:
                    line.type(bytes([code]) * 3 + ASKED)
                while "status" not in (told := line.answer(20)) or told["to"] != "trace":
                    pass
                assert told["status"] == "Accepted"
                line.order("decommission")
                box.wait_until(
                    lambda: line.ask("identity")["lifecycle"] == "decommissioned", 20, "out"
                )
            assert line.ask("identity")["locked"]
        assert told_no_python(box.log.text()) and box.boots == 1
