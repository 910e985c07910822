"""The codecs under any value, and a million mutated records under the scanner.

What the record's check is bound to find, what it finds by chance, and what is left to the mac.
"""

import random
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.core import decisions, events, fields, state
from wallbox.store import LedgerFull, record
from wallbox.store.scan import RECORDS_MAX, Scan

from hw.sim.flash import NorFlash
from tests.interpreter import ROOT
from tests.test_ring import mounted

KEY = b"a key of one box"
SECTOR = 4096
RECORDS_AT = 32
MUTANTS = 1_000_000
PARTS = 4  # side by side, if there are cores
MUTANTS_ON_MICROPYTHON = 2_000
BURST = 7  # bits in a row that the check is bound to see
BY_CHANCE = 1 / 65_536  # of all else, the check lets this part pass

SPECIFICATIONS = (
    [row for _, row in fields.table(events.KINDS)]
    + [row for _, row in decisions.facts().values()]
    + [state.LASTING]
)


# fields: the codec of events, facts and state


def values_of(widths):
    """A strategy of lists that fit the layout."""
    limits = [
        st.binary(max_size=60) if width == 0 else st.integers(*limit(width)) for width in widths
    ]
    return st.tuples(*limits).map(list)


def limit(width):
    bits = 8 * (width & 0x7F)
    return (-1 << bits - 1, (1 << bits - 1) - 1) if width & 0x80 else (0, (1 << bits) - 1)


layouts = st.lists(
    st.sampled_from([1, 2, 3, 4, 5, 6, *(0x80 | n for n in range(1, 7))]), max_size=8
)
any_layout = st.one_of(
    st.sampled_from([fields.layout(row) for row in SPECIFICATIONS]),
    st.tuples(layouts, st.sampled_from([b"", b"\0"])).map(lambda parts: bytes(parts[0]) + parts[1]),
)


@given(any_layout.flatmap(lambda widths: st.tuples(st.just(widths), values_of(widths))))
def test_fields_come_back_as_they_were(drawn):
    widths, values = drawn
    buf = bytearray(300)
    end = fields.pack_into(buf, 3, widths, values)
    assert end == 3 + fields.size(widths) + sum(
        len(value) for value in values if isinstance(value, bytes)
    )
    back = [None] * len(values)
    fields.unpack_into(back, 0, widths, buf, 3, end)
    assert back == values
    assert not any(buf[end:])


@pytest.mark.parametrize("width", [1, 2, 3, 4, 5, 6, 0x81, 0x82, 0x83, 0x84, 0x85, 0x86])
def test_each_width_holds_its_limits_and_no_more(width):
    low, high = limit(width)
    buf = bytearray(10)
    for value in (low, low + 1, 0, high - 1, high):
        end = fields.pack_into(buf, 0, bytes([width]), [value])
        back = [None]
        fields.unpack_into(back, 0, bytes([width]), buf, 0, end)
        assert back == [value]
    for value in (low - 1, high + 1, low - 2**70, high + 2**70):
        with pytest.raises(ValueError, match="^field 2: "):
            fields.pack_into(buf, 0, bytes([1, 1, width]), [0, 0, value])


@given(any_layout, st.binary(max_size=120))
def test_any_bytes_are_fields_or_a_value_error(widths, data):
    """One sentence for what is too short, one for what is too long; else it packs to the same."""
    back = [None] * len(widths)
    try:
        fields.unpack_into(back, 0, widths, data, 0, len(data))
    except ValueError as error:
        assert str(error) in ("too short", "too long")
        assert len(data) != fields.size(widths)
    else:
        again = bytearray(len(data))
        assert fields.pack_into(again, 0, widths, back) == len(data)
        assert again == data


@given(st.binary(min_size=1, max_size=120))
def test_any_bytes_are_an_event_or_a_value_error(data):
    event = [0] * events.MAX_FIELDS
    try:
        events.unpack_into(event, data, 0, len(data))
    except ValueError:
        return
    again = bytearray(200)
    assert again[: events.pack_into(again, 0, event)] == data


# the record


def limits_of_a_record():
    """The numbers of a record, one of them at its lowest or highest."""
    highest = {
        "kind": 62,
        "quality": 3,
        "boot": 2**16 - 1,
        "uptime_ms": 2**40 - 1,
        "utc_s": 2**32 - 1,
    }
    middle = {"kind": 4, "quality": 2, "boot": 7, "uptime_ms": 123_456, "utc_s": 1_760_000_000}
    for name, high in highest.items():
        yield from ({**middle, name: value} for value in (0, 1, high - 1, high))


@pytest.mark.parametrize("values", list(limits_of_a_record()))
def test_each_number_of_a_record_keeps_its_limits(values):
    flash = NorFlash(size=4 * SECTOR)
    mounted(flash).append(**values, payload=b"payload")
    (found,) = mounted(flash).records()
    assert found == (
        *(1, values["kind"], values["quality"], values["boot"]),
        *(values["uptime_ms"], values["utc_s"], b"payload"),
    )


