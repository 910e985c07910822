"""The clock: ms since boot without wrap, and UTC by SNTP (RFC 4330), never blocking but for DNS.

UTC is what counts; the ports' epochs (2000 on ESP32, 1970 on unix) never get past
this file: the RTC is read and set as a date.
"""

import os
import socket
import time

from micropython import const

from ..core import events
from . import calendar

_NTP_1970 = const(2_208_988_800)  # NTP counts from 1900
_EARLIEST_S = const(1_767_225_600)  # 2026-01-01: no box is older
_ANSWER_MS = const(2000)
_RETRY_MS = const(15_000)
_AGAIN_MS = const(1000)  # the second opinion
_REFRESH_MS = const(3_600_000)
_RELATIVE_MS = const(86_400_000)  # a day on the crystal alone is RELATIVE
_UNANSWERED = const(4)
_AGREE_MS = const(1000)  # two answers agree if they differ by no more


class Clock:
    """`now()` and, by service(), the offset of UTC to it with its quality."""

    def __init__(self, host: str, port: int, rtc):
        self._host = host
        self._port = port
        self._rtc = rtc
        self._ticks = time.ticks_ms()
        self._now = 0
        self._address: tuple | None = None  # forgotten after some questions without an answer
        self._unanswered = 0
        self._socket: socket.socket | None = None
        self._packet = bytearray(48)
        self._token = bytes(8)
        self._sent_at = 0
        self._candidate_ms: int | None = None  # offset by the last answer, not confirmed yet
        self._synchronised_at = 0
        self.offset_ms = 0  # UTC at now = 0
        self.quality = events.UNKNOWN
        self.due = 0

    @property
    def resolved(self) -> bool:
        """False if asking the server means to wait for the DNS first, which blocks."""
        return self._address is not None

    def now(self) -> int:
        """ms since boot."""
        ticks = time.ticks_ms()
        self._now += time.ticks_diff(ticks, self._ticks)
        self._ticks = ticks
        return self._now

    def recall(self, now: int) -> bool:
        """Takes the RTC's time, which outlives a reset but no power cut, as INFORMATIVE."""
        moment = self._rtc.datetime()
        utc_s = calendar.utc_s(*moment[:3], *moment[4:7])
        if utc_s < _EARLIEST_S or self.quality != events.UNKNOWN:
            return False
        self.offset_ms = utc_s * 1000 + moment[7] // 1000 - now
        self.quality = events.INFORMATIVE
        return True

    def service(self, now: int, online: bool) -> bool:
        """True if offset_ms or quality has changed. Asks the server while online."""
        if self._socket is not None:
            return self._receive(now)
        aged = (
            self.quality == events.SYNCHRONISED and now - self._synchronised_at >= _RELATIVE_MS
        )
        if aged:
            self.quality = events.RELATIVE
        if online and now >= self.due:
            self.due = now + _RETRY_MS
            self._send(now)
        return aged

    def _send(self, now: int) -> None:
        packet = self._packet
        for index in range(48):
            packet[index] = 0
        packet[0] = 0x23  # version 4, client
        self._token = os.urandom(8)
        packet[40:48] = self._token  # comes back as originate: not our clock, but a secret
        try:
            address = self._address
            if address is None:
                found = socket.getaddrinfo(self._host, self._port, 0, socket.SOCK_DGRAM)
                address = self._address = found[0][-1]
            link = self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
            link.setblocking(False)
            link.connect(address)
            link.send(packet)
        except OSError:
            self._close()
        self._sent_at = now

    def _receive(self, now: int) -> bool:
        assert self._socket is not None
        try:
            answer = self._socket.recv(48)
        except OSError:  # nothing yet, or the port is closed
            answer = None
        utc_ms = self._transmitted_ms(answer) if answer else 0
        if utc_ms:
            self._close()
            self._unanswered = 0
            return self._believe(utc_ms + (now - self._sent_at) // 2 - now, now)
        if now - self._sent_at >= _ANSWER_MS:
            self._close()
            self._unanswered += 1
            if self._unanswered >= _UNANSWERED:
                self._unanswered = 0
                self._address = None
        return False

    def _transmitted_ms(self, answer: bytes) -> int:
        """UTC ms of a good answer, 0 of any other."""
        if len(answer) < 48 or answer[0] & 7 != 4 or answer[0] >> 6 == 3:
            return 0
        if not 1 <= answer[1] <= 15 or answer[24:32] != self._token:
            return 0
        seconds = int.from_bytes(answer[40:44], "big")
        if seconds < 1 << 31:
            seconds += 1 << 32  # era 1, from 2036 on
        utc_s = seconds - _NTP_1970
        if not _EARLIEST_S <= utc_s < 1 << 32:  # a record has 32 bits for it
            return 0
        return utc_s * 1000 + (int.from_bytes(answer[44:48], "big") * 1000 >> 32)

    def _believe(self, offset_ms: int, now: int) -> bool:
        """A first time, or one that differs, needs a second answer that agrees."""
        known_ms = self.offset_ms if self.quality >= events.RELATIVE else self._candidate_ms
        agrees = known_ms is not None and -_AGREE_MS <= offset_ms - known_ms <= _AGREE_MS
        if not agrees and self._candidate_ms is not None:
            agrees = -_AGREE_MS <= offset_ms - self._candidate_ms <= _AGREE_MS
        if not agrees:
            self._candidate_ms = offset_ms
            self.due = now + _AGAIN_MS
            return False
        self._candidate_ms = None
        self.offset_ms = offset_ms
        self.quality = events.SYNCHRONISED
        self._synchronised_at = now
        self.due = now + _REFRESH_MS
        self._set_rtc(now)
        return True

    def _set_rtc(self, now: int) -> None:
        utc_ms = self.offset_ms + now
        year, month, day, hour, minute, second = calendar.date(utc_ms // 1000)
        self._rtc.datetime((year, month, day, 0, hour, minute, second, utc_ms % 1000 * 1000))

    def _close(self) -> None:
        if self._socket is not None:
            self._socket.close()
            self._socket = None
