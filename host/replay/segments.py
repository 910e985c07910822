"""The entries of a trace's records, and the segments that begin at its snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from wallbox.store.record import BATCH, PAYLOAD_AT, TAIL

from host.replay.lane import MARKS, SNAPSHOT

_LAST = 0x80
_ENTRY = 3  # bytes before the event: delta_ms u16, length u8


class Entry(NamedTuple):
    """One entry of a batch. `data` is the packed event, DECIDED or a piece of a snapshot.

    `now`: ms since boot `boot`. `utc_s`: 0 = unknown; `quality` is an index into QUALITY.
    """

    sequence: int
    boot: int
    now: int
    utc_s: int
    quality: int
    data: bytes

    @property
    def kind(self) -> int:
        return self.data[0]


@dataclass
class Segment:
    """From a snapshot up to the next one, or to where the trace tears.

    `follows`: the segment goes on where the one before it ends, with nothing lost in between, so
    that its snapshot is what replay of that one has to come to.
    """

    snapshot: bytes
    first: Entry
    follows: bool
    entries: list[Entry] = field(default_factory=list)

    @property
    def core(self) -> bytes:
        """Hash of the core that decided, 8 bytes; zeros: it was not built into an image."""
        return self.snapshot[2:10]

    @property
    def configuration(self) -> bytes:
        """Digest of the configuration at the boot, 8 bytes."""
        return self.snapshot[10 : 2 + MARKS]


def read_entries(records: Iterable[bytes]) -> Iterator[Entry]:
    """All entries of whole records in their order. Records of other kinds are passed over."""
    for data in records:
        if data[1] & 0x3F == BATCH:
            yield from decode(data)


def decode(data: bytes) -> list[Entry]:
    """The entries of a batch. Half a million of them are a year, so this is written for speed."""
    number, new = int.from_bytes, tuple.__new__
    sequence, boot = number(data[2:6], "little"), number(data[6:8], "little")
    now = begin_ms = number(data[8:13], "little")
    utc_s, quality = number(data[13:17], "little"), data[1] >> 6
    at, end = PAYLOAD_AT, len(data) - TAIL
    found: list[Entry] = []
    while at + _ENTRY <= end:
        now += data[at] | data[at + 1] << 8
        begin = at + _ENTRY
        at = begin + data[at + 2]
        if at > end or now >> 40:  # longer than a record can say: nobody's event
            break
        if at > begin:
            at_s = utc_s + (now - begin_ms) // 1000 if utc_s else 0
            found.append(new(Entry, (sequence, boot, now, at_s, quality, data[begin:at])))
    return found


def begins_segment(record: bytes) -> bool:
    """Whether a record's first entry is the first piece of a snapshot, as the box writes it."""
    return (
        len(record) > PAYLOAD_AT + TAIL + _ENTRY + 2
        and record[1] & 0x3F == BATCH
        and record[PAYLOAD_AT + _ENTRY] == SNAPSHOT
        and record[PAYLOAD_AT + _ENTRY + 1] & ~_LAST == 0
    )


def snapshot_end(records: Sequence[bytes], at: int) -> int:
    """Behind the last record of the whole snapshot that begins at `at`; 0 if none does."""
    number = 0
    while at < len(records) and len(records[at]) >= PAYLOAD_AT + TAIL + _ENTRY + 2:
        record = records[at]
        piece = record[PAYLOAD_AT + _ENTRY + 1]
        if record[1] & 0x3F != BATCH or record[PAYLOAD_AT + _ENTRY] != SNAPSHOT:
            return 0
        if piece & ~_LAST != number:
            return 0
        at, number = at + 1, number + 1
        if piece & _LAST:
            return at
    return 0


def read_segments(records: Iterable[bytes]) -> Iterator[Segment]:
    """Segments in their order. What lies before the first snapshot is in none."""
    segment: Segment | None = None
    pieces: list[Entry] = []
    sequence = boot = -1
    for data in records:
        entries = decode(data) if data[1] & 0x3F == BATCH else []
        if not entries:
            continue
        torn = entries[0].boot != boot or entries[0].sequence != sequence + 1
        sequence, boot = entries[0].sequence, entries[0].boot
        if torn:
            if segment:
                yield segment
            segment, pieces = None, []
        if SNAPSHOT not in data:  # as a byte anywhere: then there is no piece for certain
            if segment:
                segment.entries += entries
            continue
        for entry in entries:
            if entry.kind != SNAPSHOT:
                if segment:
                    segment.entries.append(entry)
            elif _is_next(pieces, entry) and entry.data[1] & _LAST:
                snapshot = b"".join(piece.data[2:] for piece in pieces)
                follows = segment is not None and snapshot[1:2] == b"\0"
                if segment:
                    yield segment
                segment, pieces = Segment(snapshot, pieces[0], follows), []
    if segment:
        yield segment


def _is_next(pieces: list[Entry], entry: Entry) -> bool:
    """Puts a piece of a snapshot to those before it, if it belongs there."""
    number = entry.data[1] & ~_LAST if len(entry.data) > 1 else -1
    if number == 0:
        pieces.clear()
    if number != len(pieces):
        pieces.clear()  # the rest of one whose beginning is gone
        return False
    pieces.append(entry)
    return True