@pytest.mark.parametrize("bad", [{"kind": 63}, {"kind": -1}, {"quality": 4}, {"boot": 2**16}])
def test_a_number_beyond_is_refused_and_nothing_is_written(bad):
    flash = NorFlash(size=4 * SECTOR)
    ring = mounted(flash)
    good = {"kind": 4, "quality": 3, "boot": 1, "uptime_ms": 5, "utc_s": 6, "payload": b"1"}
    assert ring.append(**good) == 1
    with pytest.raises(AssertionError):
        ring.append(**{**good, **bad})
    with pytest.raises(ValueError, match="payload of 200 bytes is too long"):
        ring.append(**{**good, "payload": bytes(200)})
    assert ring.append(**good) == 2
    assert [one[0] for one in mounted(flash).records()] == [1, 2]


@given(st.lists(st.binary(max_size=101), max_size=60), st.binary(min_size=1, max_size=80))
def test_any_payloads_under_any_key_come_back(payloads, key):
    flash = NorFlash(size=4 * SECTOR)
    ring = mounted(flash, key=key)
    kept = []
    for payload in payloads:
        try:
            ring.append(4, 3, 1, 1, 1, payload)
        except LedgerFull:
            break
        kept.append(payload)
    assert [one[6] for one in mounted(flash, key=key).records()] == kept


def test_the_check_finds_every_short_burst():
    """By arithmetic, as for single bits in test_record.py: a burst changes the check by the sum
    of what its bits change, so it goes unseen only if these depend on each other. What a bit
    changes depends on its distance from the end alone; so the longest record proves the others.
    The length is excepted: where it changes, the check is looked for at another place."""
    checked = record.LENGTH_MAX - record.TAIL
    nothing = zlib.crc32(bytes(checked))
    changes = []
    for bit in range(8 * checked):
        data = bytearray(checked)
        data[bit >> 3] = 1 << (bit & 7)
        changes.append(record.fold(zlib.crc32(data) ^ nothing))
    changes += [1 << bit for bit in range(16)]  # of the check itself
    windows = range(len(changes) - BURST + 1)
    assert all(independent(changes[at : at + BURST]) for at in windows)
    assert not all(independent(changes[at : at + BURST + 1]) for at in windows)  # no more is bound


def independent(vectors):
    """True if no sum of some of them, as bits, is 0."""
    basis = []
    for vector in vectors:
        for known in basis:
            vector = min(vector, vector ^ known)
        if not vector:
            return False
        basis.append(vector)
    return True


# mutated records


class Sheet:
    """A sector full of records, as a device for the scanner."""

    def __init__(self, seed):
        chance = random.Random(seed)
        chain = record.Chain(KEY)
        self.first = chance.randrange(1, 2**31)
        self.at = []  # (offset, length, mac before, content without its mac) of each
        self.memory = bytearray(b"\xff" * SECTOR)
        offset = RECORDS_AT
        while True:
            payload = chance.randbytes(chance.choice((0, 4, 5, 5, 5, 13, 21, chance.randrange(40))))
            if offset + len(payload) + record.LENGTH_MIN > SECTOR or len(self.at) == RECORDS_MAX:
                break
            before = bytes(chain.previous)
            sequence = self.first + len(self.at)
            length = chain.compose(0xC4, sequence, 9, offset, 1_760_000_000, payload, len(payload))
            data = bytes(chain.whole(length))
            chain.advance(length)
            self.memory[offset : offset + length] = data
            self.at.append((offset, length, before, data[:-8]))
            offset += length
        self.whole = bytes(self.memory)

    def readblocks(self, _sector, view, offset):
        view[:] = self.memory[offset : offset + len(view)]


def flip(memory, at, length, chance):
    bit = chance.randrange(8, 8 * length)
    memory[at + (bit >> 3)] ^= 1 << (bit & 7)


def short_burst(memory, at, length, chance):
    burst(memory, at, length, chance, BURST)


def long_burst(memory, at, length, chance):
    burst(memory, at, length, chance, 16)


def burst(memory, at, length, chance, bits):
    mask = chance.randrange(1, 1 << bits) << chance.randrange(8, 8 * length - bits + 1)
    number = int.from_bytes(memory[at : at + length], "little") ^ mask
    memory[at : at + length] = number.to_bytes(length, "little")


def a_byte(memory, at, length, chance):
    memory[at + chance.randrange(length)] = chance.randrange(256)


def some_bits(memory, at, length, chance):
    for _ in range(chance.randrange(2, 9)):
        memory[at + chance.randrange(length)] ^= 1 << chance.randrange(8)


def a_stretch(memory, at, length, chance):
    """Zeros, as if erased, or noise."""
    begin = chance.randrange(length)
    count = chance.randrange(1, length - begin + 1)
    fill = (bytes(count), b"\xff" * count, chance.randbytes(count))[chance.randrange(3)]
    memory[at + begin : at + begin + count] = fill


def moved(memory, at, length, chance):
    """A byte is missing, and what is behind it has moved up; or one is there twice."""
    place = at + chance.randrange(1, length - 1)
    if chance.randrange(2):
        memory[place : at + length - 1] = memory[place + 1 : at + length]
    else:
        memory[place + 1 : at + length] = memory[place : at + length - 1]


