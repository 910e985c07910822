"""Every way back of docs/recovery.md keeps the ledger's bytes."""

from __future__ import annotations

import dataclasses

import pytest

from host import image
from host.provisioning import repl, sealing
from host.provisioning.flash_image import BOOT_LOADER_AT
from host.provisioning.outcome import Stopped
from host.provisioning.rescue import rescue
from host.provisioning.run import provision
from tests.depots import depot, forget_laptop, ledger_of, same_evidence

# boot loader and partition table
LOADER = image.Partition("loader", 0, 0, BOOT_LOADER_AT, 0x9000 - BOOT_LOADER_AT)


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
    part = LOADER if name == "loader" else image.partitions()[name]
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


@pytest.mark.parametrize("name", ["vfs", "romfs", "loader"])
def test_a_broken_box_in_service(certified, name):
    """The program is written again; configuration comes from the order; the key is still there."""
    before = spoil(certified, name)
    with pytest.raises(Stopped) as stopped:
        provision(certified.job())
    assert "in service" in stopped.value.what and "--rescue" in stopped.value.action
    same_evidence(certified, before)
    job = certified.job()
    rescue(job)
    same_evidence(certified, before)
    assert job.identity["lifecycle"] == "in service" and job.identity["locked"]
    key = certified.keys.load("WB-000001")
    assert certified.worlds[0].box.flash_path.read_bytes().count(key) >= 1


def test_a_partition_table_that_was_half_written_costs_no_ledger(half):
    """As when a flash is torn: the table is gone, and the command is repeated."""
    before = spoil(half, "loader", b"\xff" * LOADER.size)
    provision(half.job())
    same_evidence(half, before)


def test_an_image_that_is_older_than_what_ran_last(certified):
    before = spoil(certified, "romfs")
    job = certified.job()
    about = dataclasses.replace(job.image.about, firmware="0.0.9")
    job.image = dataclasses.replace(job.image, about=about)
    writes = certified.programmers[0].writes
    with pytest.raises(Stopped) as stopped:
        rescue(job)
    assert "older" in stopped.value.what and certified.programmers[0].writes == writes
    assert ledger_of(certified) == before


def test_a_newer_image_leaves_a_box_in_service_its_files(certified):
    certified.worlds[0].box.power_on()
    job = certified.job()
    about = dataclasses.replace(job.image.about, firmware="0.9.0")
    job.image = dataclasses.replace(job.image, about=about)
    writes = certified.programmers[0].writes
    provision(job)
    assert certified.programmers[0].writes == writes


def test_a_key_that_the_laptop_lost_is_read_from_the_box_in_service(certified):
    """Neither sealed file nor key store: NVS of the chip has the only copy."""
    key = certified.keys.load("WB-000001")
    before = ledger_of(certified)
    forget_laptop(certified)
    (certified.folder / "keys" / "WB-000001.key").unlink()
    certified.worlds[0].box.power_on()
    rescue(certified.job())
    same_evidence(certified, before)
    assert certified.keys.load("WB-000001") == key
    envelope = sealing.read_envelope(certified.job().file(".sealed"))
    assert sealing.unseal(envelope, certified.operator_private) == key


def test_a_key_that_the_box_lost_comes_from_the_key_store(certified):
    before = spoil(certified, "nvs", b"\xff" * image.partitions()["nvs"].size)
    job = certified.job()
    rescue(job)
    same_evidence(certified, before)
    assert job.wait(lambda told: told.get("locked") is True, "identity")["locked"]
    assert job.identity["lifecycle"] == "in service"
    job.key = certified.keys.load("WB-000001")
    job.login().close()


def test_a_key_that_nobody_has_is_said_and_costs_no_evidence(certified):
    (certified.folder / "keys" / "WB-000001.key").unlink()
    before = spoil(certified, "nvs", b"\xff" * image.partitions()["nvs"].size)
    with pytest.raises(Stopped) as stopped:
        rescue(certified.job())
    assert "key store" in stopped.value.why
    same_evidence(certified, before)


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
