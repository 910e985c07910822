"""The whole box and a broker that wishes it ill: the charge goes on as if nothing were."""

from __future__ import annotations

from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled
from tests.actions import charging, plug
from tests.hostile_broker import MANNERS, HostileBroker

ROUNDS = 2


def redirect(scene: Scene, port: int) -> None:
    """The box's next connection leads there."""
    scene.world.net.proxy.target_port = port
    scene.world.net.reset_connections()


def test_a_session_goes_on_whatever_the_broker_sends(scene, seed):
    scene.world.mains.restore()
    scene.wait(lambda: scene.status.get("clock") == "S", 60, "clock")
    plug(scene)
    scene.wait(lambda: charging(scene), 60, "charging")
    scene.wait(lambda: scene.status.get("session"), 60, "session told")
    session, before = scene.status["session"], scene.status["ledger"]["sequence"]
    moves, offered_a = scene.world.contactor.moves, scene.world.car.offered_a

    def unmoved() -> bool:
        now = scene.world.contactor.moves, scene.world.car.offered_a
        assert now == (moves, offered_a) and charging(scene)
        return True

    def polls_a_second(during) -> float:
        meter, began = scene.world.meter.sim, scene.elapsed_s
        requests = meter.requests
        during()
        return (meter.requests - requests) / (scene.elapsed_s - began)

    def nothing() -> None:
        until = scene.elapsed_s + 2
        scene.wait(lambda: scene.elapsed_s >= until, 3, "time")

    def attacked() -> None:
        redirect(scene, hostile.port)
        scene.wait(
            lambda: unmoved() and all(hostile.seen[manner] >= ROUNDS for manner in MANNERS),
            120,
            f"every kind of ill will: {hostile.seen}",
        )

    with HostileBroker(scene.world.serial, seed) as hostile:
        rates = polls_a_second(nothing), polls_a_second(attacked)
        redirect(scene, scene.world.broker.port)
    hostile.check()
    print(hostile.seen, hostile.bytes_sent, "polls a second before and under attack:", rates)
    assert rates[1] > rates[0] / 2, "the meter is read as before"
    assert hostile.acknowledged > 0, "it claimed to have what it threw away"
    scene.wait(lambda: unmoved() and scene.entries() and online_again(scene), 90, "online")
    status = scene.status
    assert (status["boot"], status["discarded_events"]) == (1, 0)
    began = ("id", "start_utc_s", "start_register_wh")
    assert [status["session"][key] for key in began] == [session[key] for key in began]
    scene.world.car.unplug()
    scene.wait(lambda: settled(scene), 90, "all stored and acknowledged")
    assert draw_up(scene).balanced
    assert len(scene.sums().sessions) == 1
    kinds = {entry.kind for entry in scene.entries() if entry.sequence > before}
    assert kinds >= {"INTERVAL", "SESSION_END"} and "FAULT" not in kinds, kinds


def online_again(scene: Scene) -> bool:
    """The status tells of the outages, and the operator has what was sent into the void."""
    status = scene.status
    link, ledger = status.get("link"), status.get("ledger")
    return bool(
        isinstance(link, dict)
        and link["outages"] >= ROUNDS
        and isinstance(ledger, dict)
        and ledger["acknowledged"] > 0
        and ledger["sequence"] - ledger["acknowledged"] <= 4
    )