def exchanged(memory, at, length, chance):
    place = at + chance.randrange(length - 1)
    memory[place], memory[place + 1] = memory[place + 1], memory[place]


def spliced(memory, at, length, chance):
    """Goes on as the next record does, behind the first byte of its own number."""
    following = at + length
    if memory[following : following + 1] in (b"", b"\xff"):
        return
    begin = chance.randrange(3, min(length, memory[following]))
    end = min(length, memory[following])
    memory[at + begin : at + end] = memory[following + begin : following + end]


MUTATIONS = [
    *(flip, short_burst, long_burst, a_byte, some_bits, a_stretch, moved, exchanged, spliced),
]
BOUND_TO_BE_SEEN = (flip, short_burst)


class Count:
    def __init__(self):
        self.mutants = self.seen = self.by_chance = self.refused_by_mac = 0


def mutate_and_scan(sheet, chance, count):
    """Mutates each record, but one in eight, and scans the sector as a reader does."""
    memory = sheet.memory
    memory[:] = sheet.whole
    done = {}
    for offset, length, _, _ in sheet.at:
        if chance.getrandbits(3):
            mutation = MUTATIONS[chance.randrange(len(MUTATIONS))]
            mutation(memory, offset, length, chance)
            done[offset] = mutation
    scan = Scan(sheet, SECTOR)
    if not chance.getrandbits(3):  # looks for marks; finds the same records as below
        scan.survey(0, RECORDS_AT, sheet.first)
    found = {}
    offset, low = RECORDS_AT, sheet.first
    high = sheet.first + len(sheet.at) - 1
    while scan.find(0, offset, low, high, SECTOR):
        found[scan.offset] = bytes(scan.window[scan.at : scan.at + scan.length])
        offset = scan.offset + scan.length
        low = scan.sequence + 1
    chain = record.Chain(KEY)
    missing = []
    by_chance = count.by_chance
    for offset, length, before, content in sheet.at:
        now = memory[offset : offset + length]
        changed = now != sheet.whole[offset : offset + length]
        count.mutants += changed
        data = found.pop(offset, None)
        if data is None:
            count.seen += changed
            if not changed:
                missing.append(offset)
        elif changed:
            if data[:-8] != content:
                count.by_chance += 1
                assert done[offset] not in BOUND_TO_BE_SEEN, done[offset]
            chain.previous[:] = before
            chain.record[: len(data)] = data
            assert not chain.follows(len(data)), "the mac believes it"
            count.refused_by_mac += 1
    count.by_chance += len(found)  # in between: no record ever began there
    # Only what passes by chance can hide a whole one, by its length or by its sequence.
    assert not missing or count.by_chance > by_chance, f"whole, and not found: {missing}"


@pytest.mark.parametrize("part", range(PARTS))
def test_no_mutated_record_is_believed(seed, part):
    """A million of them: the check lets one in 65,536 pass, where it is not bound to see it; the
    mac none. The records between them are all found."""
    chance = random.Random(seed)
    count = Count()
    sheets = [Sheet(chance.getrandbits(32)) for _ in range(20)]
    while count.mutants < MUTANTS // PARTS:
        mutate_and_scan(chance.choice(sheets), chance, count)
    print(vars(count))
    assert count.seen + count.refused_by_mac == count.mutants
    assert count.seen > count.mutants // 2
    expected = count.mutants * BY_CHANCE
    assert count.by_chance <= 4 * expected + 10


ON_BOTH = """
from hw.sim.flash_faults import FaultyFlash
from wallbox.store import record
from wallbox.store.scan import Scan

class Sheet:
    def readblocks(self, sector, view, offset):
        view[:] = memory[offset : offset + len(view)]

chance = FaultyFlash(512, %d, 512)
chain = record.Chain(b"a key of one box")
memory = bytearray(4096)
for sheet in range(%d // 100):
    memory[:] = b"\\xff" * 4096
    offset = 32
    for sequence in range(1, 101):
        size = chance.random(12)
        length = chain.compose(4, sequence, 1, 2, 3, chance.noise(size), size)
        chain.advance(length)
        data = bytearray(chain.whole(length))
        for _ in range(chance.random(4)):
            data[chance.random(length)] ^= 1 << chance.random(8)
        memory[offset : offset + length] = data
        offset += length
    scan = Scan(Sheet(), 4096)
    scan.survey(0, 32, 1)
    found = []
    offset = low = 32
    low = 1
    while scan.find(0, offset, low, 100, 4096):
        found.append((scan.offset, record.unpack(scan.window, scan.at)))
        offset = scan.offset + scan.length
        low = scan.sequence + 1
    print(len(found), found[-1], scan.dirty)
"""


def test_both_interpreters_find_the_same_in_mutated_records(micropython, seed, capsys):
    code = ON_BOTH % (seed, MUTANTS_ON_MICROPYTHON)
    exec(code, {})
    printed = capsys.readouterr().out
    assert printed.count("\n") == MUTANTS_ON_MICROPYTHON // 100
    assert micropython.run(code, path=[ROOT]) == printed
