"""A million mutated records under the scanner: what the check finds, and what is left to the mac.

BURST is proved in test_record_properties.py.
"""

import random

import pytest
from wallbox.store import record
from wallbox.store.scan import RECORDS_MAX, Scan

from tests.interpreter import ROOT
from tests.test_record_properties import BURST, SECTOR

KEY = b"a key of one box"
RECORDS_AT = 32
MUTANTS = 1_000_000
PARTS = 4  # side by side, if there are cores
MUTANTS_ON_MICROPYTHON = 2_000
BY_CHANCE = 1 / 65_536  # the check lets this part pass of what it is not bound to see


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
