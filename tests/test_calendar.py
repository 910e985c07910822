"""Dates and seconds since 1970, in integers, against the library of the host."""

from datetime import datetime, timezone

from hypothesis import example, given
from hypothesis import strategies as st
from wallbox.drivers import calendar


@given(st.integers(0, 2**32 - 1))
@example(0)
@example(951_782_400)  # 2000-02-29
@example(4_107_542_400)  # 2100-03-01, no leap year
def test_a_second_has_one_date_and_back(utc_s):
    moment = datetime.fromtimestamp(utc_s, timezone.utc)
    assert calendar.text(utc_s) == moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    assert calendar.utc_s(*calendar.date(utc_s)) == utc_s
