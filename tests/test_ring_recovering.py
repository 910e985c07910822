"""Recoveries that the torture meets too seldom to rely on it: each rule as an example."""

import pytest
from wallbox.store import LedgerFull, StoreError
from wallbox.store.scan import pack_mark
from wallbox.store.sectors import HEADER_SIZE

from hw.sim.flash import Partition
from hw.sim.flash_faults import (
    ERASE_FAILS,
    ERASE_IGNORED,
    NEARLY,
    NOTHING,
    PREFIX,
    PROGRAM_FAILS,
    PROGRAM_IGNORED,
    WEAK,
    WHOLE,
    FaultyFlash,
    PowerCut,
)
from tests.test_ring import PER_SECTOR, SECTOR, fill, mounted, sequences

WORKS_AGAIN = 0
RECORDS_AT = 32


def cut(flash, ring, operation, tear, at=-1):
    """The power goes off in the n-th operation of an append."""
    flash.cut_in(operation, tear, at)
    with pytest.raises(PowerCut):
        fill(ring, 1)
    flash.power_on()


def test_a_sector_that_failed_waits_for_the_next_lap():
    """Sector 1 cannot be erased, the header of sector 2 is interrupted. Were sector 1 entered when
    it works again, the header of sector 2 might turn up later and be the head."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 8 * PER_SECTOR)
    ring.acknowledge(ring.next_sequence - 1)
    fill(ring, PER_SECTOR)
    flash.fail(1, ERASE_IGNORED)
    cut(flash, ring, 4, PREFIX, 10)  # two erasures, the mark of sector 2, its header
    flash.fail(1, WORKS_AGAIN)
    ring = mounted(flash)
    assert ring.head == 2
    fill(ring, 7 * PER_SECTOR // 2)
    expected = list(range(ring.oldest_sequence, ring.next_sequence))
    assert sequences(mounted(flash)) == expected


def test_a_header_that_was_begun_is_entered_at_once():
    """The head failed and works again; there is room in it, but the next sector may be the head."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 10)
    flash.fail(0, PROGRAM_FAILS)
    cut(flash, ring, 4, PREFIX, 10)  # the record, the erasure, its mark, the header
    flash.fail(0, WORKS_AGAIN)
    ring = mounted(flash)
    assert (ring.head, ring.next_sequence) == (1, 11)
    fill(ring, 1)
    assert sequences(mounted(flash)) == list(range(1, 12))


class Falling(FaultyFlash):
    """A bit that was interrupted, and was read as 1, falls when its neighbours are programmed."""

    def program(self, address, buf):
        self.load(RECORDS_AT + 3 * 32 + 13, b"\0")
        FaultyFlash.program(self, address, buf)


def test_a_record_that_cannot_be_made_firm_is_given_up():
    """It was never promised; were it counted, a number would be missing when it is read."""
    whole = FaultyFlash(8 * SECTOR)
    ring = mounted(whole)
    fill(ring, 3)
    cut(whole, ring, 1, WHOLE)
    flash = Falling(8 * SECTOR)
    flash.load(0, whole.image())
    flash.fail(0, PROGRAM_IGNORED)
    ring = mounted(flash)
    assert ring.next_sequence == 4
    fill(ring, 1)
    assert sequences(mounted(flash)) == [1, 2, 3, 4]


def test_an_interrupted_header_is_made_firm_or_erased():
    interrupted = 0
    for seed in range(40):
        flash = FaultyFlash(8 * SECTOR, seed)
        ring = mounted(flash)
        fill(ring, PER_SECTOR)
        cut(flash, ring, 3, NEARLY)
        interrupted += flash.is_weak()
        assert mounted(flash).head == 1
        assert not flash.is_weak()
    assert interrupted > 20


def test_without_room_for_a_mark_the_next_sector_is_entered():
    """Nothing may be written behind the cut, and nothing says so but the next header."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, PER_SECTOR - 4)
    cut(flash, ring, 1, WEAK)
    assert mounted(flash).head == 1


def test_an_earlier_mark_that_turns_up_late_cannot_void_what_was_believed_since():
    """An earlier start did not believe record 123, and was cut in the mark that says so. This one
    believes it, and has no room for a mark behind that one."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 122)
    newest_at = RECORDS_AT + 122 * 32
    cut(flash, ring, 1, WHOLE)
    ring = mounted(flash)
    assert (ring.next_sequence, ring.head) == (124, 1)
    mark = bytearray(8)
    pack_mark(mark, newest_at)
    there = bytearray(8)
    flash.read_into(newest_at + 128, there)
    flash.load(newest_at + 128, bytes(a & b for a, b in zip(there, mark, strict=True)))
    assert sequences(mounted(flash)) == list(range(1, 124))


