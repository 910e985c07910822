"""The chain of macs under the box's key: which record it proves, and which one it does not."""

from __future__ import annotations

import hmac
from collections.abc import Sequence
from dataclasses import dataclass, field

from wallbox.store.record import MAC_SIZE

from host.ledger.verify.findings import Contents, Finding, Flip, Progress, Stored
from host.records import chain_genesis

_EVERY = 512  # records, between two steps of the progress bar


Doubt = tuple[Stored, str, str]  # a record, the code of what is wrong with it, and words


@dataclass
class Chained:
    """`torn`: the newest record, if its writing was cut off."""

    proved: int = 0
    unproved: list[int] = field(default_factory=list)
    doubts: list[Doubt] = field(default_factory=list)
    torn: Stored | None = None
    findings: list[Finding] = field(default_factory=list)


def walk(
    key: bytes | None, ordered: Sequence[Stored], contents: Contents, progress: Progress
) -> Chained:
    """Follows the chain through records that are in the order of their numbers."""
    walker = _Walk(key, ordered, contents)
    for index in range(len(ordered)):
        if index % _EVERY == 0:
            progress("following the chain", index, len(ordered))
        walker.step(index)
    if ordered:
        walker.close(ordered[-1])
    return walker.result


class _Walk:
    def __init__(self, key: bytes | None, ordered: Sequence[Stored], contents: Contents) -> None:
        self._key = key
        self._ordered = ordered
        self._contents = contents
        self._anchors = dict(contents.anchors)
        if key is not None:
            self._anchors[1] = chain_genesis(key)
        self._before: Stored | None = None
        self._mac = b""  # of the record before, as the box wrote it, as far as can be told
        self._sure = False  # that mac was proved
        self.result = Chained()

    def step(self, index: int) -> None:
        one = self._ordered[index]
        sequence = one.sequence
        anchor = self._anchors.get(sequence)
        adjoins = self._before is not None and self._before.sequence == sequence - 1
        base = self._mac if adjoins else anchor
        if self._key is None or base is None:
            if adjoins and anchor not in (None, base):
                self._anchor_differs(sequence)
            self._go_on(one, one.data[-MAC_SIZE:], False)
            self.result.unproved.append(sequence)
            return
        self._choose_flip(one, base)
        if tag(self._key, base, one.data) == one.data[-MAC_SIZE:]:
            if adjoins and anchor is not None and anchor != base:
                self._anchor_differs(sequence)
            self._prove(one, one.data[-MAC_SIZE:])
            return
        if adjoins and anchor is not None and anchor != base and self._proved_by(anchor, one):
            self._mac_before_is_wrong()
            self._prove(one, one.data[-MAC_SIZE:])
            return
        self._doubt(index, base)

    def close(self, last: Stored) -> None:
        """The header of a sector that is still empty names the mac of the last record."""
        anchor = self._anchors.get(last.sequence + 1)
        if self.result.torn is None and anchor not in (None, self._mac):
            self._anchor_differs(last.sequence + 1)

    def _proved_by(self, base: bytes, one: Stored) -> bool:
        assert self._key is not None
        return tag(self._key, base, one.data) == one.data[-MAC_SIZE:]

    def _go_on(self, one: Stored, mac: bytes, sure: bool) -> None:
        self._before, self._mac, self._sure = one, mac, sure

    def _prove(self, one: Stored, mac: bytes) -> None:
        self.result.proved += 1
        self._go_on(one, mac, True)

    def _choose_flip(self, one: Stored, base: bytes) -> None:
        """Of all flips that the check allows, the mac knows the right one."""
        assert self._key is not None
        for flip in one.flips:
            if tag(self._key, base, flip.data) == flip.data[-MAC_SIZE:]:
                one.data, one.flips = flip.data, (flip,)
                return

    def _doubt(self, index: int, base: bytes) -> None:
        assert self._key is not None
        one = self._ordered[index]
        mac = one.data[-MAC_SIZE:]
        due = tag(self._key, base, one.data)
        behind = self._ordered[index + 1] if index + 1 < len(self._ordered) else None
        if behind is not None and behind.sequence != one.sequence + 1:
            behind = None
        if behind is not None and self._proved_by(due, behind):
            self._say(one, "mac", f"mac damaged; record {behind.sequence} proves the content")
            self._prove(one, due)
        elif not self._sure and self._mend_before(one, base):
            self._mac_before_is_wrong()
            self._prove(one, mac)
        elif one is self._contents.newest and _is_interrupted(one, due):
            self.result.torn = one
        elif wrong_bits(due, one.data) == 1:
            newest = one is self._contents.newest
            flip = _mac_flip(one, due)
            if newest and not flip.cleared:
                self._say(one, "newest", "one bit of mac is flipped")
            else:
                self._say(one, "mac", "one bit of mac is flipped")
            self._prove(one, due)
        else:
            self.result.unproved.append(one.sequence)
            self._say(one, "mac", "not what the box has signed")
            self._go_on(one, mac, False)

    def _mend_before(self, one: Stored, base: bytes) -> bool:
        """True if the mac of the record before is right but for one bit."""
        if self._before is None or self._before.sequence != one.sequence - 1:
            return False
        value = int.from_bytes(base, "little")
        return any(
            self._proved_by((value ^ 1 << bit).to_bytes(MAC_SIZE, "little"), one)
            for bit in range(8 * MAC_SIZE)
        )

    def _mac_before_is_wrong(self) -> None:
        before = self._before
        assert before is not None
        if not any(one is before for one, _, _ in self.result.doubts):
            self._say(before, "mac", "mac damaged")

    def _anchor_differs(self, sequence: int) -> None:
        position = self._contents.anchor_at.get(sequence)
        where, code = "what the database has as the end of the chain", "head"
        if position is not None:
            where, code = f"the header of the sector at {position:#x}", "header"
        text = f"{where} tells another mac of record {sequence - 1} than that record has"
        self.result.findings.append(Finding(code, text, position=position))

    def _say(self, one: Stored, code: str, words: str) -> None:
        self.result.doubts.append((one, code, words))


def tag(key: bytes, base: bytes, data: bytes) -> bytes:
    """The mac that the record should have behind one whose mac is `base`."""
    return hmac.digest(key, base + data[:-MAC_SIZE], "sha256")[:MAC_SIZE]


def wrong_bits(due: bytes, data: bytes) -> int:
    """In how many bits the record's mac differs from the one that is due."""
    mac = data[-MAC_SIZE:]
    return (int.from_bytes(due, "little") ^ int.from_bytes(mac, "little")).bit_count()


def _mac_flip(one: Stored, due: bytes) -> Flip:
    mac = int.from_bytes(one.data[-MAC_SIZE:], "little")
    difference = int.from_bytes(due, "little") ^ mac
    at = difference.bit_length() - 1
    data = one.data[:-MAC_SIZE] + due
    return Flip(data, len(one.data) - MAC_SIZE + at // 8, at % 8, not mac & difference)


def _is_interrupted(one: Stored, due: bytes) -> bool:
    """A program that is cut off leaves bits at 1 that should be 0, never the other way round.

    One bit alone is taken for a flipped one.
    """
    mac = int.from_bytes(one.data[-MAC_SIZE:], "little")
    missing = int.from_bytes(due, "little")
    return mac & missing == missing and (mac ^ missing).bit_count() > 1
