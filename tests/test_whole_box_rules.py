"""Seals, tags and place on the whole box: the real firmware, the simulated board, no back door."""

from __future__ import annotations

import time

import pytest
from wallbox.store.taglist import TagList

from host import image
from host.demo.scene import Scene
from hw.sim.outside import Output
from hw.sim.world import World
from tests.actions import charging, plug
from tests.conftest import NO_MOSQUITTO
from tests.mosquitto import mosquitto_path
from tests.taglists import Entry, send

UID = b"\x04abcdef"


def coil(world: World) -> int:
    """The box's own command, whatever else lets the contactor close."""
    return world.box.outputs[world.box.pins["CONTACTOR"]].level


def colour(world: World) -> tuple[int, ...]:
    pins = [world.box.pins[f"LAMP_{part}"] for part in ("RED", "GREEN", "BLUE")]
    return tuple(world.box.outputs.get(pin, Output()).level for pin in pins)


def scene_with(tmp_path, **config: object) -> Scene:
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    return Scene(tmp_path, "mosquitto", interval_s=2, meter="sdm630", config=config)


def facts(scene: Scene, kind: str) -> list[dict]:
    return [entry.fields for entry in scene.entries() if entry.kind == kind]


def begin(scene: Scene) -> None:
    scene.world.mains.restore()
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")
    scene.wait(lambda: scene.status.get("session"), 10, "session told")


def test_an_opened_seal_ends_the_charge_at_once_and_stays_broken_over_power_cuts(tmp_path):
    with scene_with(tmp_path) as scene:
        world = scene.world
        world.seal.interlock = False  # the firmware alone
        begin(scene)
        began = time.monotonic()
        world.seal.open("lid")
        world.box.wait_until(lambda: coil(world) == 0, 5, "coil off")
        print(f"{1000 * (time.monotonic() - began):.1f} ms to the coil")
        scene.wait(lambda: scene.status.get("why") == "TamperDetectionActivated", 10, "refusal")
        scene.wait(lambda: colour(world) == (1, 0, 0), 5, "red lamp")
        usb = "why: Faulted, TamperDetectionActivated. A seal was opened; call the operator. "
        scene.wait(lambda: usb + "En plombe er" in world.box.tail(4000), 5, "the line on USB")
        assert scene.status["seals"] == {"open": ["lid"], "broken": ["lid"]}
        assert "seal" in scene.status["en"] and "plombe" in scene.status["da"]
        world.seal.close("lid")
        scene.wait(lambda: scene.status["seals"]["open"] == [], 10, "closed")
        world.mains.cut()
        world.mains.restore()
        scene.wait(lambda: scene.status.get("boot") == 2, 30, "second boot")
        assert scene.status["seals"]["broken"] == ["lid"]
        seal = "TamperDetectionActivated"
        scene.wait(lambda: scene.status["refusals"] == [seal], 20, "nothing but the seal")
        assert scene.status["why"] == seal and coil(world) == 0
        told = [(fact["change"], fact["loops"]) for fact in facts(scene, "SEAL")]
        assert told == [("opened", ["lid"]), ("closed", ["lid"])], "nothing twice"


def test_a_seal_that_is_opened_without_power_is_found_at_the_next_boot(tmp_path):
    with scene_with(tmp_path) as scene:
        world = scene.world
        begin(scene)
        world.mains.cut()
        world.seal.open("terminal_cover")
        world.seal.close("terminal_cover")
        assert world.seal.latched == {"terminal_cover"}
        world.mains.restore()
        scene.wait(lambda: scene.status.get("boot") == 2, 30, "second boot")
        assert scene.status["seals"] == {"open": [], "broken": ["terminal cover"]}
        scene.wait(lambda: facts(scene, "SEAL"), 10, "the fact")
        (fact,) = facts(scene, "SEAL")
        assert (fact["change"], fact["loops"]) == ("opened without power", ["terminal cover"])
        assert not charging(scene)


def test_the_loops_in_the_contactors_path_need_no_firmware():
    with World(broker=None, config={"seals": {"policy": "report"}}) as world:
        world.car.plug()
        world.car.request_power()
        world.box.wait_until(lambda: world.car.power_w > 0, 20, "charging")
        world.seal.open()
        world.box.wait_until(lambda: not world.contactor.closed, 5, "contactor open")


def test_with_another_policy_and_its_jumper_the_session_is_finished(tmp_path):
    with scene_with(tmp_path, seals={"policy": "pause"}) as scene:
        world = scene.world
        world.seal.interlock = False
        begin(scene)
        world.seal.open("lid")
        scene.wait(lambda: facts(scene, "SEAL"), 10, "the fact")
        assert charging(scene)
        world.car.unplug()
        scene.wait(lambda: scene.status.get("why") == "TamperDetectionActivated", 20, "refusal")
        plug(scene)
        scene.wait(lambda: scene.status.get("state") == "Faulted", 10, "no new session")
        assert not charging(scene)


def tag_hash(key: bytes, uid: bytes) -> bytes:
    return TagList("", key).hash(uid, len(uid))


def listed(folder, key: bytes, uid: bytes, **entry: int) -> bytes:
    """The file of a list with this tag."""
    path = folder / "tags.bin"
    path.unlink(missing_ok=True)
    tags = TagList(str(path), key)
    tags.mount()
    send(tags, [Entry(tags.hash(uid, len(uid)), **entry)], version=1)
    return path.read_bytes()


