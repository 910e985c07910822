"""A box leaves a customer and comes to the next one; its ledger goes with it, untouched."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host import image
from host.cli import app
from host.provisioning import repl, returning
from host.provisioning.run import provision
from tests.depots import depot, ledger_of, same_evidence
from tests.flashed import facts_in, partition_of
from tests.mosquitto import wait_until


@pytest.fixture
def certified(tmp_path):
    with depot(tmp_path, tls=False) as place:
        provision(place.job())
        yield place


def wallbox(place, *words, code=0):
    common = ["--port", place.worlds[0].box.usb, "--keys", str(place.folder / "keys"), "--json"]
    result = CliRunner().invoke(app, [*words, *common])
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines()]


def test_out_and_in_again_to_a_car_that_charges(certified):
    folder = ["--journal", str(certified.journal_folder)]
    before = ledger_of(certified)
    (told,) = wallbox(certified, "decommission", "--yes", *folder)
    assert told["delivered"] and told["keys_wiped"]
    same_evidence(certified, before)
    box = certified.worlds[0].box
    job = certified.job()
    assert job.find(30)
    survey = repl.look(box.usb)
    assert survey.key == b"" and b"correct horse" not in survey.files[repl.CONFIG]
    repl.reset(box.usb)
    wiped = ledger_of(certified)
    box.power_cut()  # as if it had gone while the box erased NVS
    flash, key = bytearray(box.flash_path.read_bytes()), certified.keys.load("WB-000001")
    at = image.partitions()["nvs"].offset + 5 * 4096
    flash[at : at + 32] = key
    box.flash(bytes(flash))
    box.power_on()
    (again,) = wallbox(certified, "decommission", "--yes", *folder)
    assert again["serial"] == "WB-000001" and "before" in again["ledger"]
    assert set(partition_of(box.flash_path.read_bytes(), "nvs")) == {0xFF}
    (told,) = wallbox(certified, "reuse", *folder)
    assert told["serial"] == "WB-000001"
    same_evidence(certified, wiped)
    job = certified.job(order="2027-0001")
    provision(job)
    told = json.loads(job.file(".certificate.json").read_text())["certificate"]
    assert told["order"] == "2027-0001"
    same_evidence(certified, wiped)
    world = certified.worlds[0]
    world.car.plug()
    world.car.request_power()
    box.wait_until(lambda: world.car.power_w > 0, 30, "charging")
    lives = [fact["after"] for fact in facts_in(box.flash_path.read_bytes(), key, "LIFECYCLE")]
    once = ["commissioned", "in service"]
    assert lives[-6:] == [*once, "decommissioned", "factory", *once], "one chain, both customers"


def test_a_wiped_flash_on_another_chip_gets_no_key(tmp_path):
    with depot(tmp_path, boxes=2, tls=False) as place:
        provision(place.job())
        wallbox(place, "decommission", "--yes", "--journal", str(place.journal_folder))
        copy, other = (world.box for world in place.worlds)
        other.power_cut()
        other.flash(copy.flash_path.read_bytes())
        other.power_on()
        words = ["reuse", "--port", other.usb, "--keys", str(place.folder / "keys")]
        result = CliRunner().invoke(app, words)
        assert result.exit_code == 5 and "another chip" in result.output
        key = place.keys.load("WB-000001")
        assert key not in other.flash_path.read_bytes()


def test_without_the_operator_the_ledger_is_saved_and_proved_before_anything_is_wiped(certified):
    assert certified.collector is not None
    certified.collector.stop()
    certified.worlds[0].net.drop()
    (told,) = wallbox(
        certified, "decommission", "--yes", "--journal", str(certified.journal_folder)
    )
    assert not told["delivered"]
    path = certified.journal_folder / "WB-000001-ledger.bin"
    words = ["ledger", "verify", str(path), "--keys", str(certified.folder / "keys"), "--json"]
    proved = CliRunner().invoke(app, words)
    assert proved.exit_code == 0 and json.loads(proved.stdout)["chain"] == "proved"
    certified.collector = None


def test_the_console_tells_and_saves(certified):
    (identity,) = [
        json.loads(line)
        for line in CliRunner()
        .invoke(app, ["console", "identity", "--port", certified.worlds[0].box.usb, "--json"])
        .stdout.splitlines()
    ]
    assert identity["serial"] == "WB-000001" and identity["locked"]
    told = {}
    for part in wallbox(certified, "console", "status"):
        told.update(part)
    assert told["lifecycle"] == "in service"
    lines = wallbox(certified, "console", "self-test", "--only", "meter phases")
    assert [one["result"] for one in lines if "result" in one] == ["pass", "pass"]
    path = certified.folder / "ledger.bin"
    (saved,) = wallbox(certified, "console", "ledger", "--save", str(path))
    assert saved["bytes"] == path.stat().st_size == 512 * 1024
    wallbox(certified, "console", "network", "clock.port=99999", code=5)
    other = CliRunner().invoke(
        app, ["console", "network", "wifi.password=secret", "--port", "x"]
    )
    assert other.exit_code == 2  # never on the command line


def test_another_key_opens_nothing(certified, tmp_path):
    keys = tmp_path / "other"
    keys.mkdir(mode=0o700)
    (keys / "WB-000001.key").write_text("11" * 32 + "\n")
    (keys / "WB-000001.key").chmod(0o600)
    words = ["console", "status", "--port", certified.worlds[0].box.usb, "--keys", str(keys)]
    result = CliRunner().invoke(app, words)
    assert result.exit_code == 5 and "key" in result.output


def test_a_record_that_came_after_the_export_is_exported_too(certified, monkeypatch):
    certified.collector.stop()
    world = certified.worlds[0]
    world.net.drop()
    exports = []

    def export(line, *others):
        exports.append(head := real(line, *others))
        if len(exports) == 1:
            before = line.ask("health")["ledger"]["sequence"]
            world.seal.open("lid")
            wait_until(lambda: line.ask("health")["ledger"]["sequence"] > before, 20, "record")
        return head

    real = returning._export
    monkeypatch.setattr(returning, "_export", export)
    (told,) = wallbox(
        certified, "decommission", "--yes", "--journal", str(certified.journal_folder)
    )
    assert len(exports) == 2 and exports[0]["sequence"] < exports[1]["sequence"], told
