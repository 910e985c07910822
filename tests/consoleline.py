"""Who speaks with the service console over USB: a hand of its own, as docs/console.md says."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import os
import select
import termios
import time


def mac(key: bytes, data: bytes) -> bytes:
    return hmac.new(key, data, hashlib.sha256).digest()


class ConsoleLine:
    """The laptop's end of the cable. `log`: the lines that are no answers."""

    def __init__(self, usb: str, ledger_key: bytes = b"") -> None:
        self._descriptor = os.open(usb, os.O_RDWR | os.O_NOCTTY | os.O_NONBLOCK)
        termios.tcflush(self._descriptor, termios.TCIFLUSH)  # what another one did not read
        self._key = mac(ledger_key, b"console")
        self._session = b""
        self._number = 0
        self._data = b""
        self.log: list[str] = []

    def __enter__(self) -> ConsoleLine:
        return self

    def __exit__(self, *_) -> None:
        os.close(self._descriptor)

    def type(self, data: bytes) -> None:
        """In pieces with pauses, as the page asks for."""
        for at in range(0, len(data), 128):
            os.write(self._descriptor, data[at : at + 128])
            if at + 128 < len(data):
                time.sleep(0.025)

    def answer(self, timeout_s: float = 10) -> dict:
        """The next answer; `TimeoutError` if none comes."""
        deadline = time.monotonic() + timeout_s
        while True:
            line, end, rest = self._data.partition(b"\n")
            if end:
                self._data = rest
                if line.startswith(b"<"):
                    return self._checked(line.strip())
                self.log.append(line.decode(errors="replace").strip())
                continue
            left = deadline - time.monotonic()
            if left <= 0 or not select.select([self._descriptor], [], [], left)[0]:
                raise TimeoutError(f"no answer in {timeout_s} s; log: {self.log[-5:]}")
            self._data += os.read(self._descriptor, 4096)

    @staticmethod
    def _checked(line: bytes) -> dict:
        assert line[9:10] == b" " and int(line[1:9], 16) == binascii.crc32(line[10:]), line
        return json.loads(line[10:])

    def ask(self, word: str, timeout_s: float = 10) -> dict:
        """Once more, if what was asked too fast was dropped."""
        self.type(b"\n>" + word.encode() + b"\n")
        try:
            return self.answer(min(timeout_s, 0.7))
        except TimeoutError:
            self.type(b"\n>" + word.encode() + b"\n")
            return self.answer(timeout_s)

    def response(self, challenge: str, key: bytes | None = None) -> str:
        return mac(key or self._key, b"login\x00" + bytes.fromhex(challenge)).hex()

    def login(self) -> dict:
        challenge = self.ask("challenge")["challenge"]
        told = self.ask("login " + self.response(challenge))
        if told["status"] == "Accepted":
            self._session = mac(self._key, b"session\x00" + bytes.fromhex(challenge))
            self._number = 0
        return told

    def sign(self, verb: str, **arguments: object) -> bytes:
        self._number += 1
        tree: dict = {"n": self._number, "verb": verb}
        if arguments:
            tree["with"] = arguments
        text = json.dumps(tree, separators=(",", ":"), ensure_ascii=False).encode()
        return mac(self._session, text)[:16].hex().encode() + b" " + text

    def order(self, verb: str, *, timeout_s: float = 20, **arguments: object) -> tuple:
        """(the parts, the last answer)."""
        self.type(b"\n>" + self.sign(verb, **arguments) + b"\n")
        parts = []
        while True:
            told = self.answer(timeout_s)
            if "status" in told:
                assert told["to"] in (verb, ""), told
                return parts, told
            assert (told["n"], told["to"]) == (self._number, verb)
            parts.append(told["part"])

    def done(self, verb: str, **arguments: object) -> list:
        """The parts of an order that was accepted."""
        parts, told = self.order(verb, **arguments)
        assert told["status"] in ("Accepted", "Scheduled", "RebootRequired"), told
        return parts

    def image(self, verb: str) -> tuple[bytes, dict]:
        """The ring that `ledger` or `trace` tells, and the last answer."""
        parts, told = self.order(verb, timeout_s=60)
        ring = bytearray(b"\xff" * (told["sectors"] * told["size"]))
        for part in parts:
            if not part.get("blank"):
                data = base64.b64decode(part["data"], validate=True)
                at = part["sector"] * told["size"] + part["at"]
                ring[at : at + len(data)] = data
        return bytes(ring), told
