"""`wallbox console` as its user types it, at a simulated box."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host import image
from host.cli import app
from hw.sim.world import LEDGER_KEY, SERIAL, World
from tests.flashed import facts_in, file_in, partition_of

READY = "console: ready"


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """A commissioned box, and a key store in `keys` beside it."""
    folder = tmp_path_factory.mktemp("console")
    (folder / "keys").mkdir(mode=0o700)
    file = folder / "keys" / f"{SERIAL}.key"
    file.write_text(LEDGER_KEY.hex() + "\n")
    file.chmod(0o600)
    config = {"lifecycle": "commissioned"}
    with World(folder / "world", broker=None, meter="sdm630", config=config) as running:
        running.box.wait_for(READY, 20)
        yield running
        assert running.box.failure is None and running.box.boots == 1


def console(world: World, *words: str, code: int = 0, typed: str = "") -> list[dict]:
    where = ["--port", world.box.usb, "--keys", str(world.directory.parent / "keys"), "--json"]
    result = CliRunner().invoke(app, ["console", *words, *where], input=typed)
    assert result.exit_code == code, result.output
    return [json.loads(line) for line in result.stdout.splitlines() if line.startswith("{")]


def asked(world: World, word: str) -> dict:
    words = ["console", word, "--port", world.box.usb, "--json"]
    return json.loads(CliRunner().invoke(app, words).stdout)


def flash(world: World) -> bytes:
    return world.box.flash_path.read_bytes()


def test_why_it_does_not_charge(world):
    told = {key: part[key] for part in console(world, "why") for key in part}
    assert "NotInService" in told["refusals"] and told["da"]


@pytest.mark.parametrize("ring", ["ledger", "trace"])
def test_a_ring_is_saved_as_it_lies_in_the_flash(world, tmp_path, ring):
    path = tmp_path / "saved.bin"
    (told,) = console(world, ring, "--save", str(path))
    saved = path.read_bytes()
    assert told["bytes"] == len(saved) == image.partitions()[ring].size
    written = saved[: saved.find(b"\xff" * 512)]
    assert len(written) > 64 and partition_of(flash(world), ring).startswith(written)
    console(world, ring, "--save", "/dev/null/file", code=4)


def test_new_seals_are_armed_while_the_loops_are_closed(world):
    world.seal.open("lid")
    world.box.wait_until(lambda: not _sealed(world), 10, "lid seen")
    told = console(world, "seal", "3001", code=5)
    assert told[-1]["code"] == 5 and "loop" in json.dumps(told)
    world.seal.close("lid")
    world.box.wait_until(lambda: _sealed(world), 10, "a loop counts as closed after a moment")
    assert b"3001 3002" in partition_of(flash(world), "ledger")


def _sealed(world: World) -> bool:
    where = ["--port", world.box.usb, "--keys", str(world.directory.parent / "keys")]
    return CliRunner().invoke(app, ["console", "seal", "3001", "3002", *where]).exit_code == 0


def config_of(world: World) -> dict:
    return json.loads(file_in(flash(world), "config.json"))


def test_the_network_is_changed_and_its_password_is_asked_for(world):
    console(world, "network", "wifi.ssid=moved", "wifi.password=", "broker.port=8883",
            typed="another horse\n")
    told = config_of(world)
    assert told["wifi"] == {"ssid": "moved", "password": "another horse"}
    assert told["broker"]["port"] == 8883 and told["meter"] == {"model": "sdm630"}


@pytest.mark.parametrize(
    "value", ['x\n"lifecycle": "factory"', "a\0b", "a\rb", "\x1b[2J", "x" * 33]
)
def test_what_would_be_more_than_a_value_changes_nothing(world, value):
    before = config_of(world)
    told = console(world, "network", f"wifi.ssid={value}", code=5)
    assert told[-1]["field"] == "wifi.ssid" and config_of(world) == before


@pytest.mark.parametrize("value", ['"},"reader":{"fitted":true}', "'; rm -rf", "\\u0022,}"])
def test_quotes_are_part_of_the_value(world, value):
    before = config_of(world)
    console(world, "network", f"wifi.ssid={value}")
    assert config_of(world) == before | {"wifi": before["wifi"] | {"ssid": value}}


def test_what_is_secret_or_no_setting_is_refused_before_the_box_is_asked(world):
    console(world, "network", "wifi.password=secret", code=2)
    console(world, "network", "wifi.ssid", code=2)


def test_out_of_service_by_the_console_alone(world):
    """The last one here; nothing is wiped by it."""
    before = config_of(world)
    console(world, "decommission", "--reason", "nonsense", code=5)
    console(world, "decommission", "--reason", "moved")
    world.box.wait_until(
        lambda: asked(world, "identity")["lifecycle"] == "decommissioned", 20, "out"
    )
    fact = facts_in(flash(world), LEDGER_KEY, "LIFECYCLE")[-1]
    assert (fact["after"], fact["by"]) == ("decommissioned", "partner")
    assert config_of(world) == before
