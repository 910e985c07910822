"""Records that were written without a clock get bounds from their neighbours, and no more."""

from wallbox.core import events

from host.ledger.bounds import placed
from host.ledger.entries import Entry
from host.ledger.words import Words

UTC_S = 1_790_000_000


def entry(boot, uptime_s, utc_s=0, quality=None):
    letter = quality or ("S" if utc_s else "U")
    assert letter in events.QUALITY
    return Entry("WB-1", 1, "FAULT", letter, boot, uptime_s * 1000, utc_s, {})


def bounds(*entries):
    """(earliest, latest) of each, in s behind UTC_S; 0 = none."""
    found = [(one.earliest_utc_s, one.latest_utc_s) for one in placed(entries)]
    return [(low_s and low_s - UTC_S, high_s and high_s - UTC_S) for low_s, high_s in found]


def test_a_clock_that_is_set_later_in_the_boot_places_to_the_second():
    found = bounds(entry(1, 5), entry(1, 30), entry(1, 60, UTC_S + 60))
    assert found == [(5, 5), (30, 30), (0, 0)]


def test_a_boot_that_never_saw_the_clock_lies_between_its_neighbours():
    found = bounds(
        entry(1, 100, UTC_S + 100), entry(2, 10), entry(2, 40), entry(3, 20, UTC_S + 1020)
    )
    assert found == [(0, 0), (110, 970), (140, 1000), (0, 0)]


def test_several_such_boots_narrow_each_other():
    found = bounds(
        entry(1, 0, UTC_S), entry(2, 50), entry(3, 30), entry(3, 70), entry(4, 0, UTC_S + 1000)
    )
    assert found == [(0, 0), (50, 930), (80, 960), (120, 1000), (0, 0)]


def test_the_first_have_no_lower_and_the_last_no_upper_bound():
    assert bounds(entry(1, 5), entry(2, 10, UTC_S + 100)) == [(0, 90), (0, 0)]
    assert bounds(entry(1, 5, UTC_S + 5), entry(2, 7)) == [(0, 0), (12, 0)]
    assert bounds(entry(1, 5)) == [(0, 0)]


def test_a_guessed_time_bounds_nothing():
    found = bounds(entry(1, 5), entry(2, 10, UTC_S + 10, "I"), entry(3, 0, UTC_S + 500))
    assert found == [(0, 490), (0, 500), (0, 0)]


def test_boots_that_share_the_last_number_are_told_apart_by_a_falling_uptime():
    found = bounds(
        entry(65535, 100, UTC_S + 100), entry(65535, 10), entry(65535, 40),
        entry(65535, 20, UTC_S + 1020),
    )  # fmt: skip
    assert found == [(0, 0), (110, 970), (140, 1000), (0, 0)]


def test_at_the_last_number_nothing_is_placed_to_the_second():
    """Either one boot, and it is 1010; or another one, and it is 110 to 1000."""
    found = bounds(entry(65534, 100, UTC_S + 100), entry(65535, 10), entry(65535, 20, UTC_S + 1020))
    assert found == [(0, 0), (110, 1010), (0, 0)]
    found = bounds(entry(65533, 100, UTC_S + 100), entry(65534, 10), entry(65534, 20, UTC_S + 1020))
    assert found == [(0, 0), (1010, 1010), (0, 0)]


def test_a_fall_between_two_records_without_a_clock_begins_a_boot():
    found = bounds(entry(7, 30), entry(7, 10), entry(7, 20, UTC_S + 1020))
    assert found == [(0, 1000), (1010, 1010), (0, 0)]


def test_people_read_them():
    words = Words()
    told = [
        words.moment(one)
        for one in placed([entry(1, 9, UTC_S), entry(2, 61), entry(3, 1, UTC_S + 99)])
    ]
    assert told[1] == (
        "boot 2 + 0:01:01.000 U, after 2026-09-21 14:14:21, before 2026-09-21 14:14:58"
    )  # fmt: skip
    (one, _) = placed([entry(2, 61), entry(2, 62, UTC_S)])
    assert words.moment(one) == "boot 2 + 0:01:01.000 U = 2026-09-21 14:13:19"
