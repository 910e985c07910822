"""What the operator orders over MQTT, and what strangers cannot: real firmware, real broker."""

from __future__ import annotations

import base64
import json
import time

import pytest

from tests.actions import charging, plug
from tests.orders import Operator, signed
from tests.taglists import Entry
from tests.test_whole_box_rules import UID, begin, coil, facts, scene_with, tag_hash

HOUR_S = 3600


def operator(scene) -> Operator:
    world = scene.world
    return Operator(world.broker.port, world.serial, scene.keys.load(world.serial))


def accepted(reply: dict) -> None:
    assert reply["status"] == "Accepted", reply


def test_limits_plans_and_wishes_take_effect_at_once(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        begin(scene)
        world, now = scene.world, int(time.time())
        span = {"from_utc_s": now - 10, "until_utc_s": now + HOUR_S}
        accepted(orders.send("limit", source="grid", lease=7, limit_ma=10_000, **span))
        scene.wait(lambda: scene.status.get("limit_by") == "grid", 10, "the limit")
        assert world.car.offered_a == pytest.approx(10, abs=0.1)
        accepted(orders.send("opt-out", on=True))
        scene.wait(lambda: scene.status["limit_by"] == "installation", 10, "opted out")
        accepted(orders.send("opt-out", on=False))
        accepted(orders.send("limit-end", lease=7))
        periods = [[now - 10, now + 100, 8000], [now + 100, now + 200, 0]]
        accepted(orders.send("plan", lease=100, periods=periods))
        scene.wait(lambda: scene.status["limits_ma"].get("smart") == 8000, 10, "the plan")
        accepted(orders.send("charge-now", on=True))
        scene.wait(lambda: "smart" not in scene.status["limits_ma"], 10, "charge now")
        accepted(orders.send("plan", lease=200, periods=[]))
        over = {"from_utc_s": 9, "until_utc_s": 9}
        reply = orders.send("limit", source="grid", lease=8, limit_ma=1, **over)
        assert reply["status"] == "Rejected" and "ends before it begins" in reply["info"]
        verbs = [fact["verb"] for fact in facts(scene, "COMMAND")]
        assert verbs[:3] == ["limit", "opt-out", "opt-out"]


def test_an_opened_seal_needs_the_numbers_of_new_ones(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        world = scene.world
        world.seal.interlock = False
        begin(scene)
        world.seal.open("lid")
        scene.wait(lambda: scene.status["seals"]["open"] == ["lid"], 10, "opened")
        assert not charging(scene)
        assert orders.send("seal", numbers="1001 1002")["status"] == "Rejected"
        world.seal.close("lid")
        scene.wait(lambda: scene.status["seals"]["open"] == [], 10, "closed")
        accepted(orders.send("seal", numbers="1001 1002"))
        scene.wait(lambda: charging(scene), 30, "power again")
        scene.wait(lambda: facts(scene, "SEAL")[-1]["change"] == "sealed", 10, "the fact")


def test_suspension_reboot_and_configuration(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        begin(scene)
        reply = orders.send("reboot")
        assert reply["status"] == "Rejected" and "session" in reply["info"]
        reply = orders.send("lifecycle", after="suspended", reason="payment")
        assert reply["status"] == "Scheduled" and "final register" in reply["info"]
        scene.wait(lambda: scene.status.get("why") == "Suspended", 10, "suspended")
        assert coil(scene.world) == 0
        assert orders.send("lifecycle", after="factory")["status"] == "Rejected"
        scene.wait(lambda: facts(scene, "LIFECYCLE")[-1]["after"] == "suspended", 20, "the fact")
        accepted(orders.send("lifecycle", after="in service"))
        scene.wait(lambda: charging(scene), 30, "power again")
        accepted(orders.send("configure", key="seals.policy", value="report"))
        wrong = orders.send("configure", key="interval_s", value=7)
        assert wrong["status"] == "Rejected" and "divisor" in wrong["info"]
        assert orders.send("configure", key="wifi.password", value="x")["status"] == "Rejected"
        accepted(orders.send("configure", key="interval_s", value=3))
        scene.wait(
            lambda: facts(scene, "INTERVAL")[-1]["interval_s"] == 3, 20, "the new interval"
        )
        boot = scene.status["boot"]
        assert orders.send("reboot", force=True)["status"] == "Scheduled"
        scene.wait(lambda: scene.status.get("boot") == boot + 1, 40, "the next boot")
        scene.wait(lambda: charging(scene), 30, "the session goes on")
        assert orders.send("status")["status"] == "Accepted"
        assert scene.status["command"] > 0


def test_strangers_and_repetitions_order_nothing(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        begin(scene)
        accepted(orders.send("absence", from_utc_s=2_000_000_000, until_utc_s=2_000_000_100))
        recorded = orders.last
        reply = orders.publish(recorded)
        assert reply["status"] == "Rejected" and "was used" in reply["info"]
        tree = json.loads(recorded[65:]) | {"counter": orders.counter + 10}
        strange = signed(b"k" * 32, tree)
        assert "not signed" in orders.publish(strange)["info"]
        for message, named in (
            (b"hello", "64 hex digits"),
            (recorded[:65] + b" " + recorded[65:], "not signed"),
        ):
            assert named in orders.publish(message)["info"]
        reply = orders.publish(signed(orders.key, tree | {"verb": "explode"}))
        assert (reply["status"], reply["verb"]) == ("NotSupported", "explode")
        assert reply["counter"] == tree["counter"]
        # five refusals a minute are answered, and no more
        orders.client.publish(orders.topic, b"x" * 5000, qos=1).wait_for_publish(10)
        accepted(orders.send("status"))
        assert orders.replies.empty()
        scene.wait(lambda: len(facts(scene, "SECURITY")) == 2, 10, "two facts an hour")
        told = [fact["event"] for fact in facts(scene, "SECURITY")]
        assert told == ["AttemptedReplayAttacks", "InvalidMessages"]
        assert len(facts(scene, "ANNOUNCED")) == 1
        assert charging(scene)


def test_a_command_waits_for_a_box_that_is_offline_and_its_time_ends(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        begin(scene)
        scene.world.net.drop()
        scene.wait(lambda: "no Wi-Fi" in scene.world.box.tail(2000), 30, "offline")
        now = int(time.time())
        tree = {"counter": orders.counter + 1, "from_utc_s": now - 60, "until_utc_s": now + 1}
        late = tree | {"verb": "opt-out", "with": {"on": True}}
        orders.client.publish(orders.topic, signed(orders.key, late), qos=1)
        until = {"until_utc_s": now + 600, "counter": orders.counter + 2}
        orders.client.publish(orders.topic, signed(orders.key, late | until), qos=1)
        time.sleep(max(0, now + 2 - time.time()))
        scene.world.net.restore()
        first, second = (orders.replies.get(timeout=60) for _ in range(2))
        assert first["status"] == "Rejected" and "here it is" in first["info"]
        assert second["status"] == "Accepted"


def entries(tags: list[Entry]) -> str:
    return base64.b64encode(b"".join(tag.pack() for tag in tags)).decode()


def test_lists_of_tags_come_over_the_air_and_blocking_ends_a_session(tmp_path):
    reader = {"fitted": True, "mode": "required"}
    with scene_with(tmp_path, reader=reader) as scene, operator(scene) as orders:
        world, key = scene.world, scene.keys.load(scene.world.serial)
        scene.world.mains.restore()
        plug(scene)
        scene.wait(lambda: scene.status.get("why") == "WaitingForTag", 30, "waits for a tag")
        mine = Entry(tag_hash(key, UID), limit_ma=10_000)
        others = [Entry(bytes([number]) * 8) for number in range(1, 60)]
        tags = sorted([mine, *others])
        accepted(orders.send("tags-begin", full=True, version=3))
        for part in range(0, len(tags), 24):
            some = entries(tags[part : part + 24])
            accepted(orders.send("tags-part", part=part // 24, entries=some))
        accepted(orders.send("tags-end", count=len(tags)))
        scene.wait(lambda: scene.status["reader"]["list_version"] == 3, 10, "the list")
        world.tag.present(UID)
        scene.wait(lambda: charging(scene), 20, "charging by the tag")
        world.tag.remove()
        assert orders.send("tags-begin", full=False, version=3)["status"] == "VersionMismatch"
        accepted(orders.send("tags-begin", full=False, version=4, base=3))
        assert orders.send("tags-end", count=9)["status"] == "Failed"
        accepted(orders.send("block-tag", tag=mine.tag.hex()))
        scene.wait(lambda: not charging(scene), 10, "the blocked tag's session ends")
        scene.wait(lambda: facts(scene, "SESSION_END"), 20, "its end")
        assert facts(scene, "SESSION_END")[-1]["reason"] == "DeAuthorized"
        for number in range(4):
            accepted(orders.send("block-tag", tag=others[number].tag.hex()))
        # what is blocked while the others go to their places stays behind the list
        scene.wait(lambda: scene.status["reader"]["blocks"] <= 1, 20, "blocked in their places")
        reply = orders.send("start", tag=mine.tag.hex())
        if "no memory" in reply.get("info", ""):  # the box asks for it again
            reply = orders.send("start", tag=mine.tag.hex())
        assert reply["status"] == "Rejected" and "Blocked" in reply["info"], reply
        scene.wait(lambda: facts(scene, "TAG")[-1]["verdict"] == "Blocked", 10, "it is on record")
        accepted(orders.send("start", subscription=1, limit_ma=8000))
        scene.wait(lambda: charging(scene), 30, "charging by the operator's word")
        accepted(orders.send("stop"))
        scene.wait(lambda: not charging(scene), 20, "stopped")
        reply = orders.send("stop")
        assert reply["status"] == "Rejected"
        accepted(orders.send("reader-mode", mode="free"))
        later = orders.send("reader-mode", mode="required", from_utc_s=int(time.time()) + 5)
        assert later["status"] == "Scheduled"
        scene.wait(lambda: scene.status["reader"]["required"], 20, "the mode")


def test_the_trace_comes_sector_by_sector(tmp_path):
    with scene_with(tmp_path) as scene, operator(scene) as orders:
        begin(scene)
        reply = orders.send("trace", first=0, count=2)
        accepted(reply)
        pieces = {}
        while len(pieces) < 8:
            piece = orders.traces.get(timeout=20)
            pieces[int.from_bytes(piece[:4], "little")] = piece[4:]
        assert sorted(pieces) == list(range(0, 8192, 1024))
        image_of_it = b"".join(pieces[at] for at in sorted(pieces))
        assert image_of_it[:4] == b"WBR1" and len(image_of_it) == 8192
        assert orders.send("trace", first=250, count=200)["status"] == "Rejected"
