"""What can be wrong around a box: each is said in one line, charges nobody, and loses nothing."""

import fcntl
import json
import random
import subprocess
import sys
from pathlib import Path

from host import image
from host.demo.balance import draw_up
from host.demo.scene import Scene
from host.demo.story import settled
from hw.sim.broker import Mosquitto, mosquitto_path
from hw.sim.world import World
from tests.actions import charging, plug
from tests.consoleline import ConsoleLine


def refusals(scene: Scene) -> object:
    return scene.status.get("refusals")


def mpremote(scene: Scene, *words: str) -> str:
    """What mpremote says, errors included."""
    command = [sys.executable, "-m", "mpremote", "connect", scene.world.box.usb, *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    return done.stdout + done.stderr


def assert_books_balance(scene: Scene) -> None:
    scene.wait(lambda: charging(scene), 60, "charging")
    scene.wait(lambda: sum(total.interval_wh for total in scene.sums().totals) > 5, 60, "energy")
    scene.world.car.unplug()
    scene.wait(lambda: settled(scene), 60, "all stored and acknowledged")
    balance = draw_up(scene)
    assert balance.balanced, (balance, list(scene.log))


def test_without_a_meter_nothing_flows_and_when_it_answers_everything_does(scene):
    scene.world.mains.restore()
    scene.world.meter.faults.silent = True
    plug(scene)
    scene.world.box.wait_for(
        r"meter SDM630, address 1, 9600 baud 8N1: Silent: no answer: check address, baud rate"
    )
    scene.wait(lambda: refusals(scene) == ["PowerMeterSilent"], 20, "the refusal")
    assert not charging(scene)
    scene.world.meter.faults.silent = False
    assert_books_balance(scene)


def test_another_meter_than_the_configured_one_is_named_and_repaired_over_usb(scene):
    change_config(scene, meter={"model": "em340"})
    scene.world.mains.restore()
    plug(scene)
    scene.world.box.wait_for(r"meter EM340, address 1, 9600 baud 8N1: \w+: .*check", 20)
    named = {"PowerMeterFailure", "PowerMeterSilent"}
    scene.wait(lambda: named & set(refusals(scene) or ()), 20, "a refusal")
    assert not charging(scene)
    with ConsoleLine(scene.world.box.usb, scene.keys.load(scene.world.serial)) as line:
        line.login()
        line.done("configure", values={"meter.model": "sdm630"})
        line.done("restart", force=True)
    assert_books_balance(scene)


def repair_config(scene: Scene, config: dict, file: Path) -> None:
    """As a person with a laptop does it on a box that was never in service."""
    file.write_text(json.dumps(config))
    told = mpremote(scene, "fs", "cp", str(file), ":config.json")
    assert "Error" not in told and "failed" not in told, told
    told = mpremote(scene, "reset")
    assert "Error" not in told and "failed" not in told, told


def test_noise_on_the_bus_costs_nothing(scene):
    scene.world.mains.restore()
    faults = scene.world.meter.faults
    faults.noise_before = b"\x00\xff\x13"
    faults.noise_after = b"\x55\xaa"
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")
    faults.wrong_crc, faults.answers = True, 2
    assert_books_balance(scene)


def test_a_broker_that_refuses_connections_is_named_and_charging_goes_on(scene):
    scene.world.broker.stop()
    scene.world.mains.restore()
    scene.world.box.wait_for(r"link to broker\.example:1883: .*check", 20)
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")
    scene.world.broker.start()
    assert_books_balance(scene)


def test_a_wrong_password_is_named_and_a_right_one_delivers_all(scene, tmp_path):
    login = {"user": "box", "password": "not-the-right-one"}
    change_config(scene, broker=scene.world.default_config("sdm630")["broker"] | login)
    require_login(scene.world.broker, tmp_path / "passwords", "box", "the-right-one")
    scene.world.mains.restore()
    scene.world.box.wait_for(r"link to .*: refused: .*broker\.user.*broker\.password", 20)
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")
    assert login["password"] not in scene.world.box.log.text()
    allow_all(scene.world.broker)
    assert_books_balance(scene)


def require_login(broker: Mosquitto, file: Path, user: str, password: str) -> None:
    program = Path(mosquitto_path()).parent.parent / "bin" / "mosquitto_passwd"
    subprocess.run([program, "-b", "-c", file, user, password], check=True)
    file.chmod(0o644)
    broker.stop()
    broker.lines = ("allow_anonymous false", f"password_file {file}")
    broker.start()


def allow_all(broker: Mosquitto) -> None:
    broker.stop()
    broker.lines = ()
    broker.start()


def change_config(scene: Scene, **changes: object) -> dict:
    """Another config.json in the box's flash, as if it had been delivered with it."""
    config = scene.world.default_config("sdm630") | {"interval_s": 2} | changes
    key = scene.keys.load(scene.world.serial)
    flash = image.build_flash(config, serial=scene.world.serial, ledger_key=key)
    scene.world.box.flash(flash)
    return config


def test_a_wrong_key_in_the_configuration_is_named_and_repaired_over_usb(scene, tmp_path):
    broken = scene.world.default_config("sdm630")["broker"] | {"hots": "elsewhere"}
    config = change_config(scene, broker=broken)
    scene.world.mains.restore()
    scene.world.box.wait_for(
        r"configuration: config\.json: broker\.hots: unknown key; remove it or look at its spelling"
    )
    plug(scene)
    box = scene.world.box
    box.wait_until(lambda: box.running and scene.world.car.letter == "B", 10, "plugged in")
    assert scene.world.car.offered_a == 0 and not charging(scene)
    del config["broker"]["hots"]
    repair_config(scene, config, tmp_path / "config.json")
    assert_books_balance(scene)


def test_a_file_that_is_no_configuration_ends_no_box(scene, tmp_path):
    change_config(scene, lifecycle="commissioned")
    scene.world.mains.restore()
    scene.world.box.wait_for(r"link to .*: connected", 20)
    for contents, words in ((b"[" * 4000, "nested too deeply"), (b"{\xff}", "not UTF-8 text")):
        path = tmp_path / "config.json"
        path.write_bytes(contents)
        mpremote(scene, "fs", "cp", str(path), ":config.json")
        mpremote(scene, "reset")
        scene.world.box.wait_for(rf"configuration: config\.json: {words}", 20)
    assert "fault:" not in scene.world.box.log.text()


def test_a_flash_full_of_foreign_bytes_is_passed_over_and_used(scene, seed):
    flash = bytearray(scene.world.box.flash_path.read_bytes())
    foreign = random.Random(seed)
    for name in ("ledger", "trace"):
        part = image.partitions()[name]
        flash[part.offset : part.offset + part.size] = foreign.randbytes(part.size)
    scene.world.box.flash(bytes(flash))
    scene.world.mains.restore()
    scene.world.box.wait_for(r"ledger: \d+ damaged places were passed over, the first at \d+", 20)
    plug(scene)
    assert_books_balance(scene)


def test_a_busy_usb_port_is_named(scene):
    scene.world.mains.restore()
    with open(scene.world.box.usb, "rb", buffering=0) as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        told = mpremote(scene, "exec", "print(1)")
    assert "it may be in use by another program" in told


def test_a_box_without_its_key_writes_nothing_and_can_be_provisioned(scene):
    config = scene.world.default_config("sdm630")
    scene.world.box.flash(image.build_flash(config, serial=scene.world.serial))
    scene.world.mains.restore()
    scene.world.box.wait_for(r"identity: NVS wallbox/ledger_key is missing; provision the box")
    scene.world.box.wait_for(r"^>>> ")
    part = image.partitions()["ledger"]
    ledger = scene.world.box.flash_path.read_bytes()[part.offset : part.offset + part.size]
    assert set(ledger) == {0xFF}
    assert "42" in mpremote(scene, "exec", "print(6 * 7)")


def test_a_lack_of_memory_is_counted_and_latched_and_never_a_loop():
    with World(broker=None, heap="56wK") as world:
        world.box.wait_for("fault: the agent failed 3 times in a row", 20)
        assert world.box.boots == 4
        world.box.wait_for("MemoryError")


def test_a_keyboard_stops_no_box_in_service(scene):
    scene.world.mains.restore()
    plug(scene)
    scene.wait(lambda: charging(scene), 30, "charging")
    scene.world.box.type("\x03")
    with ConsoleLine(scene.world.box.usb) as line:
        assert line.ask("health")["state"] == "Charging"
    assert "stopped from the keyboard" not in scene.world.box.log.text()


def test_a_keyboard_that_stops_a_commissioned_box_leaves_it_safe(scene):
    change_config(scene, lifecycle="commissioned")
    scene.world.mains.restore()
    scene.world.box.wait_for("why: Unavailable, NotInService", 20)
    scene.world.box.type("\x03")
    scene.world.box.wait_for("stopped from the keyboard: contactor open")
    assert scene.world.car.offered_a == 0
