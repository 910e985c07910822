"""The ring: append, read, free, mount, and what that costs."""

import pytest
from wallbox.store import LedgerFull, StoreError, record
from wallbox.store.ring import Ring

from hw.sim.flash import NorFlash, Partition
from tests.interpreter import ROOT

KEY = b"a key of one box"
NAME = b"wallbox ledger"
UTC_S = 1_760_000_000
PAYLOAD = bytes(5)  # a record of 32 bytes
PER_SECTOR = 127
SECTOR = 4096


def mounted(flash, overwrite=False, longest=128, key=KEY):
    ring = Ring(Partition(flash, 0, flash.size), NAME, key, overwrite, longest)
    ring.mount()
    return ring


def fill(ring, count, payload=PAYLOAD):
    for _ in range(count):
        number = ring.next_sequence
        assert ring.append(4, 3, 1, 1000 * number, UTC_S + number, payload) == number


def sequences(ring, start=1):
    return [found[0] for found in ring.records(start)]


def test_a_fresh_flash_is_an_empty_ring():
    ring = mounted(NorFlash(size=8 * SECTOR))
    assert (ring.next_sequence, ring.oldest_sequence, ring.acknowledged) == (1, 1, 0)
    assert (ring.fill_permille, ring.damaged, ring.last_boot) == (0, 0, 0)
    assert sequences(ring) == []
    assert ring.read_into(1, bytearray(254)) == (0, 0, 0)


def test_what_is_appended_is_there_after_a_restart():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash)
    assert ring.append(7, 2, 300, 2**39, UTC_S, b"one") == 1
    assert ring.append(8, 0, 301, 5, 0, bytearray(b"two and old bytes"), 3) == 2
    ring = mounted(flash)
    assert list(ring.records()) == [
        (1, 7, 2, 300, 2**39, UTC_S, b"one"),
        (2, 8, 0, 301, 5, 0, b"two"),
    ]
    assert (ring.next_sequence, ring.last_boot, ring.last_uptime_ms) == (3, 301, 5)


def test_reading_fills_the_buffer_with_whole_records():
    ring = mounted(NorFlash(size=8 * SECTOR))
    fill(ring, 300)
    buf = bytearray(1024)
    assert ring.read_into(1, buf) == (1024, 1, 32)
    assert ring.read_into(33, buf) == (1024, 33, 64)
    assert ring.read_into(120, buf) == (8 * 32, 120, 127)  # up to the end of the sector
    assert ring.read_into(128, buf) == (1024, 128, 159)
    assert ring.read_into(300, buf) == (32, 300, 300)
    assert ring.read_into(301, buf) == (0, 0, 0)
    fill(ring, 1)
    assert ring.read_into(301, buf) == (32, 301, 301)
    assert record.unpack(buf)[0] == 301


def test_a_full_ledger_refuses_and_an_acknowledgement_makes_room():
    ring = mounted(NorFlash(size=8 * SECTOR))
    with pytest.raises(LedgerFull, match="wallbox ledger: full, 1016 records wait"):
        fill(ring, 2000)
    assert ring.fill_permille == 1000
    assert ring.next_sequence == 8 * PER_SECTOR + 1
    assert not ring.acknowledge(8 * PER_SECTOR + 1)  # no such record
    assert ring.acknowledge(PER_SECTOR - 1)
    assert not ring.acknowledge(PER_SECTOR - 1)
    with pytest.raises(LedgerFull):  # one record of the sector still waits
        fill(ring, 1)
    assert ring.acknowledge(PER_SECTOR)
    fill(ring, 1)
    assert ring.oldest_sequence == PER_SECTOR + 1


def test_a_full_ledger_stays_full_after_a_restart():
    flash = NorFlash(size=8 * SECTOR)
    with pytest.raises(LedgerFull):
        fill(mounted(flash), 2000)
    ring = mounted(flash)
    assert ring.fill_permille == 1000
    assert not ring.erase_ahead()
    assert sequences(ring) == list(range(1, 8 * PER_SECTOR + 1))
    with pytest.raises(LedgerFull):
        fill(ring, 1)


def test_the_trace_makes_room_by_itself():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash, overwrite=True)
    fill(ring, 3000)
    assert ring.oldest_sequence > 3000 - 8 * PER_SECTOR
    assert sequences(ring) == list(range(ring.oldest_sequence, 3001))
    assert sequences(mounted(flash, overwrite=True))[-1] == 3000


def test_wear_is_level():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash)
    for _ in range(200):
        fill(ring, 100)
        ring.acknowledge(ring.next_sequence - 1)
        ring.erase_ahead()
    wear = [flash.erase_count(sector) for sector in range(8)]
    assert max(wear) - min(wear) <= 1 and min(wear) >= 19


def test_the_cost_of_a_thousand_durable_readings():
    flash = NorFlash(size=128 * SECTOR)
    ring = mounted(flash)
    for number in range(1, 1001):
        fill(ring, 1)
        ring.acknowledge(number)
        if number % 10 == 0:
            ring.erase_ahead()
    assert flash.bytes_programmed <= 32_768
    assert flash.erases <= 8 + 1  # one of them ahead
    assert flash.modelled_us / 1000 <= 900


