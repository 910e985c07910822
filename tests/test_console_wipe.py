"""What a wiped box still holds: the raw flash is searched, not its files."""

from __future__ import annotations

import random

import pytest

from host import image
from hw.sim.world import LEDGER_KEY, World
from tests.consoleline import ConsoleLine
from tests.flashed import names_in, partition_of
from tests.test_console_partner import exported, wiped

READY = "console: ready"
SERIAL = "WB-000001"
CONFIG = {
    "serial": SERIAL,
    "type": "WB-11-3",
    "chip": "240ac4000001",
    "lifecycle": "factory",
    "installation_limit_a": 16,
    "meter": {"model": "sdm630"},
    "wifi": {"ssid": "the customer's", "password": "correct horse"},
    "broker": {
        "host": "broker.example", "tls": "certificate", "user": "customer 4711",
        "ca": "ca.der", "certificate": "box.der", "key": "box.key.der",
    },
    "clock": {"host": "time.example"},
}


def secrets_of(seed: int) -> dict[str, bytes]:
    """Files as TLS has them; a key of 121 bytes lies within the folder's own blocks."""
    chance = random.Random(seed)
    sizes = {"ca.der": 600, "box.der": 520, "box.key.der": 121, "tags.bin": 9000}
    return {name: chance.randbytes(size) for name, size in sizes.items()}


def pieces(data: bytes) -> list[bytes]:
    """Stretches that nothing else holds by chance."""
    return [data[at : at + 16] for at in range(0, len(data) - 15, 16)]


def outside_the_rings(flash: bytes) -> bytes:
    return flash[: image.partitions()["ledger"].offset]


@pytest.fixture
def world(seed):
    flash = image.build_flash(
        CONFIG, serial=SERIAL, ledger_key=LEDGER_KEY, files=secrets_of(seed)
    )
    with World(broker=None, meter="sdm630", flash=flash) as running:
        running.box.wait_for(READY, 20)
        yield running


@pytest.mark.parametrize("keys", [True, False])
def test_neither_customer_nor_key_is_left_anywhere_in_the_flash(world, seed, keys):
    box = world.box
    known = [b"the customer's", b"correct horse", b"broker.example", b"customer 4711"]
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        assert line.login()["status"] == "Accepted"
        for number in range(3):  # each leaves a file that was replaced
            password = f"password number {number}"
            line.done("network", values={"wifi.password": password})
            known.append(password.encode())
        for after in ("commissioned", "in service"):
            line.done("lifecycle", after=after)
        line.done("decommission", reason="dismounted")
        box.wait_until(
            lambda: line.ask("identity")["lifecycle"] == "decommissioned", 20, "decommissioned"
        )
        before = box.flash_path.read_bytes()
        for secret in (*known, LEDGER_KEY):
            assert secret in outside_the_rings(before), secret
        for _ in range(5):  # a record that came after the export is to be exported, too
            newest = exported(line)
            mark = box.log.position
            told = wiped(line, sequence=newest.sequence, mac=newest.mac.hex(), keys=keys)
            if told["status"] == "Accepted":
                break
        assert told["status"] == "Accepted", told
    box.wait_for(">>> |console: ready", 20, mark)
    after = box.flash_path.read_bytes()
    assert names_in(after) == ["boot.py", "config.json", "main.py"]
    for data in secrets_of(seed).values():
        known += pieces(data)
    found = [secret for secret in known if secret in after]
    assert not found, f"{len(found)}: {found[:3]}"
    assert (LEDGER_KEY in after) is not keys
    if keys:
        assert set(partition_of(after, "nvs")) == {0xFF}
    for ring in ("ledger", "trace"):
        old, new = partition_of(before, ring), partition_of(after, ring)
        assert all(b & a == b for a, b in zip(old, new, strict=True)), "only written on"
