"""Stores a batch of messages in one transaction and says what to acknowledge. Knows no network."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass, field

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert
from sqlalchemy.engine import Connection

from host.collect.database import Database, boxes, now_s
from host.collect.intake import Intake, Notice, Outcome, heads
from host.keys import KeyStore, KeyStoreError
from host.records import acknowledgement, chain_genesis

STATUS_BYTES_MAX = 8192
SAID_ONCE_MAX = 1000  # (code, box) pairs


@dataclass(frozen=True)
class Message:
    """What came on `wallbox/<serial>/ledger` or `wallbox/<serial>/status`."""

    topic: str
    payload: bytes
    retained: bool = False


@dataclass
class Kept:
    """What was committed: per box the acknowledgement to publish, and what to tell."""

    acknowledgements: dict[str, bytes] = field(default_factory=dict)
    outcomes: list[Outcome] = field(default_factory=list)
    refused: int = 0  # messages of boxes without a key, or on foreign topics
    notices: list[Notice] = field(default_factory=list)


class Keeper:
    """Turns messages into rows. Raises DatabaseFull and DatabaseUnusable; then nothing is kept."""

    def __init__(self, database: Database, keys: KeyStore) -> None:
        self._database = database
        self._keys = keys
        self._said: set[tuple[str, str]] = set()
        self._holes: dict[str, int] = {}  # box: the last record in front of its hole, once told

    def keep(self, messages: Iterable[Message]) -> Kept:
        """All messages in one transaction, durable on return."""
        kept = Kept()
        with self._database.writing() as connection:
            for message in messages:
                self._keep_one(connection, message, kept)
        return kept

    def acknowledgements(self) -> dict[str, bytes]:
        """For every box in the key store: where its chain stands, so that it sends the rest."""
        with self._database.reading() as connection:
            known = heads(connection)
        found = {}
        for serial in self._keys.serials():
            try:
                key = self._keys.load(serial)
            except KeyStoreError:
                continue  # said when the box sends
            sequence, mac = known.get(serial, (0, chain_genesis(key)))
            found[serial] = acknowledgement(key, sequence, mac)
        return found

    def _keep_one(self, connection: Connection, message: Message, kept: Kept) -> None:
        serial, job = _box_and_job(message.topic)
        try:
            key = self._keys.load(serial)
        except KeyStoreError as error:
            kept.refused += 1
            self._once(kept, "no-key", serial, f"refused and not acknowledged: {error}")
            return
        self._said.discard(("no-key", serial))
        if job == "status":
            self._keep_status(connection, serial, message, kept)
        elif job == "ledger":
            outcome = Intake(connection, serial, key).take(message.payload)
            kept.outcomes.append(outcome)
            kept.notices.extend(n for n in outcome.notices if self._is_news(n, outcome))
            kept.acknowledgements[serial] = acknowledgement(
                key, outcome.last_sequence, outcome.last_mac
            )

    def _keep_status(
        self, connection: Connection, serial: str, message: Message, kept: Kept
    ) -> None:
        text = _json_object(message.payload)
        if text is None:
            self._once(kept, "status", serial, "its status is no JSON object; not kept")
            return
        connection.execute(insert(boxes).values(serial=serial).on_conflict_do_nothing())
        known = connection.execute(
            select(boxes.c.status).where(boxes.c.serial == serial)
        ).scalar_one()
        if message.retained and known == text:
            return  # the broker repeats what is known; it is not as fresh as now
        connection.execute(
            update(boxes).where(boxes.c.serial == serial).values(status=text, status_at=now_s())
        )

    def _is_news(self, notice: Notice, outcome: Outcome) -> bool:
        """A box with a hole says it with every message until it sends the rest again."""
        if notice.code != "hole":
            return True
        told = self._holes.get(notice.box)
        self._holes[notice.box] = outcome.last_sequence
        return told != outcome.last_sequence

    def _once(self, kept: Kept, code: str, box: str, text: str) -> None:
        if (code, box) in self._said or len(self._said) >= SAID_ONCE_MAX:
            return
        self._said.add((code, box))
        kept.notices.append(Notice("warning", code, box, text))


def _box_and_job(topic: str) -> tuple[str, str]:
    """Serial and last level of `wallbox/<serial>/<job>`; empty where it is not of that form."""
    levels = topic.split("/")
    return (levels[1], levels[2]) if len(levels) == 3 and levels[0] == "wallbox" else ("", "")


def _json_object(payload: bytes) -> str | None:
    if len(payload) > STATUS_BYTES_MAX:
        return None
    try:
        text = payload.decode("utf-8")
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return text if isinstance(found, dict) else None