def test_a_header_that_outlived_an_interrupted_erasure_is_no_place_for_records():
    """The bits behind it may be any: a record over them would have to set some."""
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, PER_SECTOR)
    cut(flash, ring, 4, NOTHING)  # an erasure, its mark, the header; not the record
    flash.program(SECTOR + 3000, bytes(32))
    ring = mounted(flash)
    fill(ring, PER_SECTOR)
    assert (ring.head, flash.illegal_programs) == (2, 0)
    assert sequences(ring) == sequences(mounted(flash)) == list(range(1, 2 * PER_SECTOR + 1))


def exhausted(flash, ring, way, error=StoreError):
    """Nothing is taken any more, until every sector has failed that may be erased."""
    flash.bad_sectors = dict.fromkeys(range(flash.size // SECTOR), way)
    for _ in range(flash.size // SECTOR):
        with pytest.raises(error):
            fill(ring, 1)
    flash.bad_sectors = {}


@pytest.mark.parametrize("overwrite", [False, True])
@pytest.mark.parametrize("way", [PROGRAM_FAILS, PROGRAM_IGNORED, ERASE_FAILS])
def test_when_all_sectors_have_failed_they_are_tried_again(way, overwrite):
    """Else the flash would have to be well at the moment at which each of them was tried."""
    flash = FaultyFlash(12 * SECTOR)
    ring = mounted(flash, overwrite)
    fill(ring, PER_SECTOR)  # there is no room in the head
    exhausted(flash, ring, way)
    with pytest.raises(StoreError, match="replace the flash"):
        fill(ring, 1)
    ring.search_again()
    fill(ring, 10)
    assert sequences(ring) == sequences(mounted(flash)) == list(range(1, PER_SECTOR + 11))


def test_they_are_tried_again_before_the_operator_is_waited_for():
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 7 * PER_SECTOR)
    ring.acknowledge(4 * PER_SECTOR)
    fill(ring, PER_SECTOR)  # sectors 0 to 3 are free, 4 to 7 wait for the operator
    exhausted(flash, ring, PROGRAM_FAILS, (StoreError, LedgerFull))
    with pytest.raises(LedgerFull, match="restore the connection"):
        fill(ring, 1)
    ring.search_again()
    fill(ring, 3 * PER_SECTOR)
    newest = ring.next_sequence - 1
    assert sequences(mounted(flash))[-4 * PER_SECTOR :] == list(
        range(newest - 4 * PER_SECTOR + 1, newest + 1)
    )


def test_a_ring_that_is_full_and_sound_searches_nothing():
    flash = FaultyFlash(8 * SECTOR)
    ring = mounted(flash)
    with pytest.raises(LedgerFull):
        fill(ring, 9 * PER_SECTOR)
    reads = flash.bytes_read
    ring.search_again()
    assert flash.bytes_read == reads
    with pytest.raises(LedgerFull):
        fill(ring, 1)


def test_a_header_that_was_refused_though_it_is_whole_is_written_anew():
    """The device reported a fault and had done its work. A mount would take that sector for the
    head, and see nothing of what was written into one before it."""

    class Refusing(Partition):
        refuses = True

        def writeblocks(self, block, buf, offset=0):
            Partition.writeblocks(self, block, buf, offset)
            if self.refuses and len(buf) == HEADER_SIZE:
                raise OSError(5)

    flash = FaultyFlash(12 * SECTOR)
    ring = mounted(flash)
    fill(ring, PER_SECTOR)
    ring.device = Refusing(flash, 0, flash.size)
    for _ in range(3):
        with pytest.raises(StoreError, match="replace the flash"):
            fill(ring, 1)
    ring.device.refuses = False
    ring.search_again()
    fill(ring, 3)
    assert sequences(ring) == sequences(mounted(flash)) == list(range(1, PER_SECTOR + 4))
