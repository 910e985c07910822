"""The ledger: what to recover from, and the operator's acknowledgement."""

import hmac
import struct

import pytest
from wallbox.core import decisions, engine
from wallbox.store import StoreError, record
from wallbox.store.ledger import LONGEST, Ledger

from hw.sim.flash import NorFlash, Partition
from hw.sim.flash_faults import PROGRAM_FAILS, PROGRAM_IGNORED, FaultyFlash
from tests.interpreter import ROOT

KEY = b"a key of one box"
SECTOR = 4096
UTC_S = 1_760_000_000


class Box:
    """A ledger whose owner counts, and can say what it counted."""

    def __init__(self, flash):
        self.ledger = Ledger(Partition(flash, 0, flash.size), KEY)
        self.ledger.mount()
        self.total = 0
        for kind, _, _, payload in self.ledger.recent():
            if kind == record.STATE:
                self.total = int(payload)
            elif kind != record.WATERMARK:
                self.total = max(self.total, int(payload))
        self.ledger.state_source = lambda: (record.STATE, b"%d" % self.total)

    def count(self, times):
        for _ in range(times):
            self.total += 1
            self.ledger.append(9, 3, 1, self.total, UTC_S, b"%d" % self.total)


def statement(sequence, mac, key=KEY):
    body = struct.pack("<I", sequence) + mac
    return body + hmac.digest(key, b"ack" + body, "sha256")[:8]


def mac_of(ledger, sequence):
    buf = bytearray(254)
    assert ledger.read_into(sequence, buf)[1] == sequence
    return bytes(buf[buf[0] - 8 : buf[0]])


@pytest.mark.parametrize("appends", [0, 1, 5, 120, 130, 131, 260, 600])
def test_the_recent_records_give_the_state_back(appends):
    flash = NorFlash(size=16 * SECTOR)
    Box(flash).count(appends)
    box = Box(flash)
    assert box.total == appends
    box.count(3)
    assert Box(flash).total == appends + 3


def test_recovery_reads_two_sectors_at_most():
    flash = NorFlash(size=16 * SECTOR)
    box = Box(flash)
    box.count(1000)
    ledger = Ledger(Partition(flash, 0, flash.size), KEY)
    ledger.mount()
    recent = list(ledger.recent())
    assert recent[0][0] == record.STATE
    assert len(recent) <= 2 * 130


def test_recent_begins_with_the_latest_snapshot():
    flash = NorFlash(size=16 * SECTOR)
    box = Box(flash)
    box.count(10)
    box.ledger.append(record.STATE, 3, 1, 0, UTC_S, b"11")
    box.ledger.append(9, 2, 1, 7, UTC_S + 7, b"12")
    for ledger in (box.ledger, Box(flash).ledger):
        assert list(ledger.recent()) == [
            (record.STATE, 3, UTC_S, b"11"),
            (9, 2, UTC_S + 7, b"12"),
        ]


def test_a_snapshot_that_was_cut_off_is_written_again_and_the_one_before_serves():
    flash = NorFlash(size=16 * SECTOR)
    box = Box(flash)
    box.count(400)
    box.ledger.state_source = None
    while box.ledger.state_sequence:  # enters a sector without a snapshot
        box.count(1)
    total = box.total
    box = Box(flash)
    assert box.ledger.state_sequence == 0
    assert box.total == total
    box.count(1)
    assert box.ledger.state_sequence == box.ledger.next_sequence - 2
    assert Box(flash).total == total + 1


@pytest.mark.parametrize("way", [PROGRAM_FAILS, PROGRAM_IGNORED])
def test_starts_on_a_flash_that_takes_nothing_leave_what_the_box_remembers(way):
    """Each start erases sectors in vain; those that the operator has were all of them once."""
    flash = FaultyFlash(size=8 * SECTOR)
    box = Box(flash)
    box.count(400)
    box.ledger.state_source = None
    while box.ledger.state_sequence:  # the power fails before the fresh sector has its snapshot
        box.count(1)
    ledger = box.ledger
    assert ledger.acknowledge(ledger.next_sequence - 1)
    ledger.flush_acknowledged()
    before = list(ledger.recent())
    assert before[0][0] == record.STATE and len(before) > 100
    flash.bad_sectors = dict.fromkeys(range(8), way)
    for _ in range(5):
        flash.power_on()
        with pytest.raises(StoreError, match="replace the flash"):
            Box(flash)
    flash.bad_sectors = {}
    after = Box(flash)
    assert list(after.ledger.recent())[: len(before)] == before
    after.count(200)
    assert Box(flash).total == box.total + 200


def test_what_the_box_remembers_stays_until_a_sector_can_be_written_again():
    """Of a ledger that the operator has whole, all sectors but those may be erased, and fail."""
    flash = FaultyFlash(size=8 * SECTOR)
    box = Box(flash)
    box.count(400)
    box.ledger.acknowledge(box.ledger.next_sequence - 1)
    flash.bad_sectors = dict.fromkeys(range(8), PROGRAM_FAILS)
    for _ in range(8):
        with pytest.raises(StoreError):
            box.count(1)
    flash.bad_sectors = {}
    with pytest.raises(StoreError, match="replace the flash"):
        box.count(1)
    assert Box(flash).total == 400
    box.ledger.search_again()
    box.count(1)
    assert Box(flash).total == box.total


