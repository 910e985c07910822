"""`wallbox send` as people run it, to the real firmware on the simulated board."""

from __future__ import annotations

import json
import subprocess
import sys

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from host.demo.scene import Scene
from tests.actions import charging, plug
from tests.mosquitto import wait_until
from tests.test_whole_box_rules import UID, begin, facts, scene_with


def send(scene: Scene, *arguments: str, code: int = 0) -> dict:
    """Runs the command and returns what it says as JSON; its exit code must be `code`."""
    assert scene.world.broker
    command = [
        *(sys.executable, "-m", "host.cli", "send", scene.world.serial, *arguments, "--json"),
        *("--port", str(scene.world.broker.port), "--keys", str(scene.keys.directory)),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert done.returncode == code, f"{arguments}: {done.stdout}{done.stderr}"
    return {**json.loads(done.stdout), "stderr": done.stderr}


def test_limits_seals_and_suspensions(tmp_path):
    with scene_with(tmp_path) as scene:
        world = scene.world
        world.seal.interlock = False
        begin(scene)
        limit = send(scene, "limit", "--source", "grid", "--amps", "10", "--until", "+1h")
        scene.wait(lambda: scene.status.get("limit_by") == "grid", 10, "the limit")
        assert world.car.offered_a == pytest.approx(10, abs=0.1)
        send(scene, "limit-end", str(limit["lease"]))
        scene.wait(lambda: scene.status.get("limit_by") == "installation", 10, "its end")
        world.seal.open("lid")
        scene.wait(lambda: scene.status["seals"]["open"] == ["lid"], 10, "opened")
        refused = send(scene, "seal", "1001", code=1)
        assert refused["status"] == "Rejected" and "a loop is open" in refused["info"]
        world.seal.close("lid")
        scene.wait(lambda: scene.status["seals"]["open"] == [], 10, "closed")
        send(scene, "seal", "1001 1002")
        scene.wait(lambda: charging(scene), 30, "power again")
        send(scene, "suspend", "--reason", "payment")
        scene.wait(lambda: not charging(scene), 10, "no power")
        scene.wait(lambda: scene.status["lifecycle"] == "suspended", 20, "the final register")
        told = send(scene, "status")
        assert told["box_status"]["why"] == "Suspended"
        assert told["box_status"]["command"] == told["counter"]
        send(scene, "resume")
        scene.wait(lambda: charging(scene), 30, "power again")
        refused = send(scene, "reboot", code=1)
        assert refused["status"] == "Rejected" and "session" in refused["info"]
        assert send(scene, "reboot", "--force")["status"] == "Scheduled"
        scene.wait(lambda: scene.status.get("boot") == 2, 40, "the next boot")
        scene.wait(lambda: charging(scene), 40, "the session goes on")
        send(scene, "stop")
        scene.wait(lambda: not charging(scene), 20, "stopped")
        verbs = [fact["verb"] for fact in facts(scene, "COMMAND")]
        assert verbs[:4] == ["limit", "limit-end", "seal", "seal"]


def test_lists_of_tags_and_one_that_is_blocked(tmp_path):
    with scene_with(tmp_path, reader={"fitted": True, "mode": "required"}) as scene:
        world = scene.world
        world.mains.restore()
        plug(scene)
        scene.wait(lambda: scene.status.get("why") == "WaitingForTag", 30, "waits for a tag")
        full, changes, uid = (tmp_path / name for name in ("full.csv", "changes.csv", "uid.txt"))
        strangers = "".join(f"04{number:012x},16\n" for number in range(299))
        full.write_text(f"uid,limit_a\n{UID.hex()},10\n{strangers}")
        told = send(scene, "tags", str(full), "--version", "3")
        assert (told["verb"], told["tags"]) == ("tags-end", 300)
        scene.wait(lambda: scene.status["reader"]["list_version"] == 3, 10, "the list")
        world.tag.present(UID)
        scene.wait(lambda: charging(scene), 20, "charging by the tag")
        world.tag.remove()
        scene.wait(lambda: scene.status.get("limit_by") == "tag", 10, "the tag's limit")
        changes.write_text(f"uid,status,limit_a\n{UID.hex()},Accepted,8\n0400000000000a,Remove,\n")
        refused = send(scene, "tags", "--changes", str(changes), "--version", "3", code=1)
        assert refused["status"] == "VersionMismatch" and "in full" in refused["stderr"]
        send(scene, "tags", "--changes", str(changes), "--version", "4", "--base", "3")
        scene.wait(lambda: scene.status["limits_ma"].get("tag") == 8000, 10, "the change")
        uid.write_text(UID.hex())
        send(scene, "block-tag", "--uid-file", str(uid))
        scene.wait(lambda: not charging(scene), 10, "the blocked tag's session ends")
        scene.wait(lambda: facts(scene, "SESSION_END"), 20, "its end")
        assert facts(scene, "SESSION_END")[-1]["reason"] == "DeAuthorized"
        assert scene.status["reader"]["list_version"] == 4


def test_the_trace_comes_into_a_file(tmp_path):
    with scene_with(tmp_path) as scene:
        begin(scene)
        told = send(scene, "trace", "--count", "40", "-o", str(tmp_path / "trace.bin"))
        assert (told["bytes"], told["missing_sectors"]) == (40 * 4096, 0)
        assert (tmp_path / "trace.bin").read_bytes()[:4] == b"WBR1"
        assert charging(scene)


def test_a_wrong_key_and_a_recorded_message_order_nothing(tmp_path):
    with scene_with(tmp_path) as scene:
        begin(scene)
        assert scene.world.broker
        heard: list[bytes] = []
        eavesdropper = mqtt.Client(CallbackAPIVersion.VERSION2)
        eavesdropper.on_message = lambda _client, _data, message: heard.append(message.payload)
        eavesdropper.connect("127.0.0.1", scene.world.broker.port)
        eavesdropper.subscribe(f"wallbox/{scene.world.serial}/command", 1)
        eavesdropper.loop_start()
        send(scene, "absence", "--from", "+1d", "--until", "+2d")
        wait_until(lambda: heard)
        send(scene, "opt-out", "on")
        topic = f"wallbox/{scene.world.serial}/command"
        eavesdropper.publish(topic, heard[0], qos=1).wait_for_publish(10)
        path = scene.keys.path(scene.world.serial)
        right = path.read_text()
        path.write_text("ff" * 32)
        refused = send(scene, "stop", "--wait", "3", code=5)
        assert "is the key in the key store the box's?" in refused["stderr"]
        path.write_text(right)
        scene.wait(lambda: len(facts(scene, "SECURITY")) == 2, 10, "the facts")
        told = [(fact["event"], fact["detail"]) for fact in facts(scene, "SECURITY")]
        assert told == [
            ("AttemptedReplayAttacks", "none"),
            ("InvalidMessages", "not signed with this box's key"),
        ]
        assert len(facts(scene, "ANNOUNCED")) == 1 and charging(scene)
        assert [fact["verb"] for fact in facts(scene, "COMMAND")] == ["absence", "opt-out"]
        eavesdropper.disconnect()
        eavesdropper.loop_stop()
