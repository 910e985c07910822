"""A ledger in memory that the firmware's publisher reads as it reads the flash of a box."""

from __future__ import annotations

import hmac

from wallbox.store.record import LENGTH_MAX

from host.records import acknowledgement

_STATEMENT = 20


class MemoryLedger:
    """Records in ascending order of their numbers, holes allowed; the oldest may be let go.

    `next_sequence`: behind the newest that may be sent. `acknowledged`: the operator's last word.
    """

    def __init__(self, key: bytes, acknowledged: int = 0) -> None:
        self.key = key
        self.acknowledged = acknowledged
        self.next_sequence = self.oldest_sequence = acknowledged + 1
        self._records: list[bytes] = []
        self._sequences: list[int] = []

    def __len__(self) -> int:
        return len(self._records)

    def add(self, record: bytes) -> None:
        """The next record."""
        sequence = int.from_bytes(record[2:6], "little")
        if not self._records:
            self.oldest_sequence = sequence
        self._records.append(record)
        self._sequences.append(sequence)
        self.next_sequence = sequence + 1

    def read_into(self, sequence: int, buf: memoryview) -> tuple[int, int, int]:
        """As Reader.read_into of the firmware."""
        at = self._find(sequence)
        if at == len(self._records):
            return 0, 0, 0
        end, first, last = 0, self._sequences[at], 0
        room = max(len(buf), LENGTH_MAX)
        while at < len(self._records):
            record = self._records[at]
            if end + len(record) > room or (last and self._sequences[at] != last + 1):
                break
            buf[end : end + len(record)] = record
            end += len(record)
            last = self._sequences[at]
            at += 1
        return end, first, last

    def acknowledge_message(self, message: bytes) -> bool:
        """The operator's statement; False if it is not signed with this box's key."""
        sequence = int.from_bytes(message[:4], "little")
        due = acknowledgement(self.key, sequence, message[4:12])
        if len(message) != _STATEMENT or not hmac.compare_digest(due, message):
            return False
        if sequence >= self.next_sequence:
            return self._ahead(sequence)
        self.acknowledged = max(self.acknowledged, sequence)
        return True

    def _ahead(self, sequence: int) -> bool:
        """Of a box that has not written so much: nothing to be believed."""
        return False

    def forget(self, keep: int = 0) -> None:
        """Lets go of what was acknowledged, but for the newest `keep` of it."""
        at = self._find(self.acknowledged + 1) - keep
        if at > 0:
            del self._records[:at], self._sequences[:at]
            self.oldest_sequence = self._sequences[0] if self._sequences else self.next_sequence

    def _find(self, sequence: int) -> int:
        from bisect import bisect_left

        return bisect_left(self._sequences, sequence)
