"""The entries of a trace's records, and the segments that begin at its snapshots."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from wallbox.store.record import BATCH, unpack
from wallbox.store.trace import events as entries

from host.replay.lane import MARKS, SNAPSHOT

_LAST = 0x80


@dataclass(frozen=True)
class Entry:
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
        sequence, kind, quality, boot, begin_ms, utc_s, payload = unpack(data)
        if kind != BATCH:
            continue
        for now, content in entries(payload, begin_ms):
            if content:
                at_s = utc_s + (now - begin_ms) // 1000 if utc_s else 0
                yield Entry(sequence, boot, now, at_s, quality, bytes(content))


def read_segments(records: Iterable[bytes]) -> Iterator[Segment]:
    """Segments in their order. What lies before the first snapshot is in none."""
    segment: Segment | None = None
    pieces: list[Entry] = []
    before: Entry | None = None
    for entry in read_entries(records):
        torn = before is not None and not _continues(before, entry)
        before = entry
        if torn:
            if segment:
                yield segment
            segment, pieces = None, []
        if entry.kind == SNAPSHOT:
            number = entry.data[1]
            if number & ~_LAST == 0:
                pieces = []
            if number & ~_LAST != len(pieces):
                pieces = []  # the rest of one whose beginning is gone
                continue
            pieces.append(entry)
            if not number & _LAST:
                continue
            snapshot = b"".join(piece.data[2:] for piece in pieces)
            follows = segment is not None and not snapshot[1]
            if segment:
                yield segment
            segment, pieces = Segment(snapshot, pieces[0], follows), []
        elif segment:
            segment.entries.append(entry)
    if segment:
        yield segment


def _continues(before: Entry, entry: Entry) -> bool:
    return entry.boot == before.boot and entry.sequence - before.sequence <= 1
