"""Where on the time axis a record belongs: by its boot and the ms since it, as far as the box knew
the time at any moment of that boot."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable

from wallbox.core import events
from wallbox.store.record import unpack

STEADY_MS = 1500  # a record tells whole seconds: what differs less is the same clock


class Places:
    """Offsets from ms since boot to ms since 1970, a few for each boot."""

    def __init__(self, records: Iterable[bytes]) -> None:
        """Looks at whole records of trace and ledger."""
        self._offsets: dict[int, list[tuple[int, int]]] = {}
        found: dict[int, list[tuple[int, int]]] = {}
        for data in records:
            _, _, quality, boot, uptime_ms, utc_s, _ = unpack(data)
            if utc_s and quality >= events.RELATIVE:
                found.setdefault(boot, []).append((uptime_ms, utc_s * 1000 - uptime_ms))
        for boot, offsets in found.items():
            self._offsets[boot] = _steady(sorted(offsets))

    def knows(self, boot: int) -> bool:
        """Whether the clock was known at some moment of this boot."""
        return boot in self._offsets

    def place(self, boot: int, now: int) -> tuple[int | None, int]:
        """(None, ms since 1970), or (boot, ms since boot) if nobody knows the time."""
        offsets = self._offsets.get(boot)
        if offsets is None:
            return boot, now
        index = max(0, bisect_right(offsets, (now, 1 << 62)) - 1)
        return None, now + offsets[index][1]


def _steady(offsets: list[tuple[int, int]]) -> list[tuple[int, int]]:
    kept = offsets[:1]
    for one in offsets[1:]:
        if abs(one[1] - kept[-1][1]) >= STEADY_MS:
            kept.append(one)
    return kept
