"""The simulated NOR flash: its rules, its counters, and its faults."""

import pytest

from host import image
from hw.sim import flash_faults
from hw.sim.flash import ERASE_US, PROGRAM_US, IllegalProgram, NorFlash, Partition
from hw.sim.flash_faults import FaultyFlash, PowerCut
from tests.interpreter import ROOT


def contents(flash, address, length):
    buf = bytearray(length)
    flash.read_into(address, buf)
    return bytes(buf)


def test_programming_clears_bits_and_erasing_sets_them():
    flash = NorFlash(size=8192)
    flash.program(5, b"\xf0")
    flash.program(5, b"\x30")
    assert contents(flash, 4, 3) == b"\xff\x30\xff"
    with pytest.raises(IllegalProgram, match="at 0x5: 0x30 cannot become 0x31"):
        flash.program(4, b"\x00\x31")
    assert contents(flash, 4, 3) == b"\xff\x30\xff"
    flash.erase(0)
    assert contents(flash, 4, 3) == b"\xff\xff\xff"
    assert flash.illegal_programs == 1


def test_a_long_program_is_checked_to_its_end():
    flash = NorFlash(size=8192)
    flash.program(2000, b"\x00")
    with pytest.raises(IllegalProgram, match="at 0x7d0"):
        flash.program(1000, bytes(1000) + b"\x01")


@pytest.mark.parametrize(
    "action",
    [
        lambda flash: flash.read_into(8190, bytearray(3)),
        lambda flash: flash.program(8192, b"\x00"),
        lambda flash: flash.erase(8192),
        lambda flash: flash.erase(100),
        lambda flash: flash.read_into(-1, bytearray(1)),
    ],
)
def test_nothing_lies_outside(action):
    with pytest.raises(OSError):
        action(NorFlash(size=8192))


def test_counters_and_time():
    flash = NorFlash(size=8192)
    flash.program(0, bytes(129))
    flash.erase(4096)
    contents(flash, 0, 1000)
    assert (flash.program_calls, flash.bytes_programmed, flash.erases) == (1, 129, 1)
    assert (flash.read_calls, flash.bytes_read, flash.operations) == (1, 1000, 2)
    assert flash.modelled_us == 2 * PROGRAM_US + ERASE_US + 100
    assert [flash.erase_count(sector) for sector in (0, 1)] == [0, 1]


def test_a_file_keeps_contents_and_wear(tmp_path):
    path = str(tmp_path / "flash.bin")
    flash = NorFlash(path, 8192)
    flash.erase(4096)
    flash.program(4096, b"here")
    again = NorFlash(path, 8192)  # nobody closed the first one
    assert contents(again, 4096, 5) == b"here\xff"
    assert again.erase_count(1) == 1
    with pytest.raises(ValueError, match="8192 bytes, not the 4096"):
        NorFlash(path, 4096)


def test_a_partition_has_the_verbs_of_the_esp32():
    flash = NorFlash(size=4 * 4096)
    part = Partition(flash, 4096, 8192, "ledger")
    assert (part.ioctl(4), part.ioctl(5)) == (2, 4096)
    assert part.info() == (1, 0x40, 4096, 8192, "ledger", False)
    part.writeblocks(1, b"\x12", 10)
    assert contents(flash, 8192 + 10, 1) == b"\x12"
    part.writeblocks(0, bytes(4096))
    part.writeblocks(0, b"\x55" * 4096)  # erases first
    buf = bytearray(2)
    part.readblocks(0, buf, 4095)
    assert buf == b"\x55\xff"
    part.ioctl(6, 0)
    assert contents(flash, 4096, 4096) == b"\xff" * 4096
    with pytest.raises(OSError, match="whole sectors"):
        part.writeblocks(0, bytes(100))
    with pytest.raises(OSError, match="outside"):
        part.readblocks(1, bytearray(4097))
    with pytest.raises(ValueError, match="do not fit"):
        Partition(flash, 8192, 16384, "ledger")


def test_the_partition_table_fills_the_flash_without_overlap():
    end = 0x9000
    for part in image.partitions().values():
        assert part.offset == end and part.size % 4096 == 0
        end = part.offset + part.size
    assert end == 4 * 1024 * 1024


