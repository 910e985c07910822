"""Entries of a tag list as the operator sends them, and an update sent whole."""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass

from wallbox.store.taglist import DATA_SIZE, TagList
from wallbox.store.taglist_update import ACCEPTED, WORKING, Update
from wallbox.store.tagmerge import PART_MAX


@dataclass(frozen=True, order=True)
class Entry:
    """One tag; `tag` is its hash of 8 bytes, status 255 takes it off the list."""

    tag: bytes
    status: int = 0
    kind: int = 0
    subscription: int = 0
    limit_ma: int = 0
    expires_utc_s: int = 0

    def pack(self) -> bytes:
        limit = self.limit_ma.to_bytes(3, "little")
        head = struct.pack("<8sBBI", self.tag, self.status, self.kind, self.subscription)
        return head + limit + struct.pack("<I", self.expires_utc_s)


def tag(number: int) -> bytes:
    """A hash that is spread as real ones are."""
    return struct.pack(">II", number * 2654435761 % 2**32, number)


def parts(entries: Iterable[Entry]) -> list[bytes]:
    data = b"".join(entry.pack() for entry in sorted(entries))
    size = PART_MAX * DATA_SIZE
    return [data[at : at + size] for at in range(0, len(data), size)]


def send(
    tags: TagList, entries: Iterable[Entry], version: int, full: bool = True, base: int = 0
) -> tuple[int, str]:
    """(what has come of it, the error)."""
    entries = list(entries)
    update = Update(tags)
    outcome = update.begin(full, version, base)
    if outcome != ACCEPTED:
        return outcome, update.error
    for number, part in enumerate(parts(entries)):
        outcome = update.add(number, part)
        if outcome != ACCEPTED:
            return outcome, update.error
        work(update)
    update.finish(len(entries))
    return work(update), update.error


def work(update: Update) -> int:
    """Lets an update work until it waits for something, or is over."""
    for _ in range(1000):
        outcome = update.work()
        if outcome != WORKING:
            return int(outcome)
    raise AssertionError("the update works for ever")


def said(tags: TagList, hashed: bytes) -> Entry | None:
    """What the list says of a tag."""
    if not tags.look_up(hashed):
        assert tags.status == 3
        return None
    return Entry(
        hashed, tags.status, tags.kind, tags.subscription, tags.limit_ma, tags.expires_utc_s
    )
