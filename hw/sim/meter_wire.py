"""The wire between box and meter: carries bytes at the line's speed and makes its faults."""

from __future__ import annotations

import asyncio
import contextlib
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, field

STEP_S = 0.004  # characters are carried in steps of this length
FRAME_PAUSE_S = 0.05  # a request that is not complete after this pause is forgotten


@dataclass
class Faults:
    """What goes wrong; all may be changed at any time, from any thread."""

    answer_ms: int = 40  # from the end of the request to the first byte of the answer
    silent: bool = False
    exception: int = 0  # answer with this Modbus exception code
    wrong_crc: bool = False
    wrong_unit: int = 0  # answer as this address
    cut: int = 0  # leave out so many bytes at the end
    noise_before: bytes = b""
    noise_after: bytes = b""
    gap_ms: int = 0  # pause in the middle of the answer
    echo: bool = False  # the box hears its own request (two-wire transceiver)
    wrong_parity: bool = False  # box and meter do not understand each other at all
    chatter: bool = False  # random bytes all the time
    words: dict[int, list[int]] = field(default_factory=dict)  # register address: what is read
    answers: int | None = None  # the faults but answer_ms end after so many answers


class Wire:
    """File descriptors of two ptys, the box's and the server's, and the address listened to.

    All methods but `clear_faults` run in the loop's thread.
    """

    def __init__(self, box_fd: int, server_fd: int, address: int, baud: int, paced: bool):
        self.faults = Faults()
        self.requests = 0  # for this address
        self.answers = 0  # passed on to the box
        self._box_fd = box_fd
        self._server_fd = server_fd
        self._address = address
        self._character_s = 11 / baud if paced else 0.0  # 8E1 or 8N2
        self._step = max(1, int(STEP_S * baud / 11)) if paced else 512
        self._random = random.Random(1)
        self._heard = bytearray()
        self._forget_at = 0.0
        self._loop: asyncio.AbstractEventLoop | None = None
        self.on_traffic: Callable[[str, bytes], None] = lambda who, data: None

    def clear_faults(self) -> None:
        """A sound meter again, with the answer time it had."""
        self.faults = Faults(answer_ms=self.faults.answer_ms)

    def connect(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to carry."""
        self._loop = loop
        os.set_blocking(self._box_fd, False)
        os.set_blocking(self._server_fd, False)
        loop.add_reader(self._server_fd, self._from_server)
        self._listen()
        self._chatter()

    def disconnect(self) -> None:
        """Ends it; the file descriptors stay open."""
        if self._loop:
            self._loop.remove_reader(self._box_fd)
            self._loop.remove_reader(self._server_fd)
        self._loop = None

    def _listen(self) -> None:
        if self._loop:
            self._loop.add_reader(self._box_fd, self._from_box)

    def _from_box(self) -> None:
        try:
            data = os.read(self._box_fd, 4096)
        except OSError:  # the other side is closed
            data = b""
        assert self._loop
        if not data:
            self._loop.remove_reader(self._box_fd)
            self._loop.call_later(0.1, self._listen)
            return
        self.on_traffic("box", data)
        if self.faults.echo:
            os.write(self._box_fd, data)
        if self._loop.time() > self._forget_at:
            self._heard.clear()
        self._forget_at = self._loop.time() + FRAME_PAUSE_S
        self._heard += data
        if len(self._heard) < 8:
            return
        request = bytes(self._heard)
        self._heard.clear()
        if request[0] == self._address and not self.faults.wrong_parity:
            self.requests += 1
            self._loop.call_later(8 * self._character_s, os.write, self._server_fd, request)

    def _from_server(self) -> None:
        answer = os.read(self._server_fd, 4096)
        faults = self.faults
        if faults.answers is not None:
            faults.answers -= 1
            if faults.answers <= 0:
                self.clear_faults()
        if faults.silent:
            return
        assert self._loop
        self.answers += 1
        answer = _spoil(answer, faults)
        half = len(answer) // 2 if faults.gap_ms else len(answer)
        start = faults.answer_ms / 1000
        self._loop.call_later(start, self._carry, answer[:half])
        if half < len(answer):
            start += half * self._character_s + faults.gap_ms / 1000
            self._loop.call_later(start, self._carry, answer[half:])

    def _carry(self, data: bytes) -> None:
        """To the box; each part arrives when its last character is over."""
        if self._loop and data:
            part, rest = data[: self._step], data[self._step :]
            self._loop.call_later(len(part) * self._character_s, self._to_box, part, rest)

    def _to_box(self, part: bytes, rest: bytes) -> None:
        with contextlib.suppress(OSError):  # nobody reads: lost, as on a wire
            os.write(self._box_fd, part)
        self.on_traffic("meter", part)
        self._carry(rest)

    def _chatter(self) -> None:
        if not self._loop:
            return
        if self.faults.chatter:
            with contextlib.suppress(OSError):
                os.write(self._box_fd, self._random.randbytes(3))
        self._loop.call_later(0.003 if self.faults.chatter else 0.2, self._chatter)


def _spoil(answer: bytes, faults: Faults) -> bytes:
    if faults.wrong_unit:
        answer = bytes((faults.wrong_unit,)) + answer[1:-2]
        answer += crc16(answer)
    if faults.wrong_crc:
        answer = answer[:-1] + bytes((answer[-1] ^ 0x55,))
    if faults.cut:
        answer = answer[: -faults.cut]
    return faults.noise_before + answer + faults.noise_after


def crc16(data: bytes) -> bytes:
    """CRC-16/MODBUS as it is on the wire, low byte first."""
    crc = 0xFFFF
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0xA001 if crc & 1 else 0)
    return crc.to_bytes(2, "little")
