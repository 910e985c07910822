"""When records were written that the box wrote without knowing the time: bounds from neighbours.

Records follow each other in time, and each tells the ms since its boot. A record is placed to
the second if the clock became known later in its boot. Else it lies after the last one before it
whose time is known, and before the next one after it, each moved by the time that the boots in
between are known to have lasted.

Boots are told apart by their number and by a time since boot that falls: numbers end at 65,535,
which later boots share. At that number a rising time does not prove that it is the same boot, so
nothing there is placed to the second; the bounds hold either way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from host.ledger.entries import Entry

LAST_BOOT = 0xFFFF  # or any later one
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
    first_of_boot = _first_of_boot(waiting, after)
    for index, (entry, low_s, high_s) in enumerate(zip(waiting, earliest, latest, strict=True)):
        if index >= first_of_boot:
            low_s = high_s
        yield replace(entry, earliest_utc_s=low_s, latest_utc_s=high_s)


def same_boot(one: Entry, following: Entry) -> bool:
    """As far as two records tell that follow each other."""
    return one.boot == following.boot and one.uptime_ms <= following.uptime_ms


def _first_of_boot(waiting: Sequence[Entry], after: Entry | None) -> int:
    """From which one on they are of the boot of `after` for certain."""
    index = len(waiting)
    if after is None or after.boot == LAST_BOOT:
        return index
    following = after
    while index and same_boot(waiting[index - 1], following):
        index -= 1
        following = waiting[index]
    return index


def _earliest(before: Entry | None, waiting: Sequence[Entry]) -> list[int]:
    if before is None:
        return [0] * len(waiting)
    found = []
    previous, base_ms = before, before.utc_s * 1000 - before.uptime_ms
    for entry in waiting:
        if not same_boot(previous, entry):
            base_ms += previous.uptime_ms
        previous = entry
        found.append((base_ms + entry.uptime_ms) // 1000)
    return found


def _latest(waiting: Sequence[Entry], after: Entry | None) -> list[int]:
    if after is None:
        return [0] * len(waiting)
    found = []
    following, base_ms = after, after.utc_s * 1000 - after.uptime_ms
    for entry in reversed(waiting):
        if not same_boot(entry, following):
            base_ms -= entry.uptime_ms
        following = entry
        found.append((base_ms + entry.uptime_ms) // 1000)
    return found[::-1]
