"""The whole box on the real interpreter, through cut mains and stopped brokers, to the Wh."""

import random

from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled

POWER_CUTS = 50
BROKER_STOPS = 20


def charging(scene: Scene) -> bool:
    return scene.world.contactor.closed and scene.world.car.power_w > 0


def begin(scene: Scene) -> None:
    scene.world.mains.restore()
    scene.wait(lambda: scene.status.get("clock") == "S", 30, "clock")
    scene.world.car.plug()
    scene.world.car.request_power()
    scene.wait(lambda: charging(scene), 30, "charging")


def finish(scene: Scene) -> None:
    scene.wait(lambda: charging(scene), 60, "charging again")
    scene.world.car.unplug()
    scene.wait(lambda: settled(scene), 90, "all stored and acknowledged")


def cut_mains(scene: Scene, chance: random.Random) -> None:
    """At any instant, or half-way through one of the next flash operations."""
    scene.wait(lambda: scene.world.box.running, 10, "box running")
    if chance.random() < 0.4:
        scene.world.box.cut_at_flash_operation(chance.randrange(6))
        scene.wait(lambda: not scene.world.box.running, 30, "cut in a flash operation")
    scene.world.mains.cut()
    scene.world.mains.restore()


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
    troubles = [cut_mains] * POWER_CUTS + [stop_broker] * BROKER_STOPS
    chance.shuffle(troubles)
    for trouble in troubles:
        linger(scene, chance.uniform(0.0, 2.0))
        trouble(scene, chance)
    finish(scene)
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