def test_the_operators_acknowledgement():
    box = Box(NorFlash(size=16 * SECTOR))
    box.count(100)
    ledger = box.ledger
    assert ledger.acknowledge_message(statement(50, mac_of(ledger, 50)))
    assert ledger.acknowledged == 50
    assert ledger.acknowledge_message(statement(20, mac_of(ledger, 20)))  # late, and true
    assert ledger.acknowledged == 50
    genesis = hmac.digest(KEY, b"wallbox ledger", "sha256")[:8]
    assert ledger.statement(statement(0, genesis)) == 0


def test_what_is_not_the_operators_is_refused():
    box = Box(NorFlash(size=16 * SECTOR))
    box.count(100)
    ledger = box.ledger
    good = statement(50, mac_of(ledger, 50))
    refused = [
        b"",
        good[:-1],
        good + b"\0",
        statement(50, mac_of(ledger, 50), b"another key"),
        statement(50, mac_of(ledger, 49)),  # of another history
        statement(5000, bytes(8)),
        *(good[:place] + bytes([good[place] ^ 1]) + good[place + 1 :] for place in range(20)),
    ]
    for message in refused:
        assert not ledger.acknowledge_message(message)
        assert ledger.statement(message) == -1
    assert ledger.acknowledged == 0
    assert ledger.acknowledge_message(memoryview(bytearray(good)))


def test_a_statement_about_a_freed_record_is_taken_on_its_proof():
    flash = NorFlash(size=4 * SECTOR)
    box = Box(flash)
    box.count(10)
    old = statement(5, mac_of(box.ledger, 5))
    for _ in range(10):
        box.count(100)
        box.ledger.acknowledge(box.ledger.next_sequence - 1)
    assert box.ledger.oldest_sequence > 5
    assert box.ledger.statement(old) == 5
    assert box.ledger.statement(statement(5, bytes(8), b"no")) == -1


def fact(ledger, *values):
    """Appends a fact as the agent does."""
    payload = bytearray(LONGEST)
    length = decisions.pack_into(payload, 0, values)
    ledger.append(values[0], 3, 1, 0, UTC_S, payload, length)


def session(ledger, tag):
    """Begin and end; with a tag that was tapped twice, if it has one."""
    if tag:
        fact(ledger, decisions.TAG, 0, 0, 1, 0, 1, tag)
    fact(ledger, decisions.SESSION_BEGIN, 12_345_678, 42, 7, 2 if tag else 1, 3, 16_000, tag)
    if tag:
        fact(ledger, decisions.TAG, 0, 0, 2, 0, 1, tag)
    fact(ledger, decisions.SESSION_END, 12_345_678, 42, 7, 5500, UTC_S, 3, 2, 0, 0)


@pytest.mark.parametrize("tag, least_days", [(b"", 95), (bytes(8), 88)])
def test_a_month_without_the_operator_fits(tag, least_days):
    """96 intervals a day with their register, 4 sessions; the 512 KB of the shipped table."""
    flash = NorFlash(size=128 * SECTOR)
    ledger = Ledger(Partition(flash, 0, flash.size), KEY)
    ledger.mount()
    ledger.state_source = lambda: (record.STATE, bytes(engine.SNAPSHOT_SIZE))
    days = 0
    while ledger.fill_permille < 970:
        for interval in range(96):
            fact(ledger, decisions.INTERVAL, 12_345_678, 42, 2750, UTC_S, 3, 900, 0)
            if interval % 24 == 0:
                session(ledger, tag)
        days += 1
    assert days >= least_days


def test_the_longest_record_of_a_ledger():
    ledger = Ledger(Partition(NorFlash(size=4 * SECTOR), 0, 4 * SECTOR), KEY)
    ledger.mount()
    ledger.append(10, 3, 1, 0, UTC_S, bytes(LONGEST - 27))
    with pytest.raises(ValueError, match="too long"):
        ledger.append(10, 3, 1, 0, UTC_S, bytes(LONGEST - 26))


STORY = """
from hw.sim.flash import NorFlash, Partition
from wallbox.store.ledger import Ledger
flash = NorFlash(None, 8 * 4096)
part = Partition(flash, 0, flash.size)
for boot in range(1, 12):
    ledger = Ledger(part, b"a key of one box")
    ledger.mount()
    ledger.state_source = lambda: (61, b"a state of the box")
    for step in range(70):
        ledger.append(step % 10, boot % 4, boot, step << 20, 1760000000 + step, bytes(step % 30))
    ledger.acknowledge(ledger.next_sequence - 3)
    ledger.erase_ahead()
    print(boot, ledger.next_sequence, ledger.oldest_sequence, ledger.fill_permille)
for record in ledger.recent():
    print(record)
import binascii
print(binascii.crc32(flash.image()))
"""


def test_both_interpreters_fill_the_same_flash(micropython, capsys):
    exec(STORY, {})
    assert micropython.run(STORY, path=[ROOT]) == capsys.readouterr().out
