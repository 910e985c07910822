"""Every way back of docs/recovery.md keeps the ledger's bytes."""

from __future__ import annotations

import pytest

from host import image
from host.provisioning import repl
from host.provisioning.outcome import Stopped
from host.provisioning.rescue import rescue
from host.provisioning.run import provision
from tests.depots import depot, forget_laptop, ledger_of, same_evidence


@pytest.fixture
def half(tmp_path):
    """A box that was configured and is not in service yet, with a ledger."""
    with depot(tmp_path, tls=False) as place:
        provision(place.job(), "configure")
        place.worlds[0].box.power_cut()
        yield place


@pytest.fixture
def certified(tmp_path):
    with depot(tmp_path, tls=False) as place:
        provision(place.job())
        place.worlds[0].box.power_cut()
        yield place


def spoil(place, name, data=None):
    """Other bytes in a partition, without power; the ledger as it is then."""
    part = image.partitions()[name]
    path = place.worlds[0].box.flash_path
    flash = bytearray(path.read_bytes())
    noise = bytes((7 * at) & 0xFF for at in range(part.size)) if data is None else data
    flash[part.offset : part.offset + part.size] = noise
    path.write_bytes(bytes(flash))
    before = ledger_of(place)
    place.worlds[0].box.power_on()
    return before


@pytest.mark.parametrize("name", ["romfs", "vfs"])
def test_a_spoilt_program_or_file_system_before_service(half, name):
    before = spoil(half, name)
    rescue(half.job())
    same_evidence(half, before)
    provision(half.job())
    same_evidence(half, before)


def test_a_spoilt_file_system_of_a_box_in_service(certified):
    """The program is written again; configuration comes from the order; the key is still there."""
    before = spoil(certified, "vfs")
    job = certified.job()
    rescue(job)
    same_evidence(certified, before)
    assert job.identity["locked"]


def test_a_wrong_firmware_on_a_box_in_service(certified):
    before = spoil(certified, "romfs")
    job = certified.job()
    rescue(job)
    same_evidence(certified, before)
    assert job.identity["lifecycle"] == "in service" and job.identity["locked"]


def test_a_lost_sealed_key_is_sealed_again_while_the_box_is_not_locked(tmp_path):
    with depot(tmp_path, tls=False, keys_at_hand=False) as place:
        provision(place.job(), "configure")
        before = ledger_of(place)
        place.job().file(".sealed").unlink()
        place.take_keys()
        assert place.keys.serials() == []
        provision(place.job(), "configure")
        place.take_keys()
        survey = repl.look(place.worlds[0].box.usb)
        assert place.keys.load("WB-000001") == survey.key
        repl.reset(place.worlds[0].box.usb)
        same_evidence(place, before)


def test_without_key_and_sealed_file_a_box_in_service_says_what_to_do(certified):
    certified.worlds[0].box.power_on()
    forget_laptop(certified)
    with pytest.raises(Stopped) as stopped:
        provision(certified.job())
    assert "decommission" in stopped.value.action
