"""What a flash may hold that no ring has written: foreign bytes, rot, bad sectors, old laps."""

import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.store import LedgerFull, StoreError
from wallbox.store.ring import Ring

from hw.sim.flash import NorFlash, Partition
from hw.sim.flash_faults import (
    ASLEEP,
    ERASE_FAILS,
    ERASE_IGNORED,
    PROGRAM_FAILS,
    PROGRAM_IGNORED,
    FaultyFlash,
    PowerCut,
)
from tests import spec_reader
from tests.test_ring import KEY, NAME, PER_SECTOR, SECTOR, fill, mounted, sequences


def test_a_flash_full_of_foreign_bytes_is_an_empty_ring():
    flash = NorFlash(size=16 * SECTOR)
    flash.load(0, bytes(index * 7 % 251 for index in range(flash.size)))
    ring = mounted(flash)
    assert (ring.next_sequence, ring.damaged, len(ring.damaged_at)) == (1, 16, 16)
    fill(ring, 300)
    assert sequences(mounted(flash)) == list(range(1, 301))


@given(st.binary(min_size=1, max_size=200), st.integers(0, 2**32))
def test_whatever_lies_in_the_flash_it_mounts(piece, seed):
    flash = NorFlash(size=4 * SECTOR)
    flash.load(0, (piece * (flash.size // len(piece) + 1))[: flash.size])
    ring = mounted(flash)
    fill(ring, 2)
    assert sequences(mounted(flash), ring.next_sequence - 2)[-2:] == [
        ring.next_sequence - 2,
        ring.next_sequence - 1,
    ]


def rotten(flash, address, mask=0x10):
    byte = bytearray(1)
    flash.read_into(address, byte)
    flash.load(address, bytes([byte[0] ^ mask]))


def test_a_rotten_record_is_reported_and_the_rest_stands():
    flash = NorFlash(size=8 * SECTOR)
    fill(mounted(flash), 300)
    rotten(flash, SECTOR + 32 + 32 * 10 + 20)  # record 138
    ring = mounted(flash)
    assert sequences(ring) == [number for number in range(1, 301) if number != 138]
    assert (ring.damaged, ring.damaged_at) == (1, [SECTOR + 32 + 32 * 10])
    assert ring.read_into(138, bytearray(254))[1] == 139
    assert ring.damaged == 1


def test_every_bit_of_a_header_may_rot_and_no_record_is_lost():
    """In each sector in turn: the oldest, one in the middle, the head."""
    flash = NorFlash(size=4 * SECTOR)
    fill(mounted(flash), 3 * PER_SECTOR - 10)
    whole = flash.image()
    for sector in range(3):
        for bit in range(0, 28 * 8, 5):
            flash.load(0, whole)
            rotten(flash, sector * SECTOR + bit // 8, 1 << bit % 8)
            ring = mounted(flash)
            assert sequences(ring) == list(range(1, 3 * PER_SECTOR - 10 + 1)), (sector, bit)
            assert ring.damaged_at[0] == sector * SECTOR
            fill(ring, 1)
            assert sequences(mounted(flash))[-1] == 3 * PER_SECTOR - 10 + 1


def test_no_header_at_all_is_readable():
    flash = NorFlash(size=4 * SECTOR)
    fill(mounted(flash), 3 * PER_SECTOR)
    for sector in range(4):
        flash.load(sector * SECTOR, bytes(28))
    assert sequences(mounted(flash)) == list(range(1, 3 * PER_SECTOR + 1))


def test_an_old_lap_behind_a_bad_sector_is_passed_over():
    """Sector 2 cannot be erased in the second lap: its old header and records stay."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 8 * PER_SECTOR)
    flash.bad_sectors[2] = ERASE_IGNORED
    for _ in range(2 * PER_SECTOR):
        ring.acknowledge(ring.next_sequence - 1)
        fill(ring, 1)
    assert ring.head == 3
    expected = sequences(ring)
    assert expected == list(range(ring.oldest_sequence, ring.next_sequence))
    ring = mounted(flash)
    assert (ring.head, sequences(ring)) == (3, expected)
    assert not ring.damaged


@pytest.mark.parametrize("fault", [PROGRAM_FAILS, PROGRAM_IGNORED, ERASE_FAILS, ERASE_IGNORED])
def test_a_bad_sector_costs_no_record(fault):
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 2 * PER_SECTOR + 20)
    flash.bad_sectors[2] = flash.bad_sectors[5] = fault
    for _ in range(20 * PER_SECTOR):
        ring.acknowledge(ring.next_sequence - 50)
        fill(ring, 1)
    newest = ring.next_sequence - 1
    assert sequences(mounted(flash), newest - 49) == list(range(newest - 49, newest + 1))
    assert ring.damaged


def test_a_sector_whose_header_may_have_been_begun_is_erased_again():
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, PER_SECTOR)
    assert ring.erase_ahead()
    flash.cut_in(1, ASLEEP)
    with pytest.raises(PowerCut):
        fill(ring, 1)
    flash.power_on()
    assert flash.erase_count(1) == 1
    ring = mounted(flash)
    assert flash.erase_count(1) == 2
    fill(ring, 1)
    assert sequences(mounted(flash)) == list(range(1, PER_SECTOR + 2))


def test_a_flash_that_fails_everywhere_is_one_line():
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 1)
    for sector in range(8):
        flash.bad_sectors[sector] = PROGRAM_FAILS
    with pytest.raises(StoreError, match=r"sector \d+ \(at 0x.*: replace the flash") as told:
        fill(ring, 1)
    assert "\n" not in str(told.value)
    assert not isinstance(told.value, LedgerFull)
    assert sequences(ring) == [1]


def test_a_device_that_cannot_be_read_is_one_line():
    class Broken(Partition):
        def readblocks(self, block, buf, offset=0):
            raise OSError(5, "EIO")

    flash = NorFlash(size=8 * SECTOR)
    ring = Ring(Broken(flash, 0, flash.size), NAME, KEY, False)
    with pytest.raises(StoreError, match="read failed in sector 0"):
        ring.mount()


def test_a_record_that_looks_whole_but_breaks_the_chain_goes():
    flash = NorFlash(size=8 * SECTOR)
    fill(mounted(flash), 10)
    rotten(flash, 32 + 9 * 32 + 31)  # the mac of the newest one: its check is still right
    ring = mounted(flash)
    assert sequences(ring) == list(range(1, 10))
    assert ring.damaged_at == [32 + 9 * 32]
    fill(ring, 1)
    assert sequences(mounted(flash)) == list(range(1, 11))


def test_a_ring_under_another_key_is_kept_and_continued():
    flash = NorFlash(size=8 * SECTOR)
    fill(mounted(flash), 10)
    ring = mounted(flash, key=b"another key")
    assert sequences(ring) == list(range(1, 11))
    assert ring.damaged
    fill(ring, 1)
    _, records = spec_reader.ring_records(flash.image())
    assert [found.sequence for found in records] == list(range(1, 12))
    assert records[-1].follows(b"another key", records[-2].mac)


def test_a_later_mark_voids_an_earlier_one():
    """An interrupted mark may turn up after its record was believed after all: what the box
    decided last is what counts."""
    flash = NorFlash(size=8 * SECTOR)
    fill(mounted(flash), 2)
    ring = mounted(flash)
    early = struct.pack("<HH", 0x5700, 64)  # says: record 2 is void
    early += struct.pack("<I", zlib.crc32(early))
    flash.program(64 + 128, early)
    assert ring.next_sequence == 3
    assert sequences(mounted(flash)) == [1, 2]
    assert [one.sequence for one in spec_reader.ring_records(flash.image())[1]] == [1, 2]
