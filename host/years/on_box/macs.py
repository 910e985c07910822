# HMAC-SHA256 on any interpreter, told a second time: the box has its own.

from hashlib import sha256


class Mac:
    def __init__(self, key):
        self._inner = bytes([byte ^ 0x36 for byte in key] + [0x36] * (64 - len(key)))
        self._outer = bytes([byte ^ 0x5C for byte in key] + [0x5C] * (64 - len(key)))

    def digest(self, message):
        return sha256(self._outer + sha256(self._inner + message).digest()).digest()

    def tag(self, message):
        """The first 8 bytes, as records have them."""
        return sha256(self._outer + sha256(self._inner + message).digest()).digest()[:8]
