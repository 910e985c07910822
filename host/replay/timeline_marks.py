"""What a timeline draws: numbers over time and bands in lanes, each of bounded length.

Times are ms: since 1970 in the chart of the calendar, since the boot in that of a boot whose clock
nobody knows. What is too much to draw is drawn coarser, and `coarse` says so.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

POINTS_MAX = 6000  # of a line
BANDS_MAX = 1500  # of a lane
MIXED = "mixed"  # what a band shows where there were too many to draw

Point = tuple[float, float | None]


class Numbers:
    """A line. Of each bucket of neighbouring values the lowest and the highest are kept, so peaks
    stay; buckets double when there are too many."""

    def __init__(self) -> None:
        self.each = 1  # values a bucket
        self.count = 0
        self.last: float | None = None
        self._buckets: list[list[Point]] = []
        self._open: list[Point] = []
        self._filled = 0

    @property
    def coarse(self) -> bool:
        return self.each > 1

    def add(self, x_ms: float, value: float | None) -> None:
        """None interrupts the line."""
        self.count += value is not None
        self.last = value
        self._open.append((x_ms, value))
        self._filled += 1
        if self._filled >= self.each or value is None:
            self._close()

    def step(self, x_ms: float, value: float | None) -> None:
        """Adds what is not the last value again."""
        if value != self.last:
            self.add(x_ms, value)

    def tear(self, x_ms: float) -> None:
        """The line holds up to here, and is interrupted."""
        if self.last is not None:
            self.add(x_ms, self.last)
            self.add(x_ms, None)

    def points(self) -> Iterator[Point]:
        for bucket in (*self._buckets, self._open):
            yield from _ends(bucket)

    def _close(self) -> None:
        self._buckets.append(_ends(self._open))
        self._open, self._filled = [], 0
        if len(self._buckets) * min(self.each, 2) > POINTS_MAX:
            pairs = range(0, len(self._buckets), 2)
            self._buckets = [_ends(sum(self._buckets[at : at + 2], [])) for at in pairs]
            self.each *= 2


def _ends(points: list[Point]) -> list[Point]:
    """The lowest and the highest in their order; a line that is interrupted stays so."""
    known = [(value, x_ms) for x_ms, value in points if value is not None]
    if len(points) <= 2 or not known:
        return points[:2]
    (low, low_ms), (high, high_ms) = min(known), max(known)
    ends: list[Point] = [(low_ms, low)] if low == high else sorted(((low_ms, low), (high_ms, high)))
    return ends + points[-1:] if points[-1][1] is None else ends


@dataclass(frozen=True)
class Band:
    """Something that lasted. `more`: a name or number that belongs to it."""

    begin_ms: float
    end_ms: float
    what: str
    more: str = ""


@dataclass
class Lane:
    """Bands that follow each other."""

    bands: list[Band] = field(default_factory=list)
    count: int = 0
    _begun: Band | None = None

    @property
    def coarse(self) -> bool:
        return any(band.what == MIXED for band in self.bands)

    def set(self, x_ms: float, what: str | None, more: str = "") -> None:
        """From here on it is `what`; None: nothing."""
        begun = self._begun
        if begun is not None:
            if (begun.what, begun.more) == (what, more):
                return
            if x_ms > begun.begin_ms:  # else it never was, as refusals of a boot's first instant
                self.add(Band(begun.begin_ms, x_ms, begun.what, begun.more))
        self._begun = None if what is None else Band(x_ms, x_ms, what, more)

    def add(self, band: Band) -> None:
        self.count += 1
        self.bands.append(band)
        if len(self.bands) > 2 * BANDS_MAX:
            self.bands = _merged(self.bands, BANDS_MAX)

    def done(self, x_ms: float) -> None:
        """The lane ends."""
        self.set(x_ms, None)
        self.bands = _merged(self.bands, BANDS_MAX)


def _merged(bands: list[Band], most: int) -> list[Band]:
    """Bands that are short and close to each other as one; the others stay as they are."""
    short_ms = 1000.0
    while len(bands) > most:
        kept: list[Band] = []
        for band in bands:
            before = kept[-1] if kept else None
            if before and band.end_ms - before.begin_ms <= short_ms:
                same = (before.what, before.more) == (band.what, band.more)
                what, more = (band.what, band.more) if same else (MIXED, "")
                kept[-1] = Band(before.begin_ms, band.end_ms, what, more)
            else:
                kept.append(band)
        bands = kept
        short_ms *= 2
    return bands


@dataclass
class Chart:
    """One time axis. boot: whose, None = the calendar's."""

    boot: int | None
    numbers: dict[str, Numbers] = field(default_factory=dict)
    lanes: dict[str, Lane] = field(default_factory=dict)
    begin_ms: float | None = None
    end_ms: float | None = None

    def line(self, name: str) -> Numbers:
        return self.numbers.setdefault(name, Numbers())

    def lane(self, name: str) -> Lane:
        return self.lanes.setdefault(name, Lane())

    def reach(self, x_ms: float) -> None:
        """The axis goes at least to here."""
        self.begin_ms = x_ms if self.begin_ms is None else min(self.begin_ms, x_ms)
        self.end_ms = x_ms if self.end_ms is None else max(self.end_ms, x_ms)
