"""Times and lengths of time as people write them on a command line."""

from __future__ import annotations

import re
import time
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

LOCAL = ZoneInfo("Europe/Copenhagen")
UTC_S_MAX = 0xFFFFFFFF
RIGHT = "write 2026-11-24T18:00 (Danish time), 2026-11-24T17:00Z, now, or +2h30m"
_UNITS_S = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_SPAN = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,5})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?")


def span_s(text: str) -> int:
    """Seconds of a length of time as `90s`, `10m`, `2h30m`, `31d`. Raises ValueError."""
    match = _SPAN.fullmatch(text)
    if not text or match is None:
        raise ValueError(f"{text!r}: no length of time; write 10m, 2h30m or 31d")
    return sum(
        int(digits or 0) * unit_s
        for digits, unit_s in zip(match.groups(), _UNITS_S.values(), strict=True)
    )


def utc_s(text: str, now_s: int | None = None) -> int:
    """Seconds since 1970 of a time: ISO 8601, `now`, or a length of time from now, as `+2h`.

    Without a zone it is Danish time. Raises ValueError with what is right.
    """
    now_s = int(time.time()) if now_s is None else now_s
    if text == "now":
        return now_s
    if text[:1] in ("+", "-"):
        length_s = span_s(text[1:])
        return _bounded(text, now_s + length_s if text[0] == "+" else now_s - length_s)
    moment = iso(text)
    if moment.tzinfo is None:
        moment = _danish(text, moment)
    return _bounded(text, int(moment.timestamp()))


def iso(text: str) -> datetime:
    """A time as ISO 8601 writes it, with or without a zone. Raises ValueError."""
    try:
        return datetime.fromisoformat(re.sub(r"[zZ]$", "+00:00", text))
    except ValueError:
        raise ValueError(f"{text!r}: no time; {RIGHT}") from None


def shown(moment_utc_s: int) -> str:
    """A time for people, in Danish time."""
    return datetime.fromtimestamp(moment_utc_s, LOCAL).strftime("%Y-%m-%d %H:%M:%S %Z")


def _danish(text: str, moment: datetime) -> datetime:
    early = moment.replace(tzinfo=LOCAL, fold=0)
    late = moment.replace(tzinfo=LOCAL, fold=1)
    if early.utcoffset() == late.utcoffset():
        return early
    there = early.astimezone(timezone.utc).astimezone(LOCAL).replace(tzinfo=None)
    what = "comes twice" if there == moment else "does not exist"
    zones = " or ".join(moment.isoformat() + _offset(one) for one in (early, late))
    raise ValueError(f"{text!r}: {what} on that day in Denmark; write {zones}")


def _offset(moment: datetime) -> str:
    minutes = (moment.utcoffset() or timedelta()) // timedelta(minutes=1)
    return f"{minutes // 60:+03d}:{minutes % 60:02d}"


def _bounded(text: str, moment_utc_s: int) -> int:
    if not 0 < moment_utc_s <= UTC_S_MAX:
        raise ValueError(f"{text!r}: from 1970 to 2106 are possible")
    return moment_utc_s
