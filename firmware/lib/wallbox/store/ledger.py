"""The ledger: billing facts, freed only by the operator's acknowledgement."""

from micropython import const

from .record import LENGTH_MAX, LENGTH_MIN, MAC_SIZE, STATE, number
from .ring import Ring

NAME = b"wallbox ledger"
LONGEST = const(136)  # bytes of a record; after each boot so much is left out
STATEMENT_SIZE = const(20)


class Ledger(Ring):
    """The ring of facts. device: raw partition; key: of this box, shared with the operator."""

    def __init__(self, device, key: bytes):
        Ring.__init__(self, device, NAME, key, False, LONGEST)

    def recent(self):
        """Yields (kind, quality, utc_s, payload) from the latest snapshot on, to recover from.

        Facts behind a snapshot may already be part of it. Without a snapshot: all there is.
        """
        for record in self.recent_records():
            yield record[1], record[2], record[5], record[6]

    def recent_records(self):
        """The same as whole records, see Reader.records()."""
        return self.records(self._latest_state() or self.oldest_sequence)

    def statement(self, message) -> int:
        """The sequence number that the operator states to have, -1 if the message is not its own.

        message: sequence u32, mac of that record (8), proof (8). A record that is no longer here
        is taken on the proof alone.
        """
        if len(message) != STATEMENT_SIZE:
            return -1
        message = bytes(message)
        proof = self.chain.tag(b"ack" + message[: 4 + MAC_SIZE])
        difference = 0
        for index in range(MAC_SIZE):
            difference |= proof[index] ^ message[4 + MAC_SIZE + index]
        sequence = number(message, 0, 4)
        if difference or sequence >= self.next_sequence:
            return -1
        if sequence and sequence >= self.oldest_sequence:
            buf = bytearray(LENGTH_MAX)
            _, first, _ = self.read_into(sequence, buf)
            end = buf[0]
            if first == sequence and buf[end - MAC_SIZE : end] != message[4 : 4 + MAC_SIZE]:
                return -1
        return sequence

    def acknowledge_message(self, message) -> bool:
        """Takes the operator's acknowledgement; False if it is not the operator's."""
        sequence = self.statement(message)
        if sequence < 0:
            return False
        self.acknowledge(sequence)
        return True

    def _latest_state(self) -> int:
        """The newest snapshot that can be read, 0: there is none."""
        if self.state_sequence:
            return self.state_sequence
        sector = self.before(self.head) if self.head >= 0 else -1
        while sector >= 0:
            found = 0
            last = self.last_in(sector)
            for record in self.records(self.first[sector]):
                if record[0] > last:
                    break
                if record[1] == STATE:
                    found = record[0]
            if found:
                return found
            sector = self.before(sector)
        return 0


assert LENGTH_MIN < LONGEST <= LENGTH_MAX
