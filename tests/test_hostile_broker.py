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

    with HostileBroker(scene.world.serial, seed) as hostile:
        redirect(scene, hostile.port)
        scene.wait(
            lambda: unmoved() and all(hostile.seen[manner] >= ROUNDS for manner in MANNERS),
            120,
            f"every kind of ill will: {hostile.seen}",
        )
        redirect(scene, scene.world.broker.port)
    hostile.check()
    print(hostile.seen, hostile.bytes_sent, hostile.acknowledged)
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
    assert kinds >= {"INTERVAL", "SESSION_END"} and not kinds & {"FAULT", "GAP_BEGIN"}, kinds


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
