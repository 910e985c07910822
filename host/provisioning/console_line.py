"""The service console of a box at a serial port, docs/console.md.

Every answer carries a CRC; a line that was damaged or lost is asked for again. A login is proved
with the box's key, which never travels.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import json
import re
import termios
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import serial

from host.closing import Closing
from host.provisioning.outcome import (
    EXIT_UNREACHABLE,
    NoAnswer,
    Stopped,
    refused,
    unreachable,
)
from host.provisioning.port_errors import explain
from host.provisioning.texts import _

BAUD = 115_200
ANSWER_S = 5.0
ORDER_S = 30.0
TRIES = 3
BUSY_S = 1.5
_CHUNK = 128  # the chip keeps 256 characters
_PAUSE_S = 0.025
_LINE_BYTES_MAX = 8192
_READ_S = 0.05

Part = Callable[[dict[str, Any]], None]


class Silent(Exception):
    """No whole answer came in time."""


class ConsoleLine(Closing):
    """One connection; use it as a context. Raises Stopped for a port that cannot be used."""

    def __init__(self, port: str, opened: Any = None) -> None:
        """`opened`: a port that somebody else has open and closes, with pyserial's methods."""
        super().__init__()
        self.port = port
        self._session: bytes | None = None
        self._counter = 0
        self._received = b""
        self._serial = opened or self._opened(port)
        if opened is None:
            self.ending.callback(self._close_port)

    @staticmethod
    def _opened(port: str) -> Any:
        until = time.monotonic() + BUSY_S
        while True:
            try:
                opened = serial.serial_for_url(port, do_not_open=True, baudrate=BAUD)
                opened.timeout = _READ_S
                opened.write_timeout = ANSWER_S
                opened.exclusive = True
                opened.dtr = opened.rts = False  # else a board's circuit resets the chip
                opened.open()
                return opened
            except (OSError, ValueError) as error:
                stopped = explain(port, error)
                # a program that is being started holds our other ports for a moment
                if not stopped.busy or time.monotonic() > until:
                    raise stopped from None
            time.sleep(0.05)

    def _close_port(self) -> None:
        """The port is free at once, even if a program that is being started still holds it."""
        with suppress(OSError):  # the box may have gone
            self._serial.exclusive = False
        self._serial.close()

    # without login

    def ask(self, word: str, timeout_s: float = ANSWER_S, tries: int = TRIES) -> dict[str, Any]:
        """The answer to `identity`, `health`, `challenge` or `logout`.

        Raises Stopped if the box does not answer.
        """
        for _try in range(tries):
            self._send(b"\n>" + word.encode() + b"\n")
            try:
                return self._answer(word.split()[0], time.monotonic() + timeout_s)
            except Silent:
                continue
        raise NoAnswer(
            _("no answer from the box at {port}", port=self.port),
            _("it is blank, still starting, or its program does not run"),
            _("wait a few seconds and repeat; docs/recovery.md tells what to do with a dead box"),
            EXIT_UNREACHABLE,
        )

    def who(self, timeout_s: float) -> dict[str, Any] | str:
        """The identity, or the version of a MicroPython whose prompt is open, or ""."""
        until = time.monotonic() + timeout_s
        self._send(b"\r\x02\n>identity\n")  # Ctrl-B asks a prompt for its banner
        while time.monotonic() < until:
            try:
                text = self._line(until)
            except Silent:
                break
            found = re.search(rb"MicroPython ([^ ;]+) on ", text)
            if found:
                return found[1].decode("ascii", "replace")
            told = self._parse(text)
            if told is not None and told.get("to") == "identity":
                return told
        return ""

    def login(self, key: bytes) -> None:
        """Raises Stopped if the box does not take the key, or no attempt now."""
        console_key = hmac.new(key, b"console", hashlib.sha256).digest()
        for _try in range(TRIES):
            told = self.ask("challenge")
            if told.get("wait_s"):
                raise self._locked_out(int(told["wait_s"]))
            challenge = bytes.fromhex(told["challenge"])
            answer = hmac.new(console_key, b"login\0" + challenge, hashlib.sha256).hexdigest()
            self._send(b"\n>login " + answer.encode() + b"\n")
            try:
                told = self._answer("login", time.monotonic() + ANSWER_S)
            except Silent:
                continue  # a challenge is good for one attempt
            if told.get("status") == "Accepted":
                self._session = hmac.new(
                    console_key, b"session\0" + challenge, hashlib.sha256
                ).digest()
                self._counter = 0
                return
            if told.get("wait_s"):
                raise self._locked_out(int(told["wait_s"]))
            raise refused(_("the box refuses the login"), _("its key is another one"),
                          _("use the key store of the operator who owns this box"))
        raise unreachable(_("the login got no answer"), _("the line loses characters"),
                          _("take another cable or port, then repeat the command"))

    def _locked_out(self, wait_s: int) -> Stopped:
        return refused(_("the box takes no login now"),
                       _("too many wrong ones came before"),
                       _("wait {seconds} s, then repeat the command", seconds=wait_s))

    # logged in

    def order(
        self,
        verb: str,
        arguments: dict[str, Any] | None = None,
        timeout_s: float = ORDER_S,
        part: Part | None = None,
    ) -> dict[str, Any]:
        """The last answer to an order; `part` is called with each part before it.

        `timeout_s` counts from the last line on. Raises Stopped if no whole answer comes; what
        the order did is then unknown, so look at the box before it is repeated.
        """
        if self._session is None:
            raise RuntimeError("order: not logged in")
        self._counter += 1
        told: dict[str, Any] = {"n": self._counter, "verb": verb}
        if arguments:
            told["with"] = arguments
        text = json.dumps(told, separators=(",", ":"), ensure_ascii=True).encode()
        mac = hmac.new(self._session, text, hashlib.sha256).hexdigest()[:32]
        self._send(b"\n>" + mac.encode() + b" " + text + b"\n")
        while True:
            try:
                answer = self._answer(verb, time.monotonic() + timeout_s, self._counter)
            except Silent:
                raise unreachable(
                    _("no answer to the order {verb}", verb=verb),
                    _("the line was interrupted, or the box has started anew"),
                    _("repeat the command: it looks at the box and goes on"),
                ) from None
            if "status" in answer:
                return answer
            if part is not None and isinstance(answer.get("part"), dict):
                part(answer["part"])

    # lines

    def _send(self, data: bytes) -> None:
        try:
            for at in range(0, len(data), _CHUNK):
                if at:
                    time.sleep(_PAUSE_S)
                self._serial.write(data[at : at + _CHUNK])
            self._serial.flush()
        except OSError as error:
            raise explain(self.port, error) from None
        except termios.error as error:  # is no OSError
            raise explain(self.port, OSError(*error.args)) from None

    def _answer(self, to: str, deadline: float, number: int | None = None) -> dict[str, Any]:
        while time.monotonic() < deadline:
            told = self._parse(self._line(deadline))
            if told is None or told.get("to") not in (to, ""):
                continue
            if number is not None and told.get("n", number) != number:
                continue
            if told.get("to") == "":
                raise refused(_("the box does not take {order}", order=to),
                              str(told.get("info", ""))[:200],
                              _("repeat the command; if it stays, update the box's firmware"))
            return told
        raise Silent(to)

    def _line(self, deadline: float) -> bytes:
        while b"\n" not in self._received:
            if time.monotonic() >= deadline:
                raise Silent
            try:
                waiting = self._serial.in_waiting
                self._received += self._serial.read(min(max(1, waiting), 4096))
            except OSError as error:
                raise explain(self.port, error) from None
            if len(self._received) > _LINE_BYTES_MAX:
                self._received = self._received[-_LINE_BYTES_MAX:]
        line, _newline, self._received = self._received.partition(b"\n")
        return line.rstrip(b"\r")

    @staticmethod
    def _parse(line: bytes) -> dict[str, Any] | None:
        """None for a line of the log, and for one that was damaged."""
        start = line.rfind(b"<", 0, 400) if not line.startswith(b"<") else 0
        if start < 0 or len(line) < start + 10:
            return None
        digits, blank, text = line[start + 1 : start + 9], line[start + 9 : start + 10], line[
            start + 10 :
        ]
        try:
            if blank != b" " or int(digits, 16) != binascii.crc32(text):
                return None
            told = json.loads(text)
        except ValueError:
            return None
        return told if isinstance(told, dict) else None
