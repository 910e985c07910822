"""Stored records as entries: the payload unpacked into the fields that the core's tables name."""

from __future__ import annotations

import itertools
import json
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.engine import Connection
from wallbox.core import codes, decisions, events, refusals
from wallbox.core.fields import names
from wallbox.core.rules import session

from host.collect.database import boxes, chain_starts, quarantine, records
from host.records import Record, split

BOOT_CAUSES = {1: "PowerUp", 2: "HardReset", 3: "Watchdog", 4: "DeepSleep", 5: "SoftReset"}
OPAQUE = {"state", "digest", "payload", "tag"}  # bytes that are no text

Value = int | str | list[str]


@dataclass(frozen=True)
class Entry:
    """A record in field terms. `utc_s` is 0 where the box did not know the time; the bounds are
    then what the records around it tell (bounds.py), 0 = unknown."""

    box: str
    sequence: int
    kind: str
    quality: str
    boot: int
    uptime_ms: int
    utc_s: int
    fields: dict[str, Value]
    earliest_utc_s: int = 0
    latest_utc_s: int = 0


FACTS = decisions.facts()
REFUSALS = refusals.all_names()


class NoSuchBox(Exception):
    """One line: which box, and which there are."""


def kind_names() -> list[str]:
    """Every kind of record that has a name, in the order of its number."""
    return [FACTS[number][0] for number in sorted(FACTS)]


def kind_numbers(kinds: Sequence[str]) -> list[int]:
    """The numbers of kinds, whatever their case. ValueError names one that is not known."""
    known = {fact[0]: number for number, fact in FACTS.items()}
    for name in kinds:
        if name.upper() not in known:
            raise ValueError(f"no kind of record is called {name}; there are {', '.join(known)}")
    return [known[name.upper()] for name in kinds]


def known_boxes(connection: Connection) -> list[str]:
    """The serials of all boxes that have been heard of, sorted."""
    return list(connection.execute(select(boxes.c.serial).order_by(boxes.c.serial)).scalars())


def choose_boxes(connection: Connection, serial: str | None) -> list[str]:
    """The one that is asked for, or all. Raises NoSuchBox."""
    known = known_boxes(connection)
    if serial is None:
        return known
    if serial not in known:
        there = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")
        raise NoSuchBox(f"no records of box {serial}; there are {there or 'none of any box'}")
    return [serial]


def read(connection: Connection, serial: str) -> Iterator[Entry]:
    """All entries of a box in their order."""
    query = select(records.c.data).where(records.c.box == serial).order_by(records.c.sequence)
    for data in connection.execute(query).scalars():
        (record,) = split(data)
        assert isinstance(record, Record), "what was stored is a record"
        yield entry(serial, record)


def filtered(
    entries: Iterable[Entry], since_utc_s: int = 0, kinds: Sequence[int] = (), last: int = 0
) -> Iterator[Entry]:
    """Of a box's entries those from the first one at or after `since_utc_s` on (0: from the
    start), only of `kinds` (empty: all), only the `last` ones (0: all)."""
    chosen: Iterator[Entry] = itertools.dropwhile(lambda one: one.utc_s < since_utc_s, entries)
    if kinds:
        wanted = {name for kind in kinds for name in (FACTS[kind][0], f"KIND_{kind}")}
        chosen = filter(lambda one: one.kind in wanted, chosen)
    return iter(deque(chosen, last)) if last else chosen


def entry(serial: str, record: Record) -> Entry:
    """A record in field terms; a kind or length that is not known keeps its bytes as hex."""
    name = f"KIND_{record.kind}"
    fields: dict[str, Value] = {"payload": record.payload.hex()}
    try:
        values = decisions.unpack(record.kind, record.payload)
    except ValueError:
        values = None
    if values is not None:
        name, specification = FACTS[record.kind]
        fields = {
            field: _value(name, field, value)
            for field, value in zip(names(specification), values[1:], strict=True)
        }
    return Entry(
        serial,
        record.sequence,
        name,
        events.QUALITY[record.quality],
        record.boot,
        record.uptime_ms,
        record.utc_s,
        fields,
    )


def _value(kind: str, field: str, value: int | bytes) -> Value:
    if isinstance(value, bytes):
        return value.hex() if field in OPAQUE else value.decode("utf-8", "replace")
    known = codes.NAMES.get((kind, field))
    if known and known[0] is None:
        return [name or "" for bit, name in enumerate(known[1:]) if value >> bit & 1]
    if known:
        return _named(known, value)
    if field.endswith("quality"):
        return _named(events.QUALITY, value)
    if field == "flags":
        return ["partial"] if value & decisions.PARTIAL else []
    if field == "cause" and kind != "BOOT":
        return [name for bit, name in enumerate(decisions.GAP_CAUSES) if value >> bit & 1]
    if field == "cause":
        return BOOT_CAUSES.get(value, str(value))
    if field == "reason":
        return _named(decisions.REASONS, value)
    if field == "status":
        return _named(session.STATUS, value)
    if field == "refusal":
        return REFUSALS[value] if value < len(REFUSALS) else str(value)
    return value


def _named(table: Sequence[str | None], value: int) -> str:
    return (table[value] if value < len(table) else None) or str(value)


@dataclass(frozen=True)
class Standing:
    """What the collector knows of a box besides its records."""

    box: str
    last_sequence: int
    chain_starts: list[tuple[int, int]]  # (first sequence, the one before it here)
    quarantined: int
    status: dict[str, object]


def standing(connection: Connection, serial: str) -> Standing:
    """Where a box's chain stands, where it has holes, what was not believed, its last status."""
    row = connection.execute(select(boxes).where(boxes.c.serial == serial)).one()
    starts = connection.execute(
        select(chain_starts.c.sequence, chain_starts.c.previous_sequence)
        .where(chain_starts.c.box == serial)
        .order_by(chain_starts.c.sequence)
    )
    refused = connection.execute(
        select(func.coalesce(func.sum(quarantine.c.count), 0)).where(quarantine.c.box == serial)
    ).scalar_one()
    return Standing(
        serial,
        row.last_sequence,
        [(sequence, previous) for sequence, previous in starts],
        int(refused),
        json.loads(row.status or "{}"),
    )
