"""The whole box on the real interpreter, through cut mains and stopped brokers, to the Wh."""

import random

from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled
from tests.actions import charging, plug

POWER_CUTS = 50
BROKER_STOPS = 20


def begin(scene: Scene) -> None:
    scene.world.mains.restore()
    scene.wait(lambda: scene.status.get("clock") == "S", 30, "clock")
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")


def finish(scene: Scene) -> None:
    scene.wait(lambda: charging(scene), 60, "charging again")
    scene.world.car.unplug()
    scene.wait(lambda: settled(scene), 90, "all stored and acknowledged")


def cut_mains(scene: Scene, chance: random.Random, while_charging: bool) -> bool:
    """At any instant, half-way through one of the next flash operations, or `while_charging`.

    True if power flowed to the car until then.
    """
    scene.wait(lambda: scene.world.box.running, 10, "box running")
    if while_charging:
        scene.wait(lambda: charging(scene), 30, "charging before the cut")
        linger(scene, chance.uniform(0.0, 0.5))
    flowing = charging(scene)
    if chance.random() < 0.4:
        scene.world.box.cut_at_flash_operation(chance.randrange(6))
        scene.wait(lambda: not scene.world.box.running, 30, "cut in a flash operation")
    scene.world.mains.cut()
    scene.world.mains.restore()
    return flowing


def stop_broker(scene: Scene, chance: random.Random) -> None:
    scene.world.broker.stop()
    linger(scene, chance.uniform(0.0, 1.0))
    scene.world.broker.start()


def linger(scene: Scene, seconds: float) -> None:
    until = scene.elapsed_s + seconds
    scene.wait(lambda: scene.elapsed_s >= until, seconds + 1, "time")


def test_fifty_power_cuts_and_twenty_broker_stops_cost_not_one_wh(scene, seed):
    chance = random.Random(seed)
    begin(scene)
    charging_cuts = POWER_CUTS * 3 // 5
    troubles = ["charging cut"] * charging_cuts + ["cut"] * (POWER_CUTS - charging_cuts)
    troubles += ["broker stop"] * BROKER_STOPS
    chance.shuffle(troubles)
    cut_while_charging = 0
    for trouble in troubles:
        linger(scene, chance.uniform(0.0, 1.0))
        if trouble == "broker stop":
            stop_broker(scene, chance)
        else:
            cut_while_charging += cut_mains(scene, chance, trouble == "charging cut")
    finish(scene)
    assert cut_while_charging >= POWER_CUTS // 2
    balance = draw_up(scene)
    entries = scene.entries()
    assert [entry.sequence for entry in entries] == list(range(1, len(entries) + 1))
    assert balance.records_written == len(entries)
    assert scene.world.box.boots > POWER_CUTS
    assert POWER_CUTS // 2 < max(entry.boot for entry in entries) <= scene.world.box.boots
    assert balance.balanced, balance.as_dict()


def test_a_car_that_leaves_in_the_dark_is_billed_for_what_it_took(scene):
    begin(scene)
    linger(scene, 3)
    scene.world.mains.cut()
    scene.world.car.unplug()
    scene.world.mains.restore()
    scene.wait(lambda: settled(scene), 60, "all stored and acknowledged")
    session = scene.sums().sessions[-1]
    assert session.reason == "PowerLoss"
    assert draw_up(scene).balanced