def test_nothing_works_after_a_power_cut_until_the_power_is_back():
    flash = FaultyFlash(8192)
    flash.program(0, b"\x01")
    flash.cut_in(2, flash_faults.PREFIX, 3)
    flash.program(1, b"\x02")
    with pytest.raises(PowerCut):
        flash.program(100, bytes(6))
    with pytest.raises(PowerCut):
        contents(flash, 0, 1)
    flash.power_on()
    assert contents(flash, 0, 2) == b"\x01\x02"
    assert contents(flash, 100, 6)[:3] == bytes(3)
    assert contents(flash, 104, 2) == b"\xff\xff"


def test_every_tear_leaves_bits_between_old_and_new():
    for seed in range(300):
        flash = FaultyFlash(4096, seed)
        flash.program(0, b"\xaa" * 20)
        flash.cut_in(1)
        with pytest.raises(PowerCut):
            flash.program(0, bytes(0xAA & byte for byte in range(20)))
        flash.power_on()
        for byte in contents(flash, 0, 20):
            assert byte & ~0xAA == 0
        assert contents(flash, 20, 100) == b"\xff" * 100


def test_a_weak_bit_reads_differently_until_it_is_programmed():
    flash = FaultyFlash(4096, 7)
    flash.cut_in(1, flash_faults.WEAK)
    with pytest.raises(PowerCut):
        flash.program(0, bytes(100))
    flash.power_on()
    assert len({contents(flash, 0, 100) for _ in range(20)}) > 1
    flash.program(0, bytes(100))
    assert {contents(flash, 0, 100) for _ in range(20)} == {bytes(100)}


def test_bits_asleep_turn_weak_some_day():
    flash = FaultyFlash(4096, 3)
    flash.cut_in(1, flash_faults.ASLEEP)
    with pytest.raises(PowerCut):
        flash.program(0, bytes(100))
    flash.power_on()
    seen = []
    for _ in range(20):
        seen.append(contents(flash, 0, 100))
        flash.power_on()
    assert seen[0] == b"\xff" * 100 and len(set(seen)) > 1
    flash.erase(0)
    assert {contents(flash, 0, 100) for _ in range(20)} == {b"\xff" * 100}


@pytest.mark.parametrize("tear", [flash_faults.PREFIX, flash_faults.SCATTERED])
def test_a_cut_erase_leaves_a_part(tear):
    flash = cut_erase(tear)
    assert 0 < sum(contents(flash, 0, 4096)) < 255 * 4096


@pytest.mark.parametrize("tear", [flash_faults.NEARLY, flash_faults.ASLEEP])
def test_a_cut_erase_that_looks_complete_may_not_be(tear):
    flash = cut_erase(tear)
    seen = set()
    for _ in range(30):
        seen.add(contents(flash, 0, 4096))
        flash.power_on()
    assert b"\xff" * 4096 in seen and len(seen) > 1
    flash.erase(0)
    assert contents(flash, 0, 4096) == b"\xff" * 4096 and not flash.is_weak()


def cut_erase(tear):
    flash = FaultyFlash(4096, 3)
    flash.load(0, bytes(4096))
    flash.cut_in(1, tear)
    with pytest.raises(PowerCut):
        flash.erase(0)
    flash.power_on()
    return flash


@pytest.mark.parametrize("fault", [flash_faults.PROGRAM_FAILS, flash_faults.ERASE_FAILS])
def test_a_bad_sector_fails_with_an_error(fault):
    flash = FaultyFlash(8192)
    flash.load(0, bytes(4096))
    flash.bad_sectors[1] = flash.bad_sectors[0] = fault
    with pytest.raises(OSError, match="failed"):
        flash.erase(0)
        flash.program(4096, bytes(8))


def test_the_device_allocates_nothing_on_the_real_interpreter(micropython):
    printed = micropython.run(
        """
import gc, sys
from hw.sim.flash import NorFlash, Partition
part = Partition(NorFlash(None, 16384), 4096, 8192)
buf = bytearray(100)
def work():
    part.ioctl(6, 1)
    part.writeblocks(1, buf, 7)
    part.writeblocks(1, buf, 7)
    part.readblocks(1, buf, 7)
work()
gc.collect()
before = gc.mem_alloc()
work()
print(gc.mem_alloc() - before)
""",
        path=[ROOT],
    )
    assert printed == "0\n"
