"""What a log holds, and what of it replay cannot reach."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from host.replay import said
from host.replay.lane import DECIDED, SNAPSHOT
from host.replay.segments import read_entries, snapshot_end
from host.replay.spread import cores_in

UNTOLD = bytes(8)  # hash of a core that was not built into an image


@dataclass(frozen=True)
class Survey:
    """`missing`: records that lie between others and are gone. `before`: events that lie before
    the first snapshot. `cores`: hash of the rules that decided, with the number of its segments.
    """

    records: int
    missing: int
    before: int
    begins: str
    ends: str
    cores: dict[bytes, int]


def survey(records: Sequence[bytes]) -> Survey:
    """Of some records, at least one."""
    first, before = 0, 0
    while first < len(records) and not snapshot_end(records, first):
        first += 1
    for entry in read_entries(records[:first]):
        before += entry.data[0] not in (SNAPSHOT, DECIDED)
    last, begin = (int.from_bytes(records[at][2:6], "little") for at in (-1, 0))
    missing = last - begin + 1 - len(records)
    begins, ends = _moment(records[:50]), _moment(records[:-50:-1])
    return Survey(len(records), missing, before, begins, ends, cores_in(records))


def _moment(records: Sequence[bytes]) -> str:
    """The first time that the box knew among them."""
    for record in records:
        utc_s = int.from_bytes(record[13:17], "little")
        if utc_s:
            return said.utc(utc_s)
    return ""


def notes(found: Survey, wanted: frozenset[bytes] | None) -> list[str]:
    """What is not part of the answer, in words."""
    told = []
    if found.before:
        told.append(
            f"{found.before:,} events lie before the first snapshot: nothing tells in what state "
            "the box was, so they are not played"
        )
    if found.missing:
        told.append(f"{found.missing:,} records are missing between others")
    for core, segments in found.cores.items():
        if wanted is not None and core not in wanted:
            told.append(f"{segments:,} segments were decided by {name(core)}: not played")
    return told


def name(core: bytes) -> str:
    return "rules that it does not tell" if core == UNTOLD else f"the rules {core.hex()}"
