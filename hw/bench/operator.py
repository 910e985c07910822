"""The operator beside a rig: the product's own collector, on the rig's broker."""

from __future__ import annotations

from pathlib import Path

from host.collect.collector import BrokerSettings, Collector
from host.collect.database import Database
from host.keys import KeyStore
from host.ledger.entries import Entry, known_boxes, read, standing


class BenchOperator:
    """`hw.verbs.Operator` of one box; the database outlives the run."""

    def __init__(self, database: Path, keys: KeyStore, serial: str, port: int) -> None:
        self._serial = serial
        self._database = Database(database, create=True)
        self._collector = Collector(BrokerSettings("127.0.0.1", port), self._database, keys)

    def open(self) -> None:
        self._collector.start()

    def close(self) -> None:
        self._collector.stop()
        self._database.close()

    def entries(self) -> list[Entry]:
        with self._database.reading() as connection:
            if self._serial not in known_boxes(connection):
                return []
            return list(read(connection, self._serial))

    def lost(self) -> int:
        sequences = {entry.sequence for entry in self.entries()}
        return max(sequences) - min(sequences) + 1 - len(sequences) if sequences else 0

    def quarantined(self) -> int:
        with self._database.reading() as connection:
            if self._serial not in known_boxes(connection):
                return 0
            return standing(connection, self._serial).quarantined
