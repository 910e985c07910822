"""Packed messages: the firmware's encoder, the host's decoder, the very same bytes."""

import random
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wallbox.core import decisions
from wallbox.link.outbox import PACKED, Outbox
from wallbox.store.ledger import Ledger

from host.collect.packed import unpacked
from hw.sim.flash import NorFlash, Partition
from tests.boxes import Ledger as Box
from tests.boxes import messages

KEY = bytes(range(32))
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "packed.md").read_text(encoding="utf-8")
LENGTH = PACKED - 1


class Store:
    """What the outbox wants of a ledger; records that are left out are holes."""

    def __init__(self, records, damaged=()):
        self.records = records
        self.damaged = damaged

    def read_into(self, sequence, buf):
        while sequence in self.damaged:
            sequence += 1
        first, end = sequence, 0
        while sequence <= len(self.records) and sequence not in self.damaged:
            record = self.records[sequence - 1]
            if end + len(record) > len(buf):
                break
            buf[end : end + len(record)] = record
            end += len(record)
            sequence += 1
        return (end, first, sequence - 1) if end else (0, 0, 0)


def whole(read, *arguments):
    """A message that takes several calls."""
    while (found := read(*arguments))[0] < 0:
        pass
    return found


def sent(store, limit):
    """All messages as (first sequence, length with form, bytes, last sequence)."""
    outbox, buf, sequence, found = Outbox(store), memoryview(bytearray(limit + 254)), 1, []
    while True:
        length, last = whole(outbox.pack, sequence, limit, buf)
        if not length:
            return found
        assert length & LENGTH <= max(limit, 254)
        found.append((sequence, length, bytes(buf[: length & LENGTH]), last))
        sequence = last + 1


def intervals(count, draw):
    """A record a minute while a car charges."""
    box, register_wh = Box(KEY), 1_000_000
    for minute in range(1, count + 1):
        energy_wh = draw.randrange(175, 190)
        register_wh += energy_wh
        box.uptime_ms += draw.randrange(-40, 40)
        end_utc_s = box.boot_utc_s + 60 * minute
        box.fact(decisions.INTERVAL, register_wh, 4711, energy_wh, end_utc_s, 3, 60, 0)
    return box.records


def test_the_example_of_the_page():
    whole, packed = [bytes.fromhex(block) for block in re.findall(r"(?:\n    [0-9A-F ]+)+", PAGE)]
    flash = NorFlash(size=8 * 4096)
    ledger = Ledger(Partition(flash, 0, flash.size), KEY)
    ledger.mount()
    rows = re.findall(r"\| [123] \| (\d+) \| (\d+) \| ([0-9A-F ]+) \|", PAGE)
    assert len(rows) == 3
    for uptime_ms, utc_s, payload in rows:
        ledger.append(4, 3, 7, int(uptime_ms), int(utc_s), bytes.fromhex(payload))
    buf = bytearray(1024)
    assert buf[: ledger.read_into(1, buf)[0]] == whole
    ((_, length, message, _),) = sent(ledger, 1024)
    assert length & PACKED
    assert message == packed
    assert unpacked(KEY, packed) == whole


def test_intervals_take_less_than_a_third(seed):
    records = intervals(2000, random.Random(seed))
    messages = sent(Store(records), 1024)
    assert b"".join(unpacked(KEY, message) for _, _, message, _ in messages) == b"".join(records)
    assert sum(len(message) for _, _, message, _ in messages) < 13 * len(records)


# any records

values = st.one_of(st.integers(0, 3), st.integers(0, 100_000), st.integers(0, (1 << 32) - 1))
changes = st.lists(st.tuples(st.integers(0, 226), st.integers(0, 255)), max_size=12)
like_before = st.tuples(values, st.integers(-2, 3), changes)  # ms, s beyond what they make, bytes
another = st.tuples(
    st.integers(0, 255), st.integers(0, 65535), st.integers(0, (1 << 40) - 1),
    st.integers(0, (1 << 32) - 1), st.binary(max_size=227),
)  # fmt: skip
stories = st.tuples(another, st.lists(st.one_of(like_before, like_before, another), max_size=25))


