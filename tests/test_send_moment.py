"""Times and lengths as people write them."""

import pytest

from host.send.moment import shown, span_s, utc_s

NOW = 1_795_349_461


@pytest.mark.parametrize(
    ("text", "right"),
    [
        ("now", NOW),
        ("+2h", NOW + 7200),
        ("-10m", NOW - 600),
        ("+1d12h30m5s", NOW + 131_405),
        ("2026-11-24T17:00Z", 1_795_539_600),
        ("2026-11-24T18:00+01:00", 1_795_539_600),
        ("2026-11-24T18:00", 1_795_539_600),  # Danish winter time
        ("2026-06-24T18:00", 1_782_316_800),  # Danish summer time
        ("2026-11-24 18:00:30", 1_795_539_630),
        ("2026-11-24", 1_795_474_800),  # midnight
        ("2026-10-25T02:30+02:00", 1_792_888_200),  # the first and the second half past two
        ("2026-10-25T02:30+01:00", 1_792_891_800),
    ],
)
def test_a_time(text, right):
    assert utc_s(text, NOW) == right


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "write 2026-11-24T18:00"),
        ("tomorrow", "write 2026-11-24T18:00"),
        ("24.12.2026", "write 2026-11-24T18:00"),
        ("+", "write 10m, 2h30m or 31d"),
        ("+2", "write 10m, 2h30m or 31d"),
        ("+2 h", "write 10m, 2h30m or 31d"),
        ("2026-10-25T02:30", "comes twice on that day in Denmark; write 2026-10-25T02:30:00+02:00"),
        ("2026-03-29T02:30", "does not exist on that day in Denmark"),
        ("1969-12-31T12:00Z", "from 1970 to 2106"),
        ("2107-01-01", "from 1970 to 2106"),
        ("-9999d9999h", "from 1970 to 2106"),
    ],
)
def test_what_is_no_time(text, told):
    now = 100_000 if text[:1] == "-" else NOW
    with pytest.raises(ValueError, match=told.replace("+", r"\+")):
        utc_s(text, now)


def test_lengths():
    assert [span_s(text) for text in ("90s", "10m", "2h30m", "31d")] == [90, 600, 9000, 2_678_400]
    for wrong in ("", "10", "m", "1h1d", "1.5h", "-1h", "²m"):
        with pytest.raises(ValueError, match="no length of time"):
            span_s(wrong)


def test_a_time_for_people():
    assert shown(1_795_539_600) == "2026-11-24 18:00:00 CET"
