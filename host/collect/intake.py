"""Judges what a box sent, in one database transaction: new, known, or not to be believed.

A record is taken when its sequence follows the last one stored and its mac follows from that
record's mac under the box's key. The rules for the rest:

- known sequence, same bytes: the box repeats itself; nothing happens but a fresh acknowledgement;
- known sequence, other bytes: an alarm, kept in quarantine;
- a hole before it: not taken, since it cannot be verified; the acknowledgement stays at the last
  record in front of the hole, and from there the box sends again;
- a mac that does not follow, or does not prove a packed message: kept in quarantine, an alarm;
- nothing stored yet and the box begins with number N above 1: a hole like any other, unless its
  status says that everything before N was acknowledged earlier. Then N, whose mac cannot be
  verified, waits as a candidate until the record after it follows from it; the chain starts there.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from sqlalchemy import func, select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from host.collect.database import boxes, chain_starts, now_s, quarantine, records
from host.collect.packed import unpacked
from host.records import Record, Torn, chain_genesis, follows, split

PAYLOAD_BYTES_MAX = 4096
QUARANTINE_ROWS_MAX = 1000  # a box
QUARANTINE_BYTES_MAX = 1024  # a row


@dataclass(frozen=True)
class Notice:
    """Something the operator should read. Level: info, warning or alarm."""

    level: str
    code: str
    box: str
    text: str


@dataclass
class Outcome:
    """What one message of a box came to, and where its chain stands now (0 = nothing stored)."""

    box: str
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    last_sequence: int = 0
    last_mac: bytes = b""
    notices: tuple[Notice, ...] = ()


class Intake:
    """One box's message within one transaction; use once."""

    def __init__(self, connection: Connection, serial: str, key: bytes) -> None:
        self._connection = connection
        self._serial = serial
        self._key = key
        self._notices: list[Notice] = []
        self._fresh: list[Record] = []
        self._outcome = Outcome(serial)
        connection.execute(insert(boxes).values(serial=serial).on_conflict_do_nothing())
        row = connection.execute(select(boxes).where(boxes.c.serial == serial)).one()
        self._last_sequence: int = row.last_sequence
        self._last_mac: bytes = row.last_mac or chain_genesis(key)
        self._candidate = _record(row.candidate)
        self._hole_accepted = bool(row.hole_accepted)
        self._acknowledged_before = _acknowledged(row.status)
        self._head = (self._last_sequence, row.candidate, row.hole_accepted)

    def take(self, payload: bytes) -> Outcome:
        """Judge every record of the message, store the new ones, and say what came of it."""
        if len(payload) <= PAYLOAD_BYTES_MAX:
            self._take_records(payload)
        else:
            self._refuse(None, payload, "oversized", f"a message of {len(payload)} bytes")
        self._keep()
        outcome = self._outcome
        outcome.last_sequence = self._last_sequence
        outcome.last_mac = self._last_mac
        outcome.notices = tuple(self._notices)
        return outcome

    def _take_records(self, payload: bytes) -> None:
        try:
            payload = unpacked(self._key, payload)
        except ValueError as error:
            self._refuse(None, payload, "packed", f"{error}; the box is asked for plain records")
            return
        for found in split(payload):
            if not self._judge(found):
                return

    def _judge(self, found: Record | Torn) -> bool:
        """False if nothing behind this record of the message can be judged."""
        if isinstance(found, Torn):
            self._refuse(None, found.data, "malformed", f"no record at byte {found.offset}")
            return False
        if found.sequence <= self._last_sequence:
            self._compare(found)
            return True
        if found.sequence == self._last_sequence + 1:
            return self._append(found, follows(self._key, self._last_mac, found))
        if self._may_begin_at(found):
            self._begin_chain(found)
            return True
        self._outcome.refused += 1
        self._notice(
            "warning",
            "hole",
            f"record {found.sequence} came after {self._last_sequence or 'nothing'}; the box is "
            f"asked for all from {self._last_sequence + 1}",
        )
        return False

    def _may_begin_at(self, record: Record) -> bool:
        if self._hole_accepted:
            return True
        first = record.sequence
        if self._candidate is not None and self._candidate.sequence + 1 == first:
            first -= 1
        return self._last_sequence == 0 and self._acknowledged_before >= first - 1

    def _append(self, record: Record, believed: bool) -> bool:
        if not believed:
            self._refuse(
                record.sequence,
                record.data,
                "mac",
                f"record {record.sequence} does not follow from the one before under this box's "
                "key; look at the key file and at the box",
            )
            return False
        self._fresh.append(record)
        self._candidate = None
        self._last_sequence = record.sequence
        self._last_mac = record.mac
        return True

    def _begin_chain(self, record: Record) -> None:
        candidate = self._candidate
        if candidate is None or record.sequence != candidate.sequence + 1:
            self._candidate = record
            return
        if not follows(self._key, candidate.mac, record):
            self._candidate = record
            self._notice(
                "warning",
                "candidate",
                f"record {record.sequence} does not follow from the one before; the chain's start "
                "is still open",
            )
            return
        self._connection.execute(
            insert(chain_starts).values(
                box=self._serial,
                sequence=candidate.sequence,
                previous_sequence=self._last_sequence,
                at=now_s(),
            )
        )
        self._notice(
            "warning",
            "chain-start",
            f"chain starts at {candidate.sequence}, "
            + (f"after {self._last_sequence}" if self._last_sequence else "nothing before it")
            + "; records in between are not here",
        )
        self._hole_accepted = False
        self._append(candidate, True)
        self._append(record, True)

    def _compare(self, record: Record) -> None:
        for fresh in self._fresh:
            if fresh.sequence == record.sequence:
                stored: bytes | None = fresh.data
                break
        else:
            stored = self._stored(record.sequence)
        if stored == record.data:
            self._outcome.repeated += 1
            return
        if stored is None:
            self._refuse(
                record.sequence,
                record.data,
                "before-start",
                f"record {record.sequence} is from before the chain's start here",
                level="warning",
            )
            return
        before = _record(self._stored(record.sequence - 1))
        previous = before.mac if before else chain_genesis(self._key)
        signed = "" if follows(self._key, previous, record) else "not "
        self._refuse(
            record.sequence,
            record.data,
            "conflict",
            f"record {record.sequence} came again with other bytes, {signed}signed with the box's "
            "key; the first one is kept",
        )

    def _stored(self, sequence: int) -> bytes | None:
        return self._connection.execute(
            select(records.c.data).where(
                records.c.box == self._serial, records.c.sequence == sequence
            )
        ).scalar_one_or_none()

    def _refuse(
        self, sequence: int | None, data: bytes, reason: str, text: str, level: str = "alarm"
    ) -> None:
        self._outcome.refused += 1
        put_aside(self._connection, self._serial, sequence, data, reason)
        self._notice(level, reason, text)

    def _notice(self, level: str, code: str, text: str) -> None:
        self._notices.append(Notice(level, code, self._serial, text))

    def _keep(self) -> None:
        at = now_s()
        if self._fresh:
            self._connection.execute(
                insert(records), [_row(self._serial, record, at) for record in self._fresh]
            )
            self._outcome.stored = len(self._fresh)
        candidate = self._candidate.data if self._candidate else None
        if (self._last_sequence, candidate, int(self._hole_accepted)) != self._head:
            self._connection.execute(
                update(boxes)
                .where(boxes.c.serial == self._serial)
                .values(
                    last_sequence=self._last_sequence,
                    last_mac=self._last_mac if self._last_sequence else None,
                    candidate=candidate,
                    hole_accepted=int(self._hole_accepted),
                )
            )


