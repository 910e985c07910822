"""Modbus RTU master, one request at a time, without input or output of its own.

The owner gives it the bytes that came (`feed`), calls `service` and writes `request` when told
SEND. An answer counts only if unit, function, byte count and CRC are those of the outstanding
request (Modbus over Serial Line V1.02, Modbus Application Protocol V1.1b3).

Times are ms. 3.5 characters of silence are kept before each request. Inside an answer pauses
of up to 50 ms are tolerated: length and CRC tell the end of a frame, and a UART's FIFO hides
when bytes really came. Nothing is allocated between `ask` and the answer.
"""

from array import array

from micropython import const

from . import meter_reasons as reasons

# what `service` answers
WAIT = const(0)
SEND = const(1)
ANSWER = const(2)
FAILED = const(3)

_IDLE = const(0)
_QUIET = const(1)  # waiting for silence on the bus
_ASKED = const(2)

_SKIP = const(3)  # bytes of line noise tolerated before an answer
_BYTE_GAP_MS = const(50)
_BUSY_MS = const(1000)  # longest wait for silence
_POLL_MS = const(5)
_SIZE = const(256)


def _table():
    table = array("H", bytes(512))
    for i in range(256):
        crc = i
        for _ in range(8):
            crc = (crc >> 1) ^ (0xA001 if crc & 1 else 0)
        table[i] = crc
    return table


_CRC = _table()


def crc16(buf, start: int, end: int) -> int:
    """CRC-16/MODBUS of buf[start:end]; over a whole frame with its CRC it is 0."""
    crc = 0xFFFF
    table = _CRC
    for i in range(start, end):
        crc = (crc >> 8) ^ table[(crc ^ buf[i]) & 0xFF]
    return crc


def wire_ms(characters: int, baud: int) -> int:
    """Time of so many 11-bit characters on the wire, rounded up."""
    return (characters * 11000 + baud - 1) // baud


