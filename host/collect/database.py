"""The collector's database: every box's records, each exactly once, as the bytes the box wrote.

SQLite, write-ahead log, synced at every commit: what is committed survives a power cut. The head
of each chain is read inside the writing transaction, so that two collectors on one file cannot
store a record twice.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from sqlalchemy import (
    Column,
    Engine,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    UniqueConstraint,
    create_engine,
    event,
)
from sqlalchemy.engine import Connection
from sqlalchemy.exc import DatabaseError, OperationalError

APPLICATION_ID = 0x57424C52  # "WBLR": tells our file from other SQLite files
VERSION = 1
BUSY_TIMEOUT_S = 10.0

metadata = MetaData()

boxes = Table(
    "box",
    metadata,
    Column("serial", String, primary_key=True),
    Column("last_sequence", Integer, nullable=False, default=0),  # head of the chain, 0 = none
    Column("last_mac", LargeBinary),
    Column("candidate", LargeBinary),  # first record of a chain whose beginning is not here
    Column("hole_accepted", Integer, nullable=False, default=0),
    Column("status", String),  # the latest JSON that the box published
    Column("status_at", Integer),  # UTC seconds at the collector
)

records = Table(
    "record",
    metadata,
    Column("box", ForeignKey("box.serial"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("kind", Integer, nullable=False),
    Column("quality", Integer, nullable=False),
    Column("boot", Integer, nullable=False),
    Column("uptime_ms", Integer, nullable=False),
    Column("utc_s", Integer, nullable=False),
    Column("data", LargeBinary, nullable=False),  # the whole record as it lies in the box's flash
    Column("received_at", Integer, nullable=False),
    sqlite_with_rowid=False,
)

chain_starts = Table(
    "chain_start",
    metadata,
    Column("box", ForeignKey("box.serial"), primary_key=True),
    Column("sequence", Integer, primary_key=True, autoincrement=False),
    Column("previous_sequence", Integer, nullable=False),  # 0 = nothing was stored before
    Column("at", Integer, nullable=False),
)

quarantine = Table(
    "quarantine",
    metadata,
    Column("id", Integer, primary_key=True),
    Column("box", String, nullable=False),
    Column("sequence", Integer),
    Column("reason", String, nullable=False),
    Column("data", LargeBinary, nullable=False),
    Column("count", Integer, nullable=False, default=1),
    Column("first_at", Integer, nullable=False),
    Column("last_at", Integer, nullable=False),
    UniqueConstraint("box", "reason", "data"),
)


class DatabaseUnusable(Exception):
    """One line: which file, what is wrong, what to do."""


class DatabaseFull(DatabaseUnusable):
    """There is no room; nothing of the transaction was stored."""


class Database:
    """One SQLite file. `writing()` is a transaction that is durable when it ends."""

    def __init__(self, path: str | os.PathLike[str], create: bool = False) -> None:
        """Raises DatabaseUnusable: no such file (unless `create`), foreign or newer file."""
        self.path = Path(path)
        if not create and not self.path.is_file():
            raise DatabaseUnusable(
                f"{self.path}: no such database; name the collector's file with --database"
            )
        if not self.path.parent.is_dir():
            raise DatabaseUnusable(f"{self.path}: its directory does not exist; make it first")
        self.engine: Engine = create_engine(
            f"sqlite:///{self.path}", connect_args={"timeout": BUSY_TIMEOUT_S}
        )
        event.listen(self.engine, "connect", _prepare)
        event.listen(self.engine, "begin", _begin)
        try:
            self._open(create)
        except BaseException:
            self.close()
            raise

    def _open(self, create: bool) -> None:
        with self.reading() as connection:
            application = _pragma(connection, "application_id")
            version = _pragma(connection, "user_version")
            tables = _pragma(connection, "schema_version")
        if application == APPLICATION_ID and version == VERSION:
            return
        if application == APPLICATION_ID and version > VERSION:
            raise DatabaseUnusable(
                f"{self.path}: written by a newer version (format {version}, this one reads "
                f"{VERSION}); update the wallbox tools"
            )
        if tables or not create:
            raise DatabaseUnusable(f"{self.path}: not a collector's database; name another file")
        with self._plain_errors(), closing(self.engine.raw_connection()) as raw:
            raw.cursor().execute("PRAGMA journal_mode = WAL")  # the file remembers it
        with self.writing() as connection:
            metadata.create_all(connection)
            connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
            connection.exec_driver_sql(f"PRAGMA user_version = {VERSION}")

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """One consistent view. Raises DatabaseUnusable."""
        with self._plain_errors(), self.engine.connect() as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """All of it or nothing, on disk when it ends. Raises DatabaseFull, DatabaseUnusable."""
        with self._plain_errors(), self.engine.connect() as connection:
            connection = connection.execution_options(writes=True)
            with connection.begin():
                yield connection

    @contextmanager
    def _plain_errors(self) -> Iterator[None]:
        try:
            yield
        except (OperationalError, DatabaseError) as error:
            text = str(error.orig)
            if "full" in text:
                raise DatabaseFull(
                    f"{self.path}: no room left for the database ({text}); make room on its disk"
                ) from error
            if "disk I/O error" in text:
                raise DatabaseFull(
                    f"{self.path}: the disk does not take the database ({text}); look at its disk"
                ) from error
            raise DatabaseUnusable(f"{self.path}: {text}; look at the file") from error

    def close(self) -> None:
        self.engine.dispose()


def now_s() -> int:
    """UTC seconds at the collector; says when something came, never when it happened."""
    return int(time.time())


def _prepare(connection: sqlite3.Connection, _record: object) -> None:
    # SQLAlchemy's begin event starts transactions; the driver must not do it too
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA synchronous = FULL")
    cursor.execute("PRAGMA foreign_keys = ON")
    cursor.close()


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _pragma(connection: Connection, name: str) -> int:
    return int(connection.exec_driver_sql(f"PRAGMA {name}").scalar_one())
