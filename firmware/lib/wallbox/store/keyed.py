"""HMAC-SHA256 (RFC 2104), for what is seldom needed; the ledger's chain has its own."""

import hashlib

from micropython import const

_BLOCK = const(64)


def hmac(key, *message) -> bytes:
    """HMAC-SHA256 of message, in parts, under a key of up to 64 bytes."""
    assert len(key) <= _BLOCK
    pad = bytearray(_BLOCK)
    pad[: len(key)] = key
    for index in range(_BLOCK):
        pad[index] ^= 0x36
    inner = hashlib.sha256(pad)
    for part in message:
        inner.update(part)
    for index in range(_BLOCK):
        pad[index] ^= 0x6A  # 0x36 ^ 0x5C
    outer = hashlib.sha256(pad)
    outer.update(inner.digest())
    return outer.digest()


def same(one: bytes, other: bytes) -> bool:
    """Compares in a time that does not tell where they differ."""
    difference = len(one) ^ len(other)
    for index in range(min(len(one), len(other))):
        difference |= one[index] ^ other[index]
    return difference == 0
