"""Other names for what tells who it was: equal ones stay equal, different ones different.

A keyed hash gives the new name, so nobody without the secret can try names until one fits. Zero and
empty stay what they are, since the rules mean "none" by them.
"""

from __future__ import annotations

import hashlib
import hmac
import string

from wallbox.drivers.meter_identity import meter_id

_U32 = 0xFFFFFFFF
_SATURATED = 0xFFFFFFFE  # subscriptions from here on are one to the rules
_SETS = (string.digits, string.ascii_uppercase, string.ascii_lowercase)


class Rekey:
    """secret: at least 16 bytes; the same one gives the same names."""

    def __init__(self, secret: bytes) -> None:
        self._secret = secret
        self._meters: dict[int, int] = {}
        self._taken: dict[str, dict[int, int]] = {}

    def name(self, sort: str, value: bytes) -> str:
        """Eight hex digits, however long or short the value is."""
        return self._hash(sort, value).hex()[:8].upper()

    def data(self, sort: str, value: bytes) -> bytes:
        """As many bytes."""
        if not any(value):
            return value
        stream = b""
        while len(stream) < len(value):
            stream += self._hash(sort, len(stream).to_bytes(2, "little") + value)
        return stream[: len(value)]

    def text(self, sort: str, value: bytes) -> bytes:
        """ASCII in which each digit becomes a digit, each letter a letter; the rest stays."""
        stream = self.data(sort, value + b"\1")
        mapped = bytearray()
        for byte, other in zip(value, stream, strict=False):
            known = next((one for one in _SETS if chr(byte) in one), "")
            if known:
                byte = ord(known[other % len(known)])
            elif byte > 126:
                byte = ord("a") + other % 26
            mapped.append(byte)
        return bytes(mapped)

    def number(self, sort: str, value: int, most: int = _U32) -> int:
        """A number from 1 to `most` that no other value of its sort gets."""
        taken = self._taken.setdefault(sort, {})
        packed = value.to_bytes(8, "little")
        new = int.from_bytes(self._hash(sort, packed)[:8], "little") % most + 1
        while taken.get(new, value) != value:
            new = new % most + 1
        taken[new] = value
        return new

    def tag(self, value: bytes) -> bytes:
        return self.data("tag", value)

    def subscription(self, value: int) -> int:
        if value == 0 or value >= _SATURATED:
            return value
        return self.number("subscription", value, _SATURATED - 1)

    def identity(self, value: bytes) -> bytes:
        """maker|model|serial of a meter: the serial becomes another one, of the same sort."""
        for separator in (b"|", b"\0"):
            parts = value.split(separator)
            if len(parts) > 1:
                parts[-1] = self._serial(parts[-1])
                return separator.join(parts)
        return self._serial(value)

    def _serial(self, value: bytes) -> bytes:
        mapped = self.text("meter", value)
        return b"1" + mapped[1:] if mapped[:1].isdigit() else mapped

    def learn_meter(self, number: int, identity: bytes) -> None:
        """A meter whose number comes from its identity gets the one of its new identity."""
        parts = identity.split(b"|")
        if len(parts) == 3 and number and self._number_of(parts) == number:
            new = self._number_of(self.identity(identity).split(b"|"))
            self._meters[number] = new

    def meter(self, number: int) -> int:
        if not number:
            return 0
        if number not in self._meters:
            self._meters[number] = self.number("meter", number)
        return self._meters[number]

    @staticmethod
    def _number_of(parts: list[bytes]) -> int:
        vendor, model, serial = (part.decode("latin-1") for part in parts)
        return int(meter_id(vendor, model, serial))

    def _hash(self, sort: str, value: bytes) -> bytes:
        return hmac.digest(self._secret, sort.encode() + b"\0" + value, hashlib.sha256)