def told(story):
    first, rest = story
    box = Box(KEY)
    made = [first]
    for one in rest:
        if len(one) == 3:
            kind, boot, uptime_ms, utc_s, payload = made[-1]
            rise_ms, beyond_s, changed = one
            payload = bytearray(payload)
            for place, byte in changed:
                if place < len(payload):
                    payload[place] = byte
            utc_s = (utc_s + rise_ms // 1000 + beyond_s) % (1 << 32)
            one = kind, boot, (uptime_ms + rise_ms) % (1 << 40), utc_s, bytes(payload)
        made.append(one)
    for kind, boot, uptime_ms, utc_s, payload in made:
        box.boot, box.uptime_ms = boot, uptime_ms - 60_000
        box.boot_utc_s = utc_s - uptime_ms // 1000
        box.record(kind & 63, payload, kind >> 6)
    return box.records


@given(stories, st.integers(27, 1200), st.sets(st.integers(1, 26), max_size=3))
def test_any_records_come_back_and_repeat_themselves(story, limit, damaged):
    records = told(story)
    store = Store(records, damaged)
    found = sent(store, limit)
    kept = [record for number, record in enumerate(records, 1) if number not in damaged]
    assert b"".join(unpacked(KEY, message) for _, _, message, _ in found) == b"".join(kept)
    plain = messages(kept, limit)
    assert sum(len(message) for *_, message, _ in found) <= sum(map(len, plain)) + 9 * len(found)
    again = Outbox(store)
    buf = memoryview(bytearray(1500))
    for first, length, message, last in reversed(found):
        read = again.pack if length & PACKED else again.read
        assert whole(read, first, length & LENGTH, buf) == (length, last)
        assert buf[: length & LENGTH] == message


@given(st.data())
def test_what_was_changed_on_the_way_yields_nothing_else(data):
    records = intervals(12, random.Random(1))
    ((_, _, message, _),) = sent(Store(records), 1024)
    changed = bytearray(message)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.integers(1, len(changed) - 1))
        changed[at] ^= data.draw(st.integers(1, 255))
    changed = changed[: data.draw(st.one_of(st.just(len(changed)), st.integers(1, len(changed))))]
    try:
        found = unpacked(KEY, bytes(changed))
    except ValueError:
        return
    assert found == b"".join(records)  # a number may be written in two ways


@given(st.binary(max_size=600))
def test_noise_is_refused_in_an_orderly_way(noise):
    with pytest.raises(ValueError):
        unpacked(KEY, b"\x01" + noise)


def test_another_key_proves_nothing():
    ((_, _, message, _),) = sent(Store(intervals(12, random.Random(1))), 1024)
    with pytest.raises(ValueError, match="mac at the end"):
        unpacked(bytes(32), message)


def test_a_mac_that_rotted_inside_is_restored_and_one_at_the_end_is_refused():
    records = intervals(12, random.Random(1))
    rotten = [record[:-1] + bytes((record[-1] ^ 1,)) for record in records]
    ((_, _, message, _),) = sent(Store(records[:5] + rotten[5:6] + records[6:]), 1024)
    assert unpacked(KEY, message) == b"".join(records)
    for at in (0, 11):
        store = Store(records[:at] + rotten[at : at + 1] + records[at + 1 :])
        ((_, _, message, _),) = sent(store, 1024)
        with pytest.raises(ValueError, match="mac at the end"):
            unpacked(KEY, message)


def test_the_interpreter_of_the_box_makes_the_same_bytes(micropython, seed):
    alike = [(60_000, 0, [(number % 21, number)]) for number in range(40)]
    records = told(((4, 1, 5, 1_790_000_000, bytes(21)), alike))[:20]
    records += intervals(200, random.Random(seed))[20:]
    here = [message.hex() for *_, message, _ in sent(Store(records), 700)]
    code = f"""
from wallbox.link.outbox import Outbox
records = [bytes.fromhex(one) for one in {[record.hex() for record in records]}]
class Store:
    def read_into(self, sequence, buf):
        first, end = sequence, 0
        while sequence <= len(records) and end + len(records[sequence - 1]) <= len(buf):
            record = records[sequence - 1]
            buf[end : end + len(record)] = record
            end += len(record)
            sequence += 1
        return (end, first, sequence - 1) if end else (0, 0, 0)
outbox, buf, sequence = Outbox(Store()), memoryview(bytearray(1000)), 1
while True:
    length, last = outbox.pack(sequence, 700, buf)
    if length < 0:
        continue
    if not length:
        break
    print(buf[: length & 0x7FFF].hex())
    sequence = last + 1
"""
    assert micropython.run(code, heap="1000wK").split() == here