def put_aside(
    connection: Connection, serial: str, sequence: int | None, data: bytes, reason: str
) -> None:
    """Keep evidence of what was not believed; the same bytes again are only counted."""
    at = now_s()
    data = data[:QUARANTINE_BYTES_MAX]
    same = (
        (quarantine.c.box == serial)
        & (quarantine.c.reason == reason)
        & (quarantine.c.data == data)
    )
    again = update(quarantine).where(same).values(count=quarantine.c.count + 1, last_at=at)
    if connection.execute(again).rowcount:
        return
    held = select(func.count()).select_from(quarantine).where(quarantine.c.box == serial)
    if connection.execute(held).scalar_one() >= QUARANTINE_ROWS_MAX:
        return
    connection.execute(
        insert(quarantine).values(
            box=serial, sequence=sequence, reason=reason, data=data, first_at=at, last_at=at
        )
    )


def heads(connection: Connection) -> dict[str, tuple[int, bytes]]:
    """Serial: last sequence and its mac, of every box that has records."""
    rows = connection.execute(select(boxes).where(boxes.c.last_sequence > 0))
    return {row.serial: (row.last_sequence, row.last_mac) for row in rows}


def _record(data: bytes | None) -> Record | None:
    if data is None:
        return None
    (found,) = split(data)
    assert isinstance(found, Record), "what was stored is a record"
    return found


def _acknowledged(status: str | None) -> int:
    """What the box's status says was acknowledged; 0 if it says nothing."""
    ledger = json.loads(status or "{}").get("ledger")
    value = ledger.get("acknowledged") if isinstance(ledger, dict) else None
    return value if isinstance(value, int) else 0


def _row(serial: str, record: Record, at: int) -> dict[str, object]:
    return {
        "box": serial,
        "sequence": record.sequence,
        "kind": record.kind,
        "quality": record.quality,
        "boot": record.boot,
        "uptime_ms": record.uptime_ms,
        "utc_s": record.utc_s,
        "data": record.data,
        "received_at": at,
    }
