"""Proves a ledger, or says what is wrong with it: numbers, chain, books. Never writes anything."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace

from wallbox.store.record import unpack

from host.ledger.entries import Entry, entry
from host.ledger.sums import Totals, add_up
from host.ledger.verify.bits import record_field
from host.ledger.verify.books import Books, Mismatch
from host.ledger.verify.chain import Chained, Doubt, walk
from host.ledger.verify.findings import DATABASE, OPEN_END, Contents, Finding, Progress, Stored
from host.ledger.words import Words
from host.records import Record

_EVERY = 512  # records, between two steps of the progress bar
_WORDS = Words()


@dataclass
class Report:
    """What one box's ledger came to. Times in UTC seconds, 0 = unknown; energies in Wh."""

    box: str
    source: str
    with_key: bool
    records: int = 0
    first_sequence: int = 0
    last_sequence: int = 0
    first_utc_s: int = 0
    last_utc_s: int = 0
    boots: int = 0
    proved: int = 0  # records whose content and place the key proves
    unproved: list[int] = field(default_factory=list)
    totals: list[Totals] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    @property
    def whole(self) -> bool:
        return not self.findings

    def accept_holes(self) -> None:
        """Holes that the operator has accepted are known, and no longer wrong."""
        self.notes += [one for one in self.findings if one.code == "accepted"]
        self.findings = [one for one in self.findings if one.code != "accepted"]

    @property
    def chain(self) -> str:
        """`proved`, `partly` or `not proved`."""
        if not self.proved:
            return "not proved"
        return "partly" if self.unproved else "proved"


def verify(contents: Contents, key: bytes | None, progress: Progress) -> Report:
    """Checks what a source holds for one box. Without the key the macs prove nothing."""
    return _Verifier(contents, key, progress).report()


class _Verifier:
    def __init__(self, contents: Contents, key: bytes | None, progress: Progress) -> None:
        self._contents = contents
        self._key = key
        self._progress = progress
        self._report = Report(contents.box, contents.source, key is not None)
        self._findings = list(contents.findings)
        self._holes: list[Finding] = []

    def report(self) -> Report:
        ordered = self._in_order()
        chained = walk(self._key, ordered, self._contents, self._progress)
        if chained.torn is not None:
            ordered.remove(chained.torn)
            place = self._contents.place(chained.torn.position)
            text = f"record {chained.torn.sequence} {place} was cut off by a power cut"
            self._contents.notes.append(Finding("torn", text, position=chained.torn.position))
        self._find_holes(ordered)
        self._say_doubts(_flipped(ordered, chained, self._contents))
        self._findings += chained.findings
        self._add_up(ordered)
        report = self._report
        report.proved, report.unproved = chained.proved, chained.unproved
        report.findings = sorted(self._findings + self._holes, key=_place_of)
        report.notes = self._contents.notes
        return report

    # the numbers

    def _in_order(self) -> list[Stored]:
        """The records by number, each once; says which were not where they belong."""
        known: dict[int, Stored] = {}
        once: list[Stored] = []
        doubts: list[Doubt] = []
        for one in self._contents.stored:
            first = known.setdefault(one.sequence, one)
            place = self._contents.place(first.position)
            if first is one:
                once.append(one)
            elif first.data == one.data:
                doubts.append((one, "repeated", f"a repetition of the one {place}"))
            else:
                text = f"another record of the same number is {place}"
                doubts.append((one, "conflict", text))
        for one, before in misplaced(once):
            where = f"behind record {before}" if before else "first of all"
            doubts.append((one, "order", f"out of place, {where}"))
        self._say_doubts(doubts)
        moved = {one.position for one, _, _ in doubts}
        self._findings = [
            one for one in self._findings if one.code != "number" or one.position not in moved
        ]
        return sorted(once, key=lambda one: one.sequence)

    def _find_holes(self, ordered: Sequence[Stored]) -> None:
        expected = self._contents.first_due
        for one in ordered:
            if one.sequence > expected:
                self._hole(expected, one.sequence - 1)
            expected = max(expected, one.sequence + 1)
        if self._contents.last_due >= expected:
            self._hole(expected, self._contents.last_due)
        covered = [
            (one.sequence or 0, one.last_sequence or one.sequence or 0) for one in self._holes
        ]
        for damage in self._contents.damages:
            before = damage.before or damage.after + 2
            if not any(damage.after < last and first < before for first, last in covered):
                place = f"bytes {damage.position:#x} to {damage.end:#x}"
                text = f"{place} are neither erased nor a record"
                self._findings.append(Finding("stray", text, position=damage.position))

    def _hole(self, first: int, last: int) -> None:
        """Says of each part of a hole whether damaged bytes are there, or nothing."""
        for damage in self._contents.damages:
            before = last + 1 if damage.before is None else damage.before
            begin, end = max(first, damage.after + 1), min(last, before - 1)
            if begin > end:
                continue
            if begin > first:
                self._absent(first, begin - 1)
            place = self._contents.place(damage.position)
            place += "" if self._contents.source == DATABASE else f" to {damage.end:#x}"
            text = f"cannot be read: the bytes {place} are damaged"
            self._holes.append(_finding("damaged", begin, end, text, damage.position))
            first = end + 1
        if first <= last:
            self._absent(first, last)

    def _absent(self, first: int, last: int) -> None:
        if self._contents.accepted.get(last + 1) == first - 1:
            text = "missing, and the operator has accepted the hole"
            self._holes.append(_finding("accepted", first, last, text))
        else:
            self._holes.append(_finding("missing", first, last, "missing"))

    # the books

    def _add_up(self, ordered: Sequence[Stored]) -> None:
        books = Books(self._contents.first_due == 1)
        sums = add_up(books.watch(self._entries(ordered)))
        self._report.totals = sums.totals
        for mismatch in books.mismatches:
            if not self._explained(mismatch):
                one = mismatch.entry
                text = f"{_record(one)}: {mismatch.text}"
                self._findings.append(Finding("books", text, one.sequence, None, one.kind))

    def _explained(self, mismatch: Mismatch) -> bool:
        """True if records are missing in between, whose finding then tells the energy too."""
        for index, hole in enumerate(self._holes):
            assert hole.sequence is not None
            if mismatch.before < hole.sequence < mismatch.entry.sequence:
                text = f"{hole.text}; record {mismatch.entry.sequence}: {mismatch.text}"
                self._holes[index] = replace(hole, text=text)
                return True
        return False

    def _entries(self, ordered: Sequence[Stored]) -> Iterator[Entry]:
        report = self._report
        boots = set()
        for index, one in enumerate(ordered):
            if index % _EVERY == 0:
                self._progress("adding up", index, len(ordered))
            found = entry_of(one, report.box)
            boots.add(found.boot)
            if found.utc_s:
                report.first_utc_s = report.first_utc_s or found.utc_s
                report.last_utc_s = found.utc_s
            yield found
        report.records, report.boots = len(ordered), len(boots)
        if ordered:
            report.first_sequence = ordered[0].sequence
            report.last_sequence = ordered[-1].sequence

    def _say_doubts(self, doubts: Iterable[Doubt]) -> None:
        for run in _runs(doubts):
            one, code, text = run[0]
            found = entry_of(one, self._report.box)
            if len(run) > 1:
                last = run[-1][0].sequence
                self._findings.append(_finding(code, one.sequence, last, text, one.position))
                continue
            text = f"{_record(found)} {self._contents.place(one.position)}: {text}"
            if code == "newest":
                text += OPEN_END
            self._findings.append(
                Finding(code, text, one.sequence, None, found.kind, one.position)
            )


