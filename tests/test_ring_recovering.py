"""Recoveries that the torture meets too seldom to rely on it: each rule as an example."""

import pytest
from wallbox.store.scan import pack_mark

from hw.sim.flash_faults import (
    ERASE_IGNORED,
    NEARLY,
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
