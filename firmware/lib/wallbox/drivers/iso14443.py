"""Finds one tag of ISO/IEC 14443-3 type A and reads the one-way counter of an NTAG21x.

A state machine over drivers/mfrc522.py: `call` begins, `service` when `due` looks at what has come
and goes on; nothing waits. Whether a UID goes on is told by the SAK (bit 0x04), not by a byte of
the UID. More than one tag is no tag.

An NTAG21x counts the first page read after each power-up (data sheet NTAG213/215/216, 8.7), so a
page is read before the counter. That a tag has no counter is believed when it refuses the command,
or is silent again and again while its UID is read well; noise alone makes no such tag.
"""

from micropython import const

from . import mfrc522

# what service() answers
WAIT = const(0)
NOBODY = const(1)
FOUND = const(2)  # `uid`, `uid_length`; go on with read_counter() or halt()
COUNTED = const(3)  # `counter`
SEVERAL = const(4)
STUCK = const(5)  # the chip answers, but does not work
DEAD = const(6)

NO_COUNTER = const(-1)

_REQUEST = const(0)
_ANTICOLLISION = const(1)
_SELECT = const(2)
_FAST_READ = const(3)
_READ_COUNT = const(4)

_STUCK_MS = const(20)  # the chip's own timer is faster
_REQUESTS = const(6)  # in a row, when noise disturbs
_SILENCES = const(8)  # in a row; a few polls
_SHORT = const(32)  # ticks of 25 us: the answers of this standard begin after 0.1 ms
_LONG = const(200)  # 5 ms for the commands of an NTAG
_REQA = const(0x26)
_WUPA = const(0x52)
_CASCADE_TAG = const(0x88)
_CASCADE = const(0x04)
_LEVELS = const(3)


class Search:
    """chip as drivers/mfrc522.py."""

    def __init__(self, chip):
        self.due = 0
        self.uid = bytearray(10)
        self.uid_length = 0
        self.counter = NO_COUNTER
        self.spoiled = 0  # searches that noise has ended
        self._chip = chip
        self._state = _REQUEST
        self._give_up_at = 0
        self._requests = 0
        self._silences = 0  # of the tag in `_asked`
        self._asked = bytearray(7)
        self._level = 0
        self._type_2 = False

    def call(self, wake: bool, now: int) -> None:
        """Calls whoever is in the field; with wake also those that were sent to sleep."""
        self._requests = 0
        self._request(wake, now)

    def service(self, now: int) -> int:
        """WAIT, or what the search has come to."""
        outcome = self._chip.result()
        if outcome == mfrc522.ANSWER:
            return self._answered(now)
        if outcome == mfrc522.WAIT:
            self.due = now + 1
            return WAIT if now < self._give_up_at else STUCK
        if outcome == mfrc522.DEAD:
            return DEAD
        if outcome == mfrc522.COLLISION:
            return SEVERAL
        if self._state >= _FAST_READ:
            if outcome == mfrc522.NAK:
                self.counter = NO_COUNTER
                return COUNTED
            if outcome == mfrc522.SILENT:
                self._silences += 1
        elif outcome == mfrc522.SILENT and self._state == _REQUEST and self._requests == 1:
            return NOBODY
        return self._again(now)

    def read_counter(self, now: int) -> int:
        """WAIT, or at once COUNTED if the tag has none. FOUND may come again, after noise."""
        for index in range(7):
            if self._asked[index] != self.uid[index]:
                self._asked[index] = self.uid[index]
                self._silences = 0
        if not self._type_2 or self._silences >= _SILENCES:
            self.counter = NO_COUNTER
            return COUNTED
        self._command(_FAST_READ, 0x3A, 0, 3, now + 2)
        return WAIT

    def halt(self) -> None:
        """The tag sleeps until it is woken; it does not answer to that."""
        frame = self._chip.frame
        frame[0] = 0x50
        frame[1] = 0
        self._chip.send(2, 0, True, _SHORT)

    def _request(self, wake: bool, now: int) -> None:
        self._requests += 1
        self._chip.frame[0] = _WUPA if wake else _REQA
        self._send(_REQUEST, 1, 7, False, now + 1)

    def _again(self, now: int) -> int:
        """Noise, or half an answer: the tag is called anew. Never for ever."""
        if self._requests < _REQUESTS:
            self._request(True, now)
            return WAIT
        self.spoiled += 1
        return NOBODY

    def _send(self, state: int, length: int, last_bits: int, crc: bool, due: int) -> None:
        self._chip.send(length, last_bits, crc, _SHORT if state <= _SELECT else _LONG)
        self._state = state
        self.due = due
        self._give_up_at = due + _STUCK_MS

    def _command(self, state: int, code: int, argument: int, length: int, due: int) -> None:
        frame = self._chip.frame
        frame[0] = code
        frame[1] = argument
        frame[2] = 0
        self._send(state, length, 0, True, due)

    def _answered(self, now: int) -> int:
        state = self._state
        if state == _REQUEST:
            return self._requested(now)
        if state == _ANTICOLLISION:
            return self._told(now)
        if state == _SELECT:
            return self._selected(now)
        if state == _FAST_READ:
            self._command(_READ_COUNT, 0x39, 0x02, 2, now + 1)
            return WAIT
        return self._counted(now)

    def _requested(self, now: int) -> int:
        if self._chip.length != 2:  # nothing protects these bytes, so nothing depends on them
            return self._again(now)
        self.uid_length = 0
        self._level = 0
        self._ask_level(now)
        return WAIT

    def _ask_level(self, now: int) -> None:
        self._chip.frame[0] = 0x93 + 2 * self._level
        self._chip.frame[1] = 0x20
        self._send(_ANTICOLLISION, 2, 0, False, now + 1)

    def _told(self, now: int) -> int:
        """Four bytes and their check: select that tag."""
        answer, frame = self._chip.answer, self._chip.frame
        check = answer[0] ^ answer[1] ^ answer[2] ^ answer[3] ^ answer[4]
        if self._chip.length != 5 or check:
            return self._again(now)
        frame[1] = 0x70
        for index in range(5):
            frame[2 + index] = answer[index]
        self._send(_SELECT, 7, 0, True, now + 2)
        return WAIT

    def _selected(self, now: int) -> int:
        chip = self._chip
        if chip.length != 1 and chip.length != 3:  # some chips leave the CRC in
            return self._again(now)
        frame = chip.frame
        more = chip.answer[0] & _CASCADE
        if more and (frame[2] != _CASCADE_TAG or self._level == _LEVELS - 1):
            return self._again(now)
        for index in range(3 if more else 2, 6):
            self.uid[self.uid_length] = frame[index]
            self.uid_length += 1
        if more:
            self._level += 1
            self._ask_level(now)
            return WAIT
        self._type_2 = chip.answer[0] == 0 and self.uid_length == 7
        return FOUND

    def _counted(self, now: int) -> int:
        chip = self._chip
        if chip.length != 3 and chip.length != 5:
            return self._again(now)
        self._silences = 0
        self.counter = chip.answer[0] | chip.answer[1] << 8 | chip.answer[2] << 16
        return COUNTED
