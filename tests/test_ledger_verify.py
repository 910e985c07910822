"""`wallbox ledger verify`: what is wrong with a ledger is found and named, and nothing else."""

import pytest
from wallbox.store import LedgerFull
from wallbox.store.sectors import RECORDS_AT

from host.ledger.verify.ring_image import read_image
from tests.ledger_story import METER, START_WH, Story
from tests.verifying import codes, flipped, report_of, silent, told

SECTOR = 4096


@pytest.fixture(scope="module")
def small():
    """16 records in one sector, a mark of the second boot between them."""
    return Story().boot().day().boot().intervals(1).image()


@pytest.fixture(scope="module")
def placed(small):
    """The records of `small` as they lie in it."""
    return read_image(small, silent).stored


@pytest.fixture(scope="module")
def large():
    """250 records in eight sectors, all of it in one boot."""
    return Story(sectors=16).boot().day().long_records(240).image()


# sound ledgers


def test_a_sound_ledger_is_whole_and_proved(small):
    report = report_of(small)
    assert (report.whole, report.chain, report.proved, report.unproved) == (True, "proved", 16, [])
    assert (report.records, report.first_sequence, report.last_sequence) == (16, 1, 16)
    assert (report.boots, report.last_utc_s - report.first_utc_s) == (2, 8 * 900 + 77)
    (total,) = report.totals
    assert (total.meter_id, total.first_register_wh, total.difference_wh) == (METER, START_WH, 0)
    assert (total.intervals, total.gaps, total.sessions) == (8, 1, 1)


def test_a_ring_gone_round_several_times_is_whole():
    story = Story(sectors=4).boot()
    for number in range(600):
        story.interval()
        story.ring.acknowledge(story.last - 60)
        if number % 97 == 0:
            story.boot()
        if number % 5 == 0:
            story.ring.erase_ahead()
    report = report_of(story.image())
    assert report.whole, told(report)
    assert report.chain == "proved" and report.last_sequence == story.last
    assert report.first_sequence == story.ring.oldest_sequence > 300
    assert "freed" in [note.code for note in report.notes]


def test_a_full_partition_of_512_kb():
    story = Story(sectors=128).boot()
    with pytest.raises(LedgerFull):
        story.intervals(20_000)
    report = report_of(story.image())
    assert report.whole and report.chain == "proved"
    assert report.records == report.proved == story.last > 10_000


# flipped bits


