"""The record: layout, check and chain."""

import hmac
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.store import record

from tests import spec_reader

KEY = b"a key of one box"

fields = st.tuples(
    st.integers(0, 62),
    st.integers(0, 3),
    st.integers(1, 2**32 - 1),
    st.integers(0, 2**16 - 1),
    st.integers(0, 2**40 - 1),
    st.integers(0, 2**32 - 1),
    st.binary(max_size=record.PAYLOAD_MAX),
)


def composed(chain, kind, quality, sequence, boot, uptime_ms, utc_s, payload):
    length = chain.compose(
        kind | quality << 6, sequence, boot, uptime_ms, utc_s, payload, len(payload)
    )
    return bytes(chain.whole(length))


def a_record(payload=bytes(5), chain=None):
    return composed(chain or record.Chain(KEY), 4, 3, 1, 7, 123_456, 1_760_000_000, payload)


def test_a_register_of_five_bytes_makes_a_record_of_32():
    assert len(a_record(bytes(5))) == 32


@given(fields)
def test_what_is_composed_is_read(values):
    kind, quality, sequence, boot, uptime_ms, utc_s, payload = values
    data = composed(record.Chain(KEY), *values)
    assert record.length_at(memoryview(data), 0, len(data)) == len(data) == 27 + len(payload)
    assert record.unpack(data) == (sequence, kind, quality, boot, uptime_ms, utc_s, payload)
    read = spec_reader.Record(0, 0, spec_reader.record_at(data, 0))
    assert (read.sequence, read.kind, "UIRS".index(read.quality)) == (sequence, kind, quality)
    assert (read.boot, read.uptime_ms, read.utc_s) == (boot, uptime_ms, utc_s)
    assert read.payload == payload


@given(st.lists(fields, min_size=1, max_size=5), st.binary(min_size=1, max_size=100))
def test_each_record_is_chained_to_the_one_before(records, key):
    chain = record.Chain(key)
    previous = hmac.digest(key, b"wallbox ledger", "sha256")[:8]
    assert chain.tag(b"wallbox ledger") == previous
    chain.previous[:] = previous
    for values in records:
        data = composed(chain, *values)
        assert data[-8:] == hmac.digest(key, previous + data[:-8], "sha256")[:8]
        assert chain.follows(len(data))
        chain.advance(len(data))
        previous = data[-8:]


def test_an_empty_key_is_refused():
    with pytest.raises(ValueError, match="key is empty"):
        record.Chain(b"")


def test_a_payload_in_a_longer_buffer():
    chain = record.Chain(KEY)
    length = chain.compose(4, 1, 1, 1, 1, b"12345 and what is left of the last one", 5)
    assert record.unpack(chain.record)[6] == b"12345"
    assert length == 32


def test_the_check_finds_every_flipped_bit():
    """By arithmetic: CRC-32 is linear, so a flipped bit changes it by the CRC of that bit alone,
    whatever the rest. Only if the fold of that change were 0 would the bit go unseen."""
    for checked in range(record.LENGTH_MIN - 10, record.LENGTH_MAX - 10 + 1):
        nothing = zlib.crc32(bytes(checked))
        bit = bytearray(checked)
        # The change depends on the distance from the end, so a bit of the first byte is new
        # for each length, and shorter records have proved the others.
        places = range(1) if checked > record.LENGTH_MIN - 10 else range(checked)
        for place in places:
            for mask in (1, 2, 4, 8, 16, 32, 64, 128):
                bit[place] = mask
                assert record.fold(zlib.crc32(bit) ^ nothing) != 0
            bit[place] = 0


def test_a_flipped_bit_is_seen_at_every_place_of_a_real_record():
    chain = record.Chain(KEY)
    data = a_record(bytes(range(40)), chain)
    for bit in range(8 * len(data)):
        torn = bytearray(data)
        torn[bit >> 3] ^= 1 << (bit & 7)
        if bit >> 3 < len(data) - 8 and torn[0] == data[0]:
            assert not record.length_at(memoryview(torn), 0, len(torn))
        chain.record[: len(torn)] = torn
        assert not chain.follows(len(torn))


@given(st.binary(min_size=27, max_size=300), st.integers(0, 299))
def test_no_bytes_make_the_codec_raise(data, offset):
    view = memoryview(data)
    length = record.length_at(view, offset, len(data))
    assert length == 0 or 27 <= length <= 254
    if length:
        record.unpack(data, offset)


@given(fields, st.data())
def test_a_record_that_was_changed_is_not_believed(values, draw):
    chain = record.Chain(KEY)
    data = bytearray(composed(chain, *values))
    length = len(data)
    place = draw.draw(st.integers(0, length - 1))
    data[place] ^= draw.draw(st.integers(1, 255))
    chain.record[:length] = data
    assert not chain.follows(length)


SAME_BYTES = """
import sys
from wallbox.store import record
chain = record.Chain(b"a key of one box")
chain.previous[:] = chain.tag(b"wallbox ledger")
for number in range(1, 60):
    payload = bytes(range(number * 3))
    kind = number | number % 4 << 6
    size = len(payload)
    length = chain.compose(kind, number, 65535, number << 34, 4294967295, payload, size)
    chain.advance(length)
    print(bytes(chain.whole(length)).hex())
"""


def test_both_interpreters_make_the_same_bytes(micropython, capsys):
    exec(SAME_BYTES, {})
    assert micropython.run(SAME_BYTES) == capsys.readouterr().out


def test_composing_allocates_only_the_hash_objects(micropython):
    printed = micropython.run(
        """
import gc, hashlib
from wallbox.store import record
chain = record.Chain(b"a key of one box")
payload = bytearray(20)
def allocated(function):
    function()
    gc.collect(); gc.disable()
    before = gc.mem_alloc()
    function()
    after = gc.mem_alloc()
    gc.enable()
    return after - before
forced = allocated(lambda: hashlib.sha256(payload).digest())
print(forced, allocated(lambda: chain.compose(4, 1, 1, 12345678, 1760000000, payload, 5)))
"""
    )
    forced, composing = map(int, printed.split())
    assert composing == 2 * forced
