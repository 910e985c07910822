"""The trace: events gather in RAM and become records, the oldest of which make room."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.store import StoreError, record
from wallbox.store.trace import EVENT_MAX, Trace, events

from hw.sim.flash import NorFlash, Partition
from hw.sim.flash_faults import PROGRAM_FAILS, FaultyFlash
from tests import spec_reader

KEY = b"a key of one box"
UTC_S = 1_760_000_000
READING = 7


def mounted(flash):
    trace = Trace(Partition(flash, 0, flash.size), KEY)
    trace.mount()
    return trace


def stored(trace):
    """(uptime_ms, event) of all that was flushed."""
    return [
        found
        for one in trace.records(trace.oldest_sequence)
        if one[1] == record.BATCH
        for found in events(one[6], one[4])
    ]


def test_a_batch_is_one_record():
    flash = NorFlash(size=8 * 4096)
    trace = mounted(flash)
    assert trace.append_event(b"\x07abc", 4, 1000)
    assert trace.append_event(bytearray(b"\x08defgh"), 2, 1700)  # the buffer is longer
    assert flash.program_calls == 0
    trace.flush(31_000, 5, UTC_S, 3)
    assert trace.pending == 0
    assert stored(trace) == [(1000, b"\x07abc"), (1700, b"\x08d")]
    found = next(trace.records())
    assert found[:6] == (1, record.BATCH, 3, 5, 1000, UTC_S - 30)
    trace.flush(32_000, 5, UTC_S, 3)  # nothing new, nothing written
    assert trace.next_sequence == 2


def test_the_spec_reader_reads_a_batch():
    flash = NorFlash(size=8 * 4096)
    trace = mounted(flash)
    for at in range(10):
        trace.append_event(bytes([READING, at]), 2, 500 + at * 7)
    trace.flush(1000, 1, 0, 0)
    records = spec_reader.believed(KEY, b"wallbox trace", flash.image())
    assert [entry for one in records for entry in spec_reader.batch(one)] == stored(trace)


def test_a_longer_pause_begins_a_new_record():
    trace = mounted(NorFlash(size=8 * 4096))
    for now in (0, 65_535, 131_071, 2**39):
        assert trace.append_event(b"\x01", 1, now)
    trace.flush(2**39, 1, UTC_S, 2)
    assert [found[0] for found in stored(trace)] == [0, 65_535, 131_071, 2**39]
    assert trace.next_sequence == 1 + 3


def test_when_ram_is_full_the_event_is_counted_as_lost():
    trace = mounted(NorFlash(size=8 * 4096))
    kept = 0
    while trace.append_event(bytes(50), 50, kept):
        kept += 1
    assert kept == 4 * (227 // 53)
    assert trace.lost == 1
    trace.flush(kept, 1, UTC_S, 3)
    assert len(stored(trace)) == kept
    assert trace.append_event(bytes(50), 50, kept)


def test_an_event_that_fits_nowhere_is_our_bug():
    trace = mounted(NorFlash(size=8 * 4096))
    assert trace.append_event(bytes(EVENT_MAX), EVENT_MAX, 0)
    with pytest.raises(AssertionError):
        trace.append_event(bytes(EVENT_MAX + 1), EVENT_MAX + 1, 0)


@given(st.lists(st.tuples(st.integers(0, 200_000), st.binary(min_size=1, max_size=EVENT_MAX))))
def test_every_event_comes_back_with_its_time(steps):
    trace = mounted(NorFlash(size=64 * 4096))
    now = 0
    expected = []
    for pause_ms, event in steps:
        now += pause_ms
        if not trace.append_event(event, len(event), now):
            trace.flush(now, 1, UTC_S, 3)
            assert trace.append_event(event, len(event), now)
        expected.append((now, event))
    trace.flush(now, 1, UTC_S, 3)
    assert stored(trace) == expected


def test_the_last_reading_before_a_power_cut_is_found():
    flash = NorFlash(size=16 * 4096)
    trace = mounted(flash)
    assert trace.last_of(READING) is None
    for number in range(600):
        trace.append_event(b"\x07%05d" % number, 6, number * 10_000)
        trace.append_event(b"\x02other", 6, number * 10_000 + 4)
        trace.flush(number * 10_000 + 2_000, 9, UTC_S + number * 10, 3)
    trace = mounted(flash)
    assert trace.last_of(READING) == (b"\x0700599", 5_990_000, 9, UTC_S + 5_988, 3)
    assert trace.last_of(2)[1] == 5_990_004
    assert trace.last_of(3) is None
    assert trace.next_sequence - trace.oldest_sequence <= 600


def test_a_reading_is_searched_in_older_sectors_too():
    flash = NorFlash(size=16 * 4096)
    trace = mounted(flash)
    trace.append_event(b"\x07", 1, 0)
    trace.flush(0, 1, 0, 0)
    while trace.head < 2:
        trace.append_event(b"\x02" * 200, 200, 0)
        trace.flush(0, 1, 0, 0)
    assert trace.last_of(READING, 2) is None
    assert trace.last_of(READING) == (b"\x07", 0, 1, 0, 0)


def test_a_flush_that_fails_keeps_the_events():
    flash = FaultyFlash(8 * 4096)
    trace = mounted(flash)
    trace.append_event(b"\x07a", 2, 5)
    flash.bad_sectors.update(dict.fromkeys(range(8), PROGRAM_FAILS))
    with pytest.raises(StoreError):
        trace.flush(6, 1, UTC_S, 3)
    flash.bad_sectors.clear()
    trace.flush(7, 1, UTC_S, 3)
    assert stored(trace) == [(5, b"\x07a")]


def test_gathering_allocates_nothing(micropython):
    micropython.run(
        """
import micropython
from wallbox.store.trace import Trace
class Nothing:
    def ioctl(self, operation, argument):
        return 4 if operation == 4 else 4096
trace = Trace(Nothing(), b"k")
event = bytearray(60)
micropython.heap_lock()
for now in range(0, 200000, 100):
    trace.append_event(event, 60, now)
micropython.heap_unlock()
"""
    )
