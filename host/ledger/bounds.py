"""When records were written that the box wrote without knowing the time: bounds from neighbours.

Records follow each other in time, and each tells the ms since its boot. A record is placed to
the second if the clock became known later in its boot. Else it lies after the last one before it
whose time is known, and before the next one after it, each moved by the time that the boots in
between are known to have lasted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from host.ledger.entries import Entry

KNOWN = "RS"  # qualities of a time that other times may be derived from


def placed(entries: Iterable[Entry]) -> Iterator[Entry]:
    """One box's entries in their order, those without a time of their own with bounds."""
    before: Entry | None = None
    waiting: list[Entry] = []
    for entry in entries:
        if not entry.utc_s or entry.quality not in KNOWN:
            waiting.append(entry)
            continue
        yield from _between(before, waiting, entry)
        waiting.clear()
        before = entry
        yield entry
    yield from _between(before, waiting, None)


def _between(
    before: Entry | None, waiting: Sequence[Entry], after: Entry | None
) -> Iterator[Entry]:
    earliest = _earliest(before, waiting)
    latest = _latest(waiting, after)
    for entry, low_s, high_s in zip(waiting, earliest, latest, strict=True):
        if after and after.boot == entry.boot:
            low_s = high_s
        yield replace(entry, earliest_utc_s=low_s, latest_utc_s=high_s)


def _earliest(before: Entry | None, waiting: Sequence[Entry]) -> list[int]:
    if before is None:
        return [0] * len(waiting)
    found = []
    boot, base_ms, last_ms = before.boot, before.utc_s * 1000 - before.uptime_ms, before.uptime_ms
    for entry in waiting:
        if entry.boot != boot:
            boot, base_ms = entry.boot, base_ms + last_ms
        last_ms = entry.uptime_ms
        found.append((base_ms + last_ms) // 1000)
    return found


def _latest(waiting: Sequence[Entry], after: Entry | None) -> list[int]:
    if after is None:
        return [0] * len(waiting)
    found = []
    boot, base_ms = after.boot, after.utc_s * 1000 - after.uptime_ms
    for entry in reversed(waiting):
        if entry.boot != boot:
            boot, base_ms = entry.boot, base_ms - entry.uptime_ms
        found.append((base_ms + entry.uptime_ms) // 1000)
    return found[::-1]