def test_mount_reads_a_header_a_sector_and_little_more():
    flash = NorFlash(size=128 * SECTOR)
    fill(mounted(flash), 127 * PER_SECTOR + 60)
    before = flash.bytes_read
    ring = mounted(flash)
    assert ring.next_sequence == 127 * PER_SECTOR + 61
    assert flash.bytes_read - before <= 21_000


def test_one_sector_is_erased_ahead_and_kept_over_a_restart():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 50)
    assert ring.erase_ahead()
    assert not ring.erase_ahead()
    erases = flash.erases
    ring = mounted(flash)
    assert not ring.erase_ahead()
    fill(ring, PER_SECTOR)
    assert flash.erases == erases


def test_the_watermark_survives_cheaply():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash)
    fill(ring, 100)
    programs = flash.program_calls
    for number in range(1, 64):
        ring.acknowledge(number)
    assert flash.program_calls == programs
    assert mounted(flash).acknowledged == 0  # a repeat, no loss
    ring = mounted(flash)
    ring.acknowledge(64)
    assert mounted(flash).acknowledged == 64
    ring = mounted(flash)
    ring.acknowledge(70)
    ring.flush_acknowledged()
    assert mounted(flash).acknowledged == 70


def test_the_watermark_of_the_watermark_is_not_written():
    ring = mounted(NorFlash(size=8 * SECTOR))
    fill(ring, 3)
    for _ in range(5):
        ring.acknowledge(ring.next_sequence - 1)
        ring.flush_acknowledged()
    assert [found[1] for found in ring.records()] == [4, 4, 4, record.WATERMARK]


def test_a_snapshot_leads_each_sector():
    flash = NorFlash(size=8 * SECTOR)
    ring = mounted(flash)
    ring.state_source = lambda: (record.STATE, b"state before %d" % ring.next_sequence)
    with pytest.raises(LedgerFull):
        fill_any(ring, 2000)
    kinds = {found[0]: found[1] for found in ring.records()}
    assert list(kinds) == list(range(1, ring.next_sequence))
    for sector in range(8):
        assert kinds[ring.first[sector]] == record.STATE
    assert sum(kind == record.STATE for kind in kinds.values()) == 8


def fill_any(ring, count):
    for _ in range(count):
        assert ring.append(4, 3, 1, 0, UTC_S, PAYLOAD) == ring.next_sequence - 1


def test_a_partition_of_three_sectors_is_refused():
    with pytest.raises(StoreError, match="3 sectors, at least 4"):
        mounted(NorFlash(size=3 * SECTOR))


def test_a_payload_that_is_too_long_is_refused():
    ring = mounted(NorFlash(size=8 * SECTOR))
    fill(ring, 1, bytes(128 - 27))
    with pytest.raises(ValueError, match="a payload of 102 bytes is too long"):
        ring.append(4, 3, 1, 1, UTC_S, bytes(102))


def test_each_boot_costs_one_mark_and_the_room_of_the_longest_record():
    flash = NorFlash(size=8 * SECTOR)
    fill(mounted(flash), 5)
    offsets = []
    for _ in range(5):
        ring = mounted(flash)
        fill(ring, 1)
        offsets.append(ring._newest_offset)
    assert [b - a for a, b in zip(offsets, offsets[1:], strict=False)] == [32 + 128 + 8] * 4


def test_append_allocates_only_the_hash_objects(micropython):
    printed = micropython.run(
        """
import gc, hashlib
from hw.sim.flash import NorFlash, Partition
from wallbox.store.ledger import Ledger
flash = NorFlash(None, 4 * 4096)
ledger = Ledger(Partition(flash, 0, flash.size), b"a key of one box")
gc.collect()
before = gc.mem_alloc()
ledger.mount()
payload = bytearray(20)
def append():
    ledger.append(4, 3, 1, 1000, 1760000000, payload, 5)
append()
append()
def allocated(function):
    gc.collect(); gc.disable()
    before = gc.mem_alloc()
    function()
    after = gc.mem_alloc()
    gc.enable()
    return after - before
print(2 * allocated(lambda: hashlib.sha256(payload).digest()), allocated(append))
""",
        path=[ROOT],
    )
    forced, append = map(int, printed.split())
    assert append == forced


def test_a_mounted_ledger_takes_little_ram(micropython, tmp_path):
    """On words of 64 bits; the ESP32's are half as wide."""
    printed = micropython.run(
        """
import gc
from hw.sim.flash import NorFlash, Partition
from wallbox.store.ledger import Ledger
import sys
flash = NorFlash(sys.argv[1], 128 * 4096)
part = Partition(flash, 0, flash.size)
Ledger(part, b"k").mount()
gc.collect()
before = gc.mem_alloc()
ledger = Ledger(part, b"k")
ledger.mount()
gc.collect()
print(gc.mem_alloc() - before)
""",
        str(tmp_path / "flash.bin"),
        path=[ROOT],
    )
    assert int(printed) <= 4096