def test_every_flipped_bit_of_every_record_is_named(small, placed):
    for stored in placed:
        for bit in range(8 * len(stored.data)):
            report = report_of(flipped(small, stored.position + bit // 8, bit % 8))
            (found,) = report.findings
            assert found.sequence == stored.sequence, (stored.sequence, bit)
            assert found.position == stored.position, (stored.sequence, bit)
            assert found.code in ("damaged", "mac", "newest"), (stored.sequence, bit)
            assert report.records == len(placed) and not report.totals[0].difference_wh


def test_the_field_of_a_flipped_bit_is_named(small, placed):
    interval = placed[3]
    fields = {
        0: "length", 1: "kind", 2: "sequence", 6: "boot", 8: "uptime_ms", 13: "utc_s",
        17: "register_wh", 22: "meter_id", 26: "energy_wh", 30: "end_utc_s", 34: "end_quality",
        35: "interval_s", 37: "flags", 38: "check", 40: "mac",
    }  # fmt: skip
    for offset, name in fields.items():
        report = report_of(flipped(small, interval.position + offset, 2))
        (found,) = report.findings
        assert f"one bit of {name} is flipped" in found.text or f"{name} damaged" in found.text
        assert "record 4 (INTERVAL, 2026-01-01 00:15:00 S) at 0xb7" in found.text
        assert found.kind == "INTERVAL"
    (found,) = report_of(flipped(small, interval.position + 1, 7)).findings
    assert "quality" in found.text


def test_without_the_key_all_but_the_macs_is_checked(small, placed):
    for stored in placed:
        for bit in range(0, 8 * len(stored.data), 3):
            report = report_of(flipped(small, stored.position + bit // 8, bit % 8), None)
            assert report.chain == "not proved" and report.unproved
            if bit < 8 * (len(stored.data) - 8):
                assert [one.sequence for one in report.findings] == [stored.sequence], bit
            else:
                assert report.whole, "a mac says nothing without the key"


def test_every_flipped_bit_of_every_header_in_use_is_reported(large):
    for sector in range(8):
        for bit in range(0, 28 * 8, 1 if sector in (0, 7) else 9):
            report = report_of(flipped(large, sector * SECTOR + bit // 8, bit % 8))
            (found,) = report.findings
            assert (found.code, found.position) == ("header", sector * SECTOR), (sector, bit)
            assert report.records > 250, "no record is lost"


def test_a_flipped_bit_of_a_mark_is_reported_and_costs_no_record(small, placed):
    mark = placed[14].position - 8
    for bit in range(64):
        report = report_of(flipped(small, mark + bit // 8, bit % 8))
        (found,) = report.findings
        assert (found.code, found.position) == ("mark", mark), bit
        assert report.records == len(placed)


def test_a_bit_in_the_free_room_is_reported_where_no_power_cut_reaches(small):
    assert codes(report_of(flipped(small, 3000, 4))) == ["stray"]


def test_two_bits_make_a_record_unreadable_and_the_rest_stands(small, placed):
    broken = flipped(flipped(small, placed[5].position + 20, 1), placed[5].position + 9, 6)
    report = report_of(broken)
    (found,) = report.findings
    assert (found.code, found.sequence, report.records) == ("damaged", 6, 15)
    assert "record 6: cannot be read" in found.text
    assert (report.chain, report.unproved) == ("partly", [7])


def test_a_mac_at_the_end_of_a_sector_is_checked_by_the_next_header(large):
    last = max(
        (one for one in read_image(large, silent).stored if one.position < SECTOR),
        key=lambda one: one.position,
    )
    broken = flipped(large, last.position + len(last.data) - 1, 3)
    assert [(one.code, one.sequence) for one in report_of(broken).findings][-1] == (
        "mac", last.sequence,
    )  # fmt: skip
    assert codes(report_of(broken, None)) == ["header"], "seen even without the key"


# records dropped, repeated, swapped, changed


def packed(image, order):
    """One sector with the records in another order, one behind the other."""
    stored = {one.sequence: one.data for one in read_image(image, silent).stored}
    data = b"".join(stored[number] for number in order)
    return image[:RECORDS_AT] + data.ljust(SECTOR - RECORDS_AT, b"\xff") + image[SECTOR:]


@pytest.fixture(scope="module")
def plain():
    """One boot, one sector: BOOT, METER, a snapshot and intervals, 1 to 12."""
    return Story().boot().intervals(9).image()


def test_packing_alone_changes_nothing(plain):
    assert packed(plain, range(1, 13)) == plain
    assert report_of(plain).whole


def test_any_dropped_record_is_named(plain):
    for number in range(1, 12):
        report = report_of(packed(plain, [one for one in range(1, 13) if one != number]))
        missing = [one for one in report.findings if one.code == "missing"]
        assert [one.sequence for one in missing] == [number]
        assert codes(report) == ["missing"], told(report)
        if number > 4:
            assert f"record {number + 1}" in missing[0].text and "0.250 kWh" in missing[0].text


def test_any_repeated_record_is_named(plain):
    for number in range(1, 13):
        order = [*range(1, 13)]
        order.insert(min(number + 2, 12), number)
        report = report_of(packed(plain, order))
        assert [(one.code, one.sequence) for one in report.findings] == [("repeated", number)]
        assert report.chain == "proved" and not report.totals[0].difference_wh


def test_any_two_swapped_records_are_named(plain):
    for one in range(1, 12):
        for other in range(one + 1, 13):
            order = [*range(1, 13)]
            order[one - 1], order[other - 1] = other, one
            report = report_of(packed(plain, order))
            assert set(codes(report)) == {"order"}
            assert {found.sequence for found in report.findings} <= set(range(one, other + 1))
            assert {one, other} & {found.sequence for found in report.findings}
            assert report.chain == "proved", "in the order of their numbers they are sound"


def test_a_changed_record_whose_check_was_made_to_fit_fails_by_its_mac(plain):
    forger = Story(key=b"somebody else's key").boot().intervals(9)
    other = {one.sequence: one for one in read_image(forger.image(), silent).stored}
    for number in range(1, 13):
        at = other[number].position
        data = bytearray(other[number].data)
        broken = bytearray(plain)
        broken[at : at + len(data)] = data
        report = report_of(broken)
        assert (codes(report), report.findings[0].sequence) == (["mac"], number)


def test_a_dropped_and_two_swapped_sectors_are_named(large):
    blank = large[: 2 * SECTOR] + b"\xff" * SECTOR + large[3 * SECTOR :]
    report = report_of(blank)
    (found,) = report.findings
    assert found.code == "missing" and found.last_sequence - found.sequence > 25
    swapped = (
        large[:SECTOR] + large[2 * SECTOR : 3 * SECTOR] + large[SECTOR : 2 * SECTOR]
        + large[3 * SECTOR :]
    )  # fmt: skip
    report = report_of(swapped)
    assert "order" in codes(report) and report.chain == "proved"


def test_an_old_sector_in_the_place_of_the_newest_is_named(large):
    replayed = large[: 7 * SECTOR] + large[2 * SECTOR : 3 * SECTOR] + large[8 * SECTOR :]
    assert "repeated" in codes(report_of(replayed))


def test_records_erased_before_the_operator_had_them():
    story = Story(sectors=4).boot().intervals(250)
    image = story.image()
    assert story.ring.head == 3
    assert codes(report_of(b"\xff" * SECTOR + image[SECTOR:])) == ["freed"]


def test_a_newest_record_that_nobody_signed():
    story = Story().boot().intervals(3)
    whole = story.image()
    forger = Story(key=b"somebody else's key").boot().intervals(4)
    image = forger.image()
    end = len(whole.rstrip(b"\xff"))
    report = report_of(whole[:end] + image[end : end + 200] + whole[end + 200 :])
    assert codes(report) == ["mac"] and report.findings[0].sequence == story.last + 1
