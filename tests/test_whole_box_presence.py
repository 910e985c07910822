"""Presence on the whole box: who has nothing to deliver is not absent for that."""

import pytest

from host.demo.scene import Scene
from tests.conftest import NO_MOSQUITTO
from tests.mosquitto import mosquitto_path

SPEED = 5
LONG_ENOUGH_MS = 75_000  # an absence is told after 60 s


def test_a_short_break_of_a_box_with_nothing_to_say_is_no_absence(tmp_path):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    with Scene(tmp_path, "mosquitto", interval_s=900, meter="sdm630", speed=SPEED) as scene:
        world = scene.world
        world.mains.restore()

        def answered() -> int:
            return world.box.log.text().count("the operator answers")

        def absences() -> list:
            kinds = ("ABSENCE_BEGIN", "ABSENCE_END")
            return [entry.fields for entry in scene.entries() if entry.kind in kinds]

        def silent() -> bool:
            ledger = scene.status.get("ledger", {})
            return answered() > 0 and 0 < ledger.get("sequence", 0) == ledger["acknowledged"]

        scene.wait(silent, 60, "nothing more to deliver")
        before, told, began_ms = answered(), absences(), scene.status["uptime_ms"]
        world.net.reset_connections()
        scene.wait(lambda: answered() > before, 40, "an answer though nothing was delivered")

        def lasted() -> bool:
            return scene.status.get("uptime_ms", 0) > began_ms + LONG_ENOUGH_MS  # not in a will

        scene.wait(lasted, 60, "a minute and more")
        assert absences() == told
