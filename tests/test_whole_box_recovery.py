"""The whole box without a broker: the radio, then a reboot, and neither a reboot while it charges.

The stages are those of the firmware, their hours made seconds.
"""

import re
import shutil

import pytest

from host.image import FIRMWARE
from hw.sim.world import World
from tests.mosquitto import wait_until

REBOOT = "link: no broker for hours; the box starts again"
RADIO = "the radio starts anew"
RESTART = "self.wifi.restart()"
STAGES = """_STAGES = (
    (3, 1000, 3000, 0),
    (6, 4000, 60_000, 5000),
)
"""


@pytest.fixture
def world(tmp_path):
    tree = tmp_path / "firmware"
    shutil.copytree(FIRMWARE, tree)
    table = tree / "lib" / "wallbox" / "link" / "recovery.py"
    text, count = re.subn(r"_STAGES = \(\n.*?\n\)\n", STAGES, table.read_text(), flags=re.DOTALL)
    assert count == 1
    table.write_text(text)
    box = tree / "lib" / "wallbox" / "box.py"
    text = box.read_text()
    assert text.count(RESTART) == 1
    box.write_text(text.replace(RESTART, f'print("{RADIO}"); {RESTART}'))
    with World(tmp_path / "world", broker=None, firmware=tree) as world:
        yield world


def said(world, text):
    return world.box.log.text().count(text)


def test_first_the_radio_and_then_the_box_starts_again(world):
    world.box.wait_for(REBOOT, 120)
    assert said(world, RADIO) >= 1
    lines = said(world, "nobody answers")
    wait_until(lambda: said(world, "nobody answers") > lines, 60, "the box after its reset")
    assert said(world, "fault") == said(world, "Traceback") == 0


def test_while_a_car_charges_only_the_radio_does(world):
    world.car.plug()
    world.car.request_power()
    wait_until(lambda: world.contactor.closed and world.car.power_w > 0, 30, "charging")
    reboots, radio = said(world, REBOOT), said(world, RADIO)
    wait_until(lambda: said(world, RADIO) >= radio + 3, 60, "three starts of the radio")
    assert world.contactor.closed
    assert said(world, REBOOT) == reboots