READER = {"fitted": True, "mode": "required"}


def list_of(scene: Scene, tmp_path, uid: bytes, **entry: int) -> bytes:
    """The box's file system with this tag on its list."""
    world = scene.world
    key = scene.keys.load(world.serial)
    config = world.default_config("sdm630") | {"interval_s": 2, "reader": READER}
    files = {"tags.bin": listed(tmp_path, key, uid, **entry)}
    return image.build_vfs(config, files=files, rom=True)


def install(scene: Scene, file_system: bytes) -> None:
    """As if the list had changed in the last moment before the power went."""
    flash = bytearray(scene.world.box.flash_path.read_bytes())
    vfs = image.partitions()["vfs"]
    flash[vfs.offset : vfs.offset + vfs.size] = file_system
    scene.world.box.flash(bytes(flash))


def test_a_tag_starts_and_stops_and_an_unknown_one_does_neither(tmp_path):
    with scene_with(tmp_path, reader=READER) as scene:
        world = scene.world
        install(scene, list_of(scene, tmp_path, UID, limit_ma=10_000))
        world.mains.restore()
        plug(scene)
        scene.wait(lambda: scene.status.get("why") == "WaitingForTag", 30, "waits for a tag")
        assert not charging(scene) and scene.status["reader"]["works"]
        world.tag.present(b"\x01\x02\x03\x04")
        scene.wait(lambda: colour(world) == (1, 0, 0), 5, "red flash")
        world.tag.remove()
        scene.wait(lambda: facts(scene, "TAG"), 10, "the unknown tag told")
        time.sleep(1)
        world.tag.present(UID)
        scene.wait(lambda: charging(scene), 20, "charging by the tag")
        world.tag.remove()
        scene.wait(lambda: scene.status.get("limit_by") == "tag", 10, "the tag's limit")
        assert world.car.offered_a == pytest.approx(10, abs=0.1)
        time.sleep(3.2)  # the core's dead time
        world.tag.present(UID)
        scene.wait(lambda: not charging(scene), 20, "stopped by the tag")
        scene.wait(lambda: scene.sums().sessions[-1].reason == "Local", 20, "session ended")
        verdicts = [(fact["verdict"], fact["action"]) for fact in facts(scene, "TAG")]
        assert verdicts == [("Invalid", "none"), ("Accepted", "start"), ("Accepted", "stop")]
        assert all(UID.hex() not in str(fact) for fact in facts(scene, "TAG"))


def charging_by_tag(scene: Scene, tmp_path) -> None:
    install(scene, list_of(scene, tmp_path, UID, limit_ma=10_000))
    scene.world.mains.restore()
    plug(scene)
    scene.wait(lambda: scene.status.get("why") == "WaitingForTag", 30, "waits for a tag")
    scene.world.tag.present(UID)
    scene.wait(lambda: charging(scene), 20, "charging by the tag")
    scene.world.tag.remove()
    scene.wait(lambda: facts(scene, "SESSION_BEGIN"), 10, "the session told")


def back_with(scene: Scene, tmp_path, uid: bytes = UID, **entry: int) -> None:
    scene.world.mains.cut()
    install(scene, list_of(scene, tmp_path, uid, **entry))
    scene.world.mains.restore()
    scene.wait(lambda: scene.status.get("boot") == 2, 30, "second boot")


def test_a_session_goes_on_after_a_power_cut_with_the_limit_of_the_present_list(tmp_path):
    with scene_with(tmp_path, reader=READER) as scene:
        charging_by_tag(scene, tmp_path)
        back_with(scene, tmp_path, limit_ma=8000)
        scene.wait(lambda: charging(scene), 30, "charging again")
        scene.wait(lambda: scene.status.get("limits_ma", {}).get("tag") == 8000, 10, "the limit")
        assert scene.world.car.offered_a == pytest.approx(8, abs=0.1)
        assert len(facts(scene, "SESSION_BEGIN")) == 1


@pytest.mark.parametrize(
    "entry", [{"status": 1}, {"uid": b"\x01\x02\x03\x04"}, {"expires_utc_s": 1_760_000_000}]
)
def test_a_tag_that_lost_its_right_just_before_a_power_cut_does_not_go_on(tmp_path, entry):
    """Blocked, not on the list any more, or expired, which shows once the clock is right."""
    with scene_with(tmp_path, reader=READER) as scene:
        charging_by_tag(scene, tmp_path)
        back_with(scene, tmp_path, **entry)
        scene.wait(lambda: scene.sums().sessions[-1].reason == "DeAuthorized", 30, "ended")
        scene.wait(lambda: scene.status.get("why") == "Stopped", 20, "stopped")
        assert not charging(scene)


def test_a_box_that_was_carried_away_is_refused(tmp_path):
    config = {"place": {"relocate_after_h": 1}}
    with World(broker=None, speed=400, config=config) as world:
        world.net.networks("cafe", "neighbour")
        world.box.set_radio(False)
        world.mains.cut()
        world.mains.restore()
        world.box.wait_until(lambda: colour(world) == (1, 1, 0), 60, "steady yellow: refused")
