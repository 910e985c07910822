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


KNOWN = [b"the customer's", b"correct horse", b"broker.example", b"customer 4711"]


def decommissioned(world: World, line: ConsoleLine) -> list[bytes]:
    """Out of service; what of the customer lies in its flash, old passwords among it."""
    known = list(KNOWN)
    assert line.login()["status"] == "Accepted"
    for number in range(3):  # each leaves a file that was replaced
        password = f"password number {number}"
        line.done("network", values={"wifi.password": password})
        known.append(password.encode())
    for after in ("commissioned", "in service"):
        line.done("lifecycle", after=after)
    line.done("decommission", reason="dismounted")
    world.box.wait_until(
        lambda: line.ask("identity")["lifecycle"] == "decommissioned", 20, "decommissioned"
    )
    return known


def wipe(line: ConsoleLine, keys: bool) -> None:
    for _ in range(5):  # a record that came after the export is to be exported, too
        newest = exported(line)
        told = wiped(line, sequence=newest.sequence, mac=newest.mac.hex(), keys=keys)
        if told["status"] == "Accepted":
            return
    raise AssertionError(told)


def nothing_left(flash: bytes, known: list[bytes], seed: int) -> None:
    assert names_in(flash) == ["boot.py", "config.json", "main.py"]
    searched = known + [part for data in secrets_of(seed).values() for part in pieces(data)]
    found = [secret for secret in searched if secret in flash]
    assert not found, f"{len(found)}: {found[:3]}"


@pytest.mark.parametrize("keys", [True, False])
def test_neither_customer_nor_key_is_left_anywhere_in_the_flash(world, seed, keys):
    box = world.box
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        known = decommissioned(world, line)
        before = box.flash_path.read_bytes()
        for secret in (*known, LEDGER_KEY):
            assert secret in outside_the_rings(before), secret
        mark = box.log.position
        wipe(line, keys)
    box.wait_for(">>> |console: ready", 20, mark)
    after = box.flash_path.read_bytes()
    nothing_left(after, known, seed)
    assert (LEDGER_KEY in after) is not keys
    if keys:
        assert set(partition_of(after, "nvs")) == {0xFF}
    for ring in ("ledger", "trace"):
        old, new = partition_of(before, ring), partition_of(after, ring)
        assert all(b & a == b for a, b in zip(old, new, strict=True)), "only written on"


def test_a_wipe_that_was_cut_off_is_ordered_again(world, seed):
    box, mark = world.box, 0
    for cut_after in (1, 6, 60, 300):
        with ConsoleLine(box.usb, LEDGER_KEY) as line:
            if cut_after == 1:
                known = decommissioned(world, line)
            assert line.login()["status"] == "Accepted"
            newest = exported(line)
            box.cut_at_flash_operation(cut_after)
            line.type(b"\n>" + line.sign("wipe", sequence=newest.sequence, mac=newest.mac.hex())
                      + b"\n")
            box.wait_until(lambda: not box.running, 20, "cut")
        mark = box.log.position
        world.mains.restore()
        box.wait_for(READY, 20, since=mark)
    with ConsoleLine(box.usb, LEDGER_KEY) as line:
        assert line.login()["status"] == "Accepted"
        mark = box.log.position
        wipe(line, True)
    box.wait_for(">>> ", 20, mark)
    nothing_left(box.flash_path.read_bytes(), [*known, LEDGER_KEY], seed)