def entry_of(stored: Stored, box: str) -> Entry:
    """A record in field terms."""
    sequence, kind, quality, boot, uptime_ms, utc_s, payload = unpack(stored.data)
    record = Record(stored.data, kind, quality, sequence, boot, uptime_ms, utc_s, payload)
    return entry(box, record)


def misplaced(once: Sequence[Stored]) -> list[tuple[Stored, int]]:
    """The fewest records that stand where they do not belong, each with the number of the one
    before it; behind those that remain, the numbers only rise."""
    numbers = [one.sequence for one in once]
    if all(one < other for one, other in zip(numbers, numbers[1:], strict=False)):
        return []
    ends: list[int] = []  # the lowest number in which a rising row of each length ends
    at: list[int] = []
    before = [-1] * len(numbers)
    for index, number in enumerate(numbers):
        length = bisect_left(ends, number)
        before[index] = at[length - 1] if length else -1
        ends[length : length + 1] = [number]
        at[length : length + 1] = [index]
    index, rising = at[-1], set()
    while index >= 0:
        rising.add(index)
        index = before[index]
    return [
        (one, numbers[index - 1] if index else 0)
        for index, one in enumerate(once)
        if index not in rising
    ]


def _flipped(ordered: Sequence[Stored], chained: Chained, contents: Contents) -> list[Doubt]:
    """The chain's doubts, and of records with a flipped bit that one instead."""
    doubts = [doubt for doubt in chained.doubts if not doubt[0].flips]
    for one in ordered:
        if one.flips:
            fields = list(dict.fromkeys(record_field(flip) for flip in one.flips))
            newest = one is contents.newest and not any(flip.cleared for flip in one.flips)
            text = f"one bit of {' or '.join(fields)} is flipped"
            doubts.append((one, "newest" if newest else "damaged", text))
    return doubts


def _runs(doubts: Iterable[Doubt]) -> Iterator[list[Doubt]]:
    """Doubts of one sort about records that follow each other."""
    run: list[Doubt] = []
    for doubt in doubts:
        if run and doubt[1] in ("mac", "order", "repeated") and doubt[1] == run[-1][1]:
            if doubt[0].sequence == run[-1][0].sequence + 1:
                run.append(doubt)
                continue
        if run:
            yield run
        run = [doubt]
    if run:
        yield run


def _finding(code: str, first: int, last: int, text: str, position: int | None = None) -> Finding:
    words = f"record {first}" if first == last else f"records {first} to {last}"
    return Finding(
        code, f"{words}: {text}", first, last if last > first else None, None, position
    )


def _record(found: Entry) -> str:
    return f"record {found.sequence} ({found.kind}, {_WORDS.moment(found)})"


def _place_of(finding: Finding) -> tuple[int, int]:
    return (finding.sequence or 0, finding.position or 0)
