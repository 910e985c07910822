"""A box's records as a collector's database holds them; it is opened so that nothing is written."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, func, select
from sqlalchemy.engine import Connection, Row
from sqlalchemy.exc import DatabaseError
from wallbox.store.record import length_at, unpack

from host.collect.database import APPLICATION_ID, BUSY_TIMEOUT_S, VERSION, boxes, records
from host.ledger.entries import standing
from host.ledger.verify.bits import flipped_record
from host.ledger.verify.findings import DATABASE, Contents, Damage, Finding, Progress, Stored

_EVERY = 512  # records, between two steps of the progress bar
_COLUMNS = ("kind", "quality", "boot", "uptime_ms", "utc_s")


class Unusable(Exception):
    """One line: which source, what is wrong, what to do."""


@contextmanager
def opened(path: Path) -> Iterator[Connection]:
    """A read-only view of a collector's database, also while the collector runs.

    Without a write-ahead log beside it the file is taken as immutable, since SQLite would make
    one. Raises Unusable.
    """
    before = _version(path)
    mode = "mode=ro" if path.with_name(path.name + "-wal").exists() else "immutable=1"
    uri = f"{path.resolve().as_uri()}?{mode}"

    def connect() -> sqlite3.Connection:
        return sqlite3.connect(uri, uri=True, timeout=BUSY_TIMEOUT_S, isolation_level=None)

    engine = create_engine("sqlite://", creator=connect)
    try:
        with engine.connect() as connection:
            connection.exec_driver_sql("BEGIN")
            _check_kind(connection, path)
            yield connection
    except DatabaseError as error:
        raise Unusable(f"{path}: {error.orig}; restore it from a copy") from error
    finally:
        engine.dispose()
    if mode == "immutable=1" and _version(path) != before:
        raise Unusable(f"{path}: somebody wrote to it meanwhile; repeat")


def _version(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_mtime_ns, found.st_size


def _check_kind(connection: Connection, path: Path) -> None:
    def pragma(name: str) -> int:
        return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())

    if pragma("application_id") != APPLICATION_ID:
        raise Unusable(f"{path}: an SQLite file, but not a collector's; name another file")
    if pragma("user_version") > VERSION:
        raise Unusable(f"{path}: written by a newer version; update the wallbox tools")


def broken_pages(connection: Connection) -> list[Finding]:
    """What SQLite itself finds wrong with the file."""
    rows = connection.exec_driver_sql("PRAGMA integrity_check(20)").scalars()
    return [Finding("file", f"SQLite: {text}") for text in rows if text != "ok"]


def serials(connection: Connection) -> list[str]:
    """Every box that has a row or a record, sorted."""
    known = set(connection.execute(select(boxes.c.serial)).scalars())
    return sorted(known | set(connection.execute(select(records.c.box).distinct()).scalars()))


def read_box(connection: Connection, serial: str, progress: Progress) -> Contents:
    """All records of a box, in the order of their rows."""
    contents = Contents(serial, DATABASE)
    mine = records.c.box == serial
    count = connection.execute(select(func.count()).where(mine)).scalar_one()
    rows = connection.execute(select(records).where(mine).order_by(records.c.sequence))
    for index, row in enumerate(rows):
        if index % _EVERY == 0:
            progress("reading records", index, count)
        _take(contents, row)
    _take_standing(contents, connection)
    return contents


def _take(contents: Contents, row: Row[tuple[object, ...]]) -> None:
    data, number = bytes(row.data), int(row.sequence)
    if length_at(memoryview(data), 0, len(data)) != len(data) or not data:
        flips = flipped_record(data, 0, len(data), number)
        flips = tuple(flip for flip in flips if len(flip.data) == len(data))
        if not flips:
            contents.damages.append(Damage(number, number, number - 1, number + 1))
            return
        contents.stored.append(Stored(flips[0].data, number, flips))
    else:
        contents.stored.append(Stored(data, number))
    _compare_columns(contents, row, contents.stored[-1])


def _compare_columns(contents: Contents, row: Row[tuple[object, ...]], stored: Stored) -> None:
    """The columns are read from the record; if they differ, somebody changed one of them."""
    sequence, *told, _ = unpack(stored.data)
    if sequence != row.sequence:
        text = f"row {row.sequence} holds record {sequence}"
        contents.findings.append(Finding("number", text, sequence, position=row.sequence))
        return
    for name, value in zip(_COLUMNS, told, strict=True):
        column = getattr(row, name)
        if column != value and not stored.flips:
            text = f"record {sequence}: its row has {name} {column}, the record itself {value}"
            contents.findings.append(Finding("column", text, sequence, position=row.sequence))


def _take_standing(contents: Contents, connection: Connection) -> None:
    serial = contents.box
    row = connection.execute(select(boxes).where(boxes.c.serial == serial)).one_or_none()
    if row is None:
        text = f"records of box {serial}, which the table of boxes does not name"
        contents.findings.append(Finding("head", text))
        return
    if row.last_mac is not None:
        contents.anchors[row.last_sequence + 1] = row.last_mac
    contents.last_due = row.last_sequence
    last = max((one.sequence for one in contents.stored), default=0)
    if last > row.last_sequence:
        text = f"record {last} lies behind {row.last_sequence}, the end of the chain as it was kept"
        contents.findings.append(Finding("head", text, last))
    known = standing(connection, serial)
    for first, before in known.chain_starts:
        if before:
            contents.accepted[first] = before
        else:
            contents.first_due = first
            text = f"records 1 to {first - 1} are not here: the chain was taken up at {first}"
            contents.notes.append(Finding("start", text, first))
    if known.quarantined:
        text = f"{known.quarantined} that came were not believed: wallbox ledger quarantine"
        contents.notes.append(Finding("quarantine", text))
