"""Fields of the ledger as people read them: kWh, times with their quality letter, names."""

from __future__ import annotations

from datetime import datetime, timezone, tzinfo
from zoneinfo import ZoneInfo

from host.ledger.entries import Entry, Value

LOCAL = ZoneInfo("Europe/Copenhagen")
CALENDAR_ENDS_S = 253_402_214_400  # 9999-12-31; a clock that runs wild may tell more


class Words:
    """Puts fields into words; all times in one zone, UTC or the local one."""

    def __init__(self, local: bool = False) -> None:
        self.zone: tzinfo = LOCAL if local else timezone.utc
        self.zone_name = "local time" if local else "UTC"

    def time(self, utc_s: int | None, quality: str | None = None) -> str:
        """`2026-01-01 00:15:00 S`; `unknown` where the box did not know the time."""
        if not utc_s:
            return "unknown"
        if utc_s >= CALENDAR_ENDS_S:
            return f"{utc_s} s, behind the calendar's end"
        moment = datetime.fromtimestamp(utc_s, self.zone)
        # an hour that comes twice in autumn is told apart by its offset
        twice = moment.replace(fold=0).utcoffset() != moment.replace(fold=1).utcoffset()
        form = "%Y-%m-%d %H:%M:%S" + ("%z" if twice else "")
        return moment.strftime(form) + (f" {quality}" if quality else "")

    def moment(self, entry: Entry) -> str:
        """When a record was written; by boot and time since boot if nothing better is known."""
        if entry.utc_s:
            return self.time(entry.utc_s, entry.quality)
        since = since_boot(entry.uptime_ms)
        bounds = self._bounds(entry.earliest_utc_s, entry.latest_utc_s)
        joint = " " if bounds.startswith("=") else ", "
        return f"boot {entry.boot} + {since} {entry.quality}" + (joint + bounds if bounds else "")

    def bounded(
        self, utc_s: int | None, quality: str | None, earliest: int | None, latest: int | None
    ) -> str:
        """As `time`; where the box did not know it, what is known of it: `= …`, `after …`."""
        return self.time(utc_s, quality) if utc_s else self._bounds(earliest, latest) or "unknown"

    def _bounds(self, earliest: int | None, latest: int | None) -> str:
        if earliest and earliest == latest:
            return f"= {self.time(latest)}"
        told = (("after", earliest), ("before", latest))
        return ", ".join(f"{word} {self.time(utc_s)}" for word, utc_s in told if utc_s)

    def fields(self, entry: Entry) -> str:
        """All fields of an entry in one line."""
        words = []
        for name, value in entry.fields.items():
            if name.endswith("_quality"):
                continue  # said with its time
            if name.endswith("_utc_s"):
                quality = entry.fields.get(name[: -len("utc_s")] + "quality")
                words.append(f"{name[:-6]} {self._time(value, quality)}")
            elif name == "utc_ms" and isinstance(value, int):
                words.append(f"set to {self.time(value // 1000)}.{value % 1000:03d}")
            else:
                words.append(_phrase(name, value))
        return ", ".join(word for word in words if word)

    def _time(self, value: Value, quality: Value | None) -> str:
        assert isinstance(value, int)
        return self.time(value, str(quality) if quality is not None else None)


def kwh(energy_wh: int | None) -> str:
    """Wh as kWh with three decimals, by integers alone; empty for None."""
    if energy_wh is None:
        return ""
    sign = "-" if energy_wh < 0 else ""
    return f"{sign}{abs(energy_wh) // 1000}.{abs(energy_wh) % 1000:03d}"


def since_boot(uptime_ms: int) -> str:
    """Hours, minutes, seconds, ms: `26:03:04.005`."""
    seconds, ms = divmod(uptime_ms, 1000)
    return f"{seconds // 3600}:{seconds // 60 % 60:02d}:{seconds % 60:02d}.{ms:03d}"


def _phrase(name: str, value: Value) -> str:
    if isinstance(value, list):
        return " and ".join(value)
    if name.endswith("_wh") and isinstance(value, int):
        return f"{name[:-3]} {kwh(value)} kWh"
    if name == "interval_s":
        return f"of {value} s"
    if name in ("payload", "state"):
        return f"{len(str(value)) // 2} bytes"
    if name in ("refusal", "identity", "reason"):
        return str(value)
    return f"{name.replace('_', ' ')} {value}"
