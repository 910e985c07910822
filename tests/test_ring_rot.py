"""Bits that rot in a ring at rest: the damaged is recognised and told, all else is still there.

What one header, one record or one mark more or less does is in test_ring_damage.py; here it is
any bit, any burst and any stretch of zeros, anywhere.
"""

import random

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from wallbox.store import record

from hw.sim.flash import NorFlash
from tests.spec_reader import mac8
from tests.test_ring import KEY, SECTOR, mounted

SECTORS = 5
RECORDS = 640
CHECKED = 8  # the mac, behind what the check covers
BURST = 7  # bits; the check finds each burst up to this length, see test_record_properties


class Rested:
    """A ring of several laps and boots, and where each of its records lies."""

    def __init__(self):
        chance = random.Random(1)
        flash = NorFlash(size=SECTORS * SECTOR)
        for boot in range(1, 33):
            ring = mounted(flash)
            ring.state_source = lambda: (record.STATE, b"a snapshot")
            for number in range(RECORDS // 32):
                ring.append(4, 3, boot, number, 0, chance.randbytes(chance.randrange(5, 40)))
                ring.acknowledge(ring.next_sequence - 150)
        ring.erase_ahead()
        self.image = flash.image()
        self.records = {}  # sequence: (position, bytes)
        for sequence, data in read(ring).items():
            self.records[sequence] = (self.image.index(data), data)
        self.newest = ring.next_sequence - 1
        assert not ring.damaged and len(self.records) > 250

    def previous_mac(self, sequence):
        before = self.records.get(sequence - 1)
        return before[1][-8:] if before else None


def read(ring):
    """{sequence: bytes} of all there is."""
    found = {}
    buf = bytearray(1024)
    sequence = ring.oldest_sequence
    while True:
        end, first, last = ring.read_into(sequence, buf)
        if not end:
            return found
        offset = 0
        for number in range(first, last + 1):
            found[number] = bytes(buf[offset : offset + buf[offset]])
            offset += buf[offset]
        sequence = last + 1


@pytest.fixture(scope="module")
def rested():
    return Rested()


def check(rested, image):
    """Mounts and reads what has rotted; returns the sequences that are no longer read."""
    flash = NorFlash(size=SECTORS * SECTOR)
    flash.load(0, image)
    ring = mounted(flash)
    found = read(ring)
    lost = []
    for sequence, (at, data) in rested.records.items():
        now = image[at : at + len(data)]
        if now == data:
            assert found.get(sequence) == data, f"record {sequence} is whole and not read"
        elif sequence in found:
            # Only the mac sees it: nobody with the key believes the record.
            assert found[sequence] == now
            previous = rested.previous_mac(sequence)
            assert previous is None or now[-8:] != mac8(KEY, previous + now[:-8])
        else:
            lost.append(sequence)
            assert any(is_near(rested, found, sequence, told) for told in ring.damaged_at), (
                f"record {sequence} at {at} is lost, told is {ring.damaged_at}"
            )
    assert set(found) <= set(rested.records), "a record is invented"
    assert ring.append(4, 3, 99, 0, 0, b"goes on") == rested.newest + 1
    assert read(mounted(flash))[rested.newest + 1][17:-10] == b"goes on"
    return lost


def is_near(rested, found, sequence, told):
    """True if no record that is read lies between the position told and the one that is lost."""
    before = max((one for one in found if one < sequence), default=0)
    behind = min((one for one in found if one > sequence), default=0)
    places = rested.records
    at = places[sequence][0]
    low = places[before][0] + len(places[before][1]) if before in places else 0
    if before not in places or low // SECTOR != at // SECTOR:
        if low // SECTOR == told // SECTOR and low <= told:
            return True  # what is missing at the begin of a sector is told behind the one before
        low = at // SECTOR * SECTOR
    high = places[behind][0] if behind in places else len(rested.image)
    if high // SECTOR != at // SECTOR:
        high = (at // SECTOR + 1) * SECTOR
    return low <= told < high


def flipped(image, bit, mask=1):
    """The image with the bits of mask turned from number `bit` on."""
    number = int.from_bytes(image, "little") ^ mask << bit
    return number.to_bytes(len(image) + 1, "little")[: len(image)]


def zeroed(image, at, length):
    return (image[:at] + bytes(length) + image[at + length :])[: len(image)]


def some_record(rested, share):
    """A record that is not the newest: `share` of the way from the oldest."""
    sequences = list(rested.records)[:-1]
    return sequences[share % len(sequences)]


@settings(max_examples=300)
@given(st.integers(0), st.integers(0))
def test_a_flipped_bit_costs_its_record_alone(rested, share, bit):
    sequence = some_record(rested, share)
    at, data = rested.records[sequence]
    bit %= 8 * (len(data) - CHECKED)
    assert check(rested, flipped(rested.image, 8 * at + bit)) == [sequence]


def test_every_bit_of_records_in_every_place(rested):
    """The first of a sector, one behind a mark, the last of a sector, the last but one of all."""
    ends = {at + len(data): sequence for sequence, (at, data) in rested.records.items()}
    inside = [one for one, (at, _) in rested.records.items() if at % SECTOR == 32][1]
    behind_a_mark = next(
        one
        for one, (at, _) in rested.records.items()
        if at % SECTOR > 32 and at not in ends and one > inside
    )
    for sequence in (inside, behind_a_mark, inside - 1, rested.newest - 1):
        at, data = rested.records[sequence]
        for bit in range(0, 8 * (len(data) - CHECKED), 3):
            assert check(rested, flipped(rested.image, 8 * at + bit)) == [sequence]


@settings(max_examples=200)
@given(st.integers(0), st.integers(0), st.integers(1, 2**BURST - 1))
def test_a_short_burst_costs_its_record_alone(rested, share, bit, mask):
    sequence = some_record(rested, share)
    at, data = rested.records[sequence]
    bit %= 8 * (len(data) - CHECKED) - BURST + 1
    assert check(rested, flipped(rested.image, 8 * at + bit, mask)) == [sequence]


@settings(max_examples=100)
@given(st.integers(0), st.integers(0, 63))
def test_a_flipped_bit_of_a_mac_is_left_to_who_has_the_key(rested, share, bit):
    """The content is read as it was written; the chain shows that something is wrong."""
    sequence = some_record(rested, share)
    at, data = rested.records[sequence]
    image = flipped(rested.image, 8 * (at + len(data) - 8) + bit)
    assert check(rested, image) == []


@settings(max_examples=400)
@given(st.integers(0, SECTORS * SECTOR - 1), st.integers(1, 600))
@example(0, SECTOR)
@example(32, SECTOR - 32)
@example(SECTOR - 1, 34)
@example(3 * SECTOR - 599, 600)  # the last records of a sector and the header of the head
def test_zeros_cost_what_they_cover(rested, at, length):
    """Headers, marks, records and what is erased alike, within one sector or over its edge."""
    newest_at, data = rested.records[rested.newest]
    if at < newest_at + len(data) and newest_at < at + length:
        return  # what lay at the very end is not known to have been there
    check(rested, zeroed(rested.image, at, length))


@settings(max_examples=300)
@given(st.lists(st.integers(0, 8 * SECTORS * SECTOR - 1), min_size=1, max_size=12))
def test_bits_flip_here_and_there(rested, bits):
    newest_at, data = rested.records[rested.newest]
    image = rested.image
    for bit in bits:
        if not newest_at <= bit // 8 < newest_at + len(data):
            image = flipped(image, bit)
    check(rested, image)


@settings(max_examples=100)
@given(st.integers(0, 255), st.integers(0, SECTOR * SECTORS - 1), st.integers(1, 600))
def test_any_other_byte_repeated(rested, byte, at, length):
    newest_at, data = rested.records[rested.newest]
    if at < newest_at + len(data) and newest_at < at + length:
        return
    image = rested.image[:at] + bytes([byte]) * length + rested.image[at + length :]
    check(rested, image[: len(rested.image)])


def test_noise_in_a_fresh_flash_is_no_ring():
    """An erase that was interrupted leaves any bits; now and then they look like a record."""
    chain = record.Chain(b"noise")
    length = chain.compose(0x77, 0x8291_0187, 300, 5, 9, b"never written", 13)
    noise = bytearray(random.Random(3).randbytes(SECTOR))
    noise[500 : 500 + length] = chain.whole(length)
    flash = NorFlash(size=SECTORS * SECTOR)
    flash.load(0, noise)
    ring = mounted(flash)
    assert (ring.next_sequence, read(ring), ring.damaged_at) == (1, {}, [0])
    assert ring.append(4, 3, 1, 0, 0, b"the first") == 1
    assert list(read(mounted(flash))) == [1]
