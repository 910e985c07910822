"""The tag reader: who is in front of it, and whether it works at all.

Polls the field every POLL_MS and tells a tag once when it appears. A reader that does not answer,
or does nothing, is reset and tried again, later and later.

The field is switched off for a moment between two tags: a genuine NTAG21x, even one that stayed
all the time, has counted on when it is told again (see store/tagcounters.py).
"""

from micropython import const

from . import iso14443

# what service() answers
NOTHING = const(0)
TAG = const(1)  # has appeared: `uid`, `uid_length`, `counter`
GONE = const(2)

POLL_MS = const(100)
GONE_MS = const(500)

_DROP = const(0)
_RISE = const(1)
_SETUP = const(2)
_FIELD_OFF = const(3)
_POLL = const(4)
_SEARCH = const(5)

_RESET_MS = const(2)
_START_MS = const(50)
_OFF_MS = const(10)
_GUARD_MS = const(6)  # until a tag listens
_STUCK_MOST = const(3)
_RETRY_MS = const(1000)
_RETRY_MAX_MS = const(60_000)
_CHECK_EVERY = const(64)  # polls


class Reader:
    """chip as drivers/mfrc522.py.

    `works`: 1, or 0 while no reader answers, or -1 while that is not known yet.
    """

    def __init__(self, chip):
        self.due = 0
        self.works = -1
        self.search = iso14443.Search(chip)
        self.uid = self.search.uid
        self.collisions = 0
        self._chip = chip
        self._state = _DROP
        self._present = bytearray(10)
        self._present_length = 0  # 0: nobody
        self._seen_at = 0
        self._fresh = False  # the field was off since the last tag was told
        self._poll_at = 0
        self._polls = 0
        self._stuck = 0
        self._retry_ms = _RETRY_MS

    @property
    def uid_length(self) -> int:
        return self.search.uid_length

    @property
    def version(self) -> int:
        """Of the reader's chip, 0 before it has answered."""
        return self._chip.version

    @property
    def counter(self) -> int:
        """Of the tag that was told; iso14443.NO_COUNTER if it has none."""
        return self.search.counter

    def service(self, now: int) -> int:
        """NOTHING, or what has happened. Call it when `due`."""
        if now < self.due:
            return NOTHING
        state = self._state
        if state == _SEARCH:
            return self._search(now)
        if state == _POLL:
            self._poll(now)
        elif state == _DROP:
            self._chip.reset(0)
            self._go(_RISE, now + _RESET_MS)
        elif state == _RISE:
            self._chip.reset(1)
            self._go(_SETUP, now + _START_MS)
        elif state == _FIELD_OFF or self._chip.configure():  # off is what it is after a reset
            self._chip.field(True)
            self._fresh = True
            self._go(_POLL, now + _GUARD_MS)
        else:
            self._lose(now)
        return NOTHING

    def _go(self, state: int, due: int) -> None:
        self._state = state
        self.due = due

    def _lose(self, now: int) -> None:
        """Who was there counts as there until a poll tells."""
        self._chip.reset(0)
        self._go(_RISE, now + self._retry_ms)
        self._retry_ms = min(2 * self._retry_ms, _RETRY_MAX_MS)
        self._stuck = 0
        self.works = 0

    def _poll(self, now: int) -> None:
        self._polls += 1
        if self._polls >= _CHECK_EVERY:
            self._polls = 0
            if not self._chip.alive():
                self._lose(now)
                return
        self._poll_at = now + POLL_MS
        self.search.call(self._present_length > 0, now)
        self._go(_SEARCH, self.search.due)

    def _search(self, now: int) -> int:
        code = self.search.service(now)
        self.due = self.search.due
        if code == iso14443.WAIT:
            return NOTHING
        if code == iso14443.DEAD:
            self._lose(now)
            return NOTHING
        self._go(_POLL, self._poll_at)
        if code == iso14443.STUCK:
            self._stuck += 1
            if self._stuck >= _STUCK_MOST:
                self._lose(now)
            return NOTHING
        self._stuck = 0
        self._retry_ms = _RETRY_MS
        if self.works != 1:
            self.works = 1
            self._seen_at = now
        return self._take(code, now)

    def _take(self, code: int, now: int) -> int:
        if code == iso14443.FOUND:
            if self._present_length:
                return self._found_again(now)
            if not self._fresh:
                return self._clear_field(NOTHING, now)
            code = self.search.read_counter(now)
            if code == iso14443.WAIT:
                self._go(_SEARCH, self.search.due)
                return NOTHING
        if code == iso14443.COUNTED:
            return self._tell(now)
        if code == iso14443.SEVERAL:
            self.collisions += 1
            if self._present_length:
                self._seen_at = now  # it may well be one of them
        elif self._present_length and now - self._seen_at >= GONE_MS:
            return self._clear_field(GONE, now)
        return NOTHING

    def _found_again(self, now: int) -> int:
        search = self.search
        same = self._present_length == search.uid_length
        for index in range(search.uid_length):
            if self._present[index] != search.uid[index]:
                same = False
        if not same:
            return self._clear_field(GONE, now)
        self._seen_at = now
        search.halt()
        return NOTHING

    def _tell(self, now: int) -> int:
        search = self.search
        self._fresh = False
        self._seen_at = now
        self._present_length = search.uid_length
        for index in range(search.uid_length):
            self._present[index] = search.uid[index]
        search.halt()
        return TAG

    def _clear_field(self, code: int, now: int) -> int:
        """Nobody is there any more; whoever is, loses its power, and counts when read again."""
        self._present_length = 0
        self._chip.field(False)
        self._go(_FIELD_OFF, now + _OFF_MS)
        return code