class Master:
    """State of one request: retries, silence, and which bytes to believe."""

    def __init__(self, baud: int, timeout_ms: int = 600, attempts: int = 3, pause_ms: int = 0):
        assert timeout_ms >= 500 and 1 <= attempts <= 5
        self.baud = baud
        self.timeout_ms = timeout_ms  # from the end of the request to the first byte
        self.attempts = attempts
        # one ms more than 3.5 characters (at least 1.75 ms), for our clock has whole ms
        self.gap_ms = max((38500 + baud - 1) // baud, 2) + 1
        self.pause_ms = max(pause_ms, self.gap_ms)  # from the end of an answer to the next request
        self.request = bytearray(8)
        self.buf = bytearray(_SIZE)
        self.at = 0  # ANSWER: where in buf the registers begin
        self.reason = reasons.NONE  # FAILED: why
        self.exception = 0  # code of the last exception answer
        self.asked_at = 0
        self.answered_at = 0
        self.due = 0
        self.requests = 0
        self.retries = 0
        self.bad = 0  # frames discarded
        self.stray = 0  # bytes discarded: noise, echoes, late answers
        self.late = 0  # answers not taken because an earlier request was unanswered
        self._state = _IDLE
        self._count = 0
        self._doubt = False
        self._attempt = 0
        self._clear_at = 0
        self._give_up_at = 0
        self._last_at = 0
        self._timeout_at = 0

    def ask(self, unit: int, function: int, address: int, count: int, now: int) -> None:
        """Begins a request for `count` registers from `address` (0-based, as on the wire)."""
        assert self._state == _IDLE
        assert 1 <= unit <= 247 and function in (3, 4) and 1 <= count <= 120
        request = self.request
        request[0] = unit
        request[1] = function
        request[2] = address >> 8
        request[3] = address & 0xFF
        request[4] = 0
        request[5] = count
        crc = crc16(request, 0, 6)
        request[6] = crc & 0xFF
        request[7] = crc >> 8
        self.reason = reasons.NONE
        self._attempt = 0
        self._quiet(now)

    def feed(self, chunk, n: int, now: int) -> None:
        """Takes n bytes that have come from the bus."""
        self._last_at = now
        if self._state != _ASKED:
            self.stray += n
            self._clear_at = max(self._clear_at, now + self.gap_ms)
            return
        count = self._count
        if count + n > _SIZE:
            self.stray += n
            return
        buf = self.buf
        for i in range(n):
            buf[count + i] = chunk[i]
        self._count = count + n

    def sent(self, now: int) -> None:
        """`request` has been given to the UART."""
        self._state = _ASKED
        self._count = 0
        self.requests += 1
        self.asked_at = now
        end = now + wire_ms(8, self.baud)
        self._last_at = end
        self._timeout_at = end + self.timeout_ms
        self._give_up_at = self._timeout_at + wire_ms(3 * (5 + 2 * self.request[5]), self.baud)
        self.due = end

    def not_sent(self, now: int) -> int:
        """The UART refused the request: WAIT or FAILED."""
        self._note(reasons.BUS_ERROR)
        return self._retry(now)

    def service(self, now: int) -> int:
        """WAIT, SEND (write `request`, then call `sent`), ANSWER or FAILED; `due`: call again."""
        if self._state == _QUIET:
            if now >= self._clear_at:
                return SEND
            if now >= self._give_up_at:
                self._note(reasons.BUS_NOISE)
                return self._fail(now)
            self.due = self._clear_at
            return WAIT
        if self._state == _ASKED:
            return self._listen(now)
        return WAIT

    def _listen(self, now: int) -> int:
        if self._count:
            missing = self._match()
            if missing == 0:
                return self._finish(now)
            if now >= self._last_at + _BYTE_GAP_MS:
                if self._discard():
                    return self._retry(now)
            else:
                self.due = now + max(2, wire_ms(missing, self.baud))
                if now >= self._give_up_at:
                    self._note(reasons.BUS_NOISE)
                    return self._retry(now)
                return WAIT
        if now >= self._timeout_at:
            self._doubt = True
            return self._retry(now)
        self.due = min(now + _POLL_MS, self._timeout_at)
        return WAIT

    def _match(self) -> int:
        """Looks for the answer; returns how many bytes are missing, 0 if `at` tells where it is."""
        buf = self.buf
        request = self.request
        n = self._count
        start = 0
        while start < 8 and start < n and buf[start] == request[start]:
            start += 1
        if start < 8:  # not (yet) our own request, echoed by a two-wire transceiver
            start = 0
        for at in range(start, min(start + _SKIP, n) + 1):
            if n - at < 3:
                return 5 - (n - at)
            if buf[at] != request[0]:
                continue
            if buf[at + 1] == request[1] and buf[at + 2] == 2 * request[5]:
                length = 5 + 2 * request[5]
            elif buf[at + 1] == request[1] | 0x80:
                length = 5
            else:
                continue
            if n - at < length:
                return length - (n - at)
            if crc16(buf, at, at + length) == 0:
                self.at = at + 3
                self.stray += n - length
                return 0
        return 1

    def _finish(self, now: int) -> int:
        """A frame that belongs to the request: the answer, or an exception."""
        self.answered_at = self._last_at
        self._clear_at = self._last_at + self.pause_ms
        if self.buf[self.at - 2] & 0x80:
            self._doubt = False
            self.exception = self.buf[self.at - 1]
            self._note(reasons.EXCEPTION)
            return self._retry(now)
        if self._doubt:
            # may be the late answer to the request that was given up: ask again
            self._doubt = False
            self.late += 1
            self._clear_at = now + self.pause_ms + wire_ms(5 + 2 * self.request[5], self.baud)
            self._quiet(now)
            return WAIT
        self._state = _IDLE
        self.due = now
        return ANSWER

    def _discard(self) -> bool:
        """Throws away what is no answer. True if it was the answer, spoiled: no other will come."""
        buf = self.buf
        request = self.request
        n = self._count
        self._count = 0
        self.stray += n
        if n == 8 and buf[0] == request[0] and crc16(buf, 0, 8) == 0 and buf[5] == request[5]:
            return False  # the echo alone
        self.bad += 1
        if n < 5:
            self._note(reasons.BUS_NOISE)
            return False
        if crc16(buf, 0, n) == 0:  # another unit's, or late; ours may still come
            mine = buf[0] == request[0]
            self._note(reasons.WRONG_ANSWER if mine else reasons.UNIT_MISMATCH)
            return False
        self._note(reasons.BAD_CRC)
        return buf[0] == request[0] or n >= 5 + 2 * request[5]

    def _note(self, reason: int) -> None:
        if self.reason in (reasons.NONE, reasons.BUS_NOISE):
            self.reason = reason

    def _quiet(self, now: int) -> None:
        self._state = _QUIET
        self._give_up_at = max(now, self._clear_at) + _BUSY_MS
        self.due = max(now, self._clear_at)

    def _retry(self, now: int) -> int:
        self._attempt += 1
        if self._attempt >= self.attempts:
            return self._fail(now)
        self.retries += 1
        self._clear_at = max(self._clear_at, now + self.gap_ms)
        self._quiet(now)
        return WAIT

    def _fail(self, now: int) -> int:
        self._state = _IDLE
        self._clear_at = max(self._clear_at, now + self.gap_ms)
        if self.reason == reasons.NONE:
            self.reason = reasons.SILENT
        self.due = now
        return FAILED
