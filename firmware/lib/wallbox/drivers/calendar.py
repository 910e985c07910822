"""Days, dates and seconds since 1970, in integers, the same on every port."""

from micropython import const

DAY_S = const(86_400)


def days(year: int, month: int, day: int) -> int:
    """Days from 1970-01-01 to a date of the Gregorian calendar."""
    if month <= 2:
        year -= 1
        month += 12
    leaps = year // 4 - year // 100 + year // 400
    return 365 * year + leaps + (153 * month - 457) // 5 + day - 719_469


def utc_s(year: int, month: int, day: int, hour: int, minute: int, second: int) -> int:
    return days(year, month, day) * DAY_S + hour * 3600 + minute * 60 + second


def date(utc_seconds: int) -> tuple:
    """(year, month, day, hour, minute, second) of seconds since 1970."""
    day_number = utc_seconds // DAY_S
    rest = utc_seconds % DAY_S
    year = 1970 + day_number // 366
    while days(year + 1, 1, 1) <= day_number:
        year += 1
    month = 1
    while month < 12 and days(year, month + 1, 1) <= day_number:
        month += 1
    day = day_number - days(year, month, 1) + 1
    return year, month, day, rest // 3600, rest // 60 % 60, rest % 60


def text(utc_seconds: int) -> str:
    """RFC 3339, as 2026-11-22T13:15:00Z."""
    return "%04d-%02d-%02dT%02d:%02d:%02dZ" % date(utc_seconds)
