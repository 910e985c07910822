"""The ledger read as messages: whole records, as many as fit."""

from micropython import const

LONGEST_RECORD = const(254)


class Outbox:
    """A read-ahead of a few records, because the ledger itself reads 254 bytes or more."""

    def __init__(self, ledger):
        self.ledger = ledger
        self.ahead = memoryview(bytearray(2 * LONGEST_RECORD))
        self.sequence = 0  # of the first record that waits in `ahead`, 0 = none
        self.start = 0
        self.end = 0

    def read(self, sequence, limit, buf):
        """Puts records from `sequence` on, at least one, at most `limit` bytes, into `buf`.

        Returns (bytes, last sequence), (0, 0) if there is none. buf: 254 bytes or more.
        """
        if limit >= LONGEST_RECORD:
            length, _, last = self.ledger.read_into(sequence, buf)
            return length, last
        ahead = self.ahead
        if sequence != self.sequence:
            self.end, self.sequence, _ = self.ledger.read_into(sequence, ahead)
            self.start = 0
            if not self.end:
                return 0, 0
        start = self.start
        end = start + ahead[start]
        last = self.sequence
        while end < self.end and end + ahead[end] - start <= limit:
            end += ahead[end]
            last += 1
        buf[: end - start] = ahead[start:end]
        self.start = end
        self.sequence = last + 1 if end < self.end else 0
        return end - start, last
