"""Secrets of a box on disk: sealed to the operator's public key, which alone opens them.

HPKE (RFC 9180) with X25519, HKDF-SHA256 and ChaCha20-Poly1305; serial, chip and the key's check
are bound to it, so an envelope cannot pass for that of another box. The file is JSON:
`format`, `serial`, `chip`, `key_check`, `sealed` (base64).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from dataclasses import dataclass
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives import hpke, serialization
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey

from host.provisioning.files import write_whole
from host.provisioning.outcome import unusable
from host.provisioning.texts import _

FORMAT = "wallbox-sealed-1"
_SUITE = hpke.Suite(hpke.KEM.X25519, hpke.KDF.HKDF_SHA256, hpke.AEAD.CHACHA20_POLY1305)
_FILE_BYTES_MAX = 4096


@dataclass(frozen=True)
class Envelope:
    """What anybody may read of a sealed file."""

    serial: str
    chip: str
    key_check: str
    sealed: bytes


def key_check(key: bytes) -> str:
    """16 hex digits that tell keys apart and tell nothing of the key."""
    return hmac.new(key, b"key check", hashlib.sha256).hexdigest()[:16]


def new_operator_key() -> tuple[bytes, bytes]:
    """Private and public key of an operator, PEM."""
    key = X25519PrivateKey.generate()
    private = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    )
    public = key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return private, public


def seal(path: Path, public_pem: bytes, serial: str, chip: str, key: bytes) -> None:
    """Write the box's key for the operator. Raises Stopped for a public key of another kind."""
    try:
        public = serialization.load_pem_public_key(public_pem)
    except ValueError:
        public = None
    if not isinstance(public, X25519PublicKey):
        raise unusable(_("the operator's public key is not usable"),
                       _("it is no X25519 key in PEM"),
                       _("ask the operator for the file of `wallbox keys operator`"),
                       "operator_key")
    check = key_check(key)
    sealed = _SUITE.encrypt(key, public, _info(serial, chip, check))
    told = {
        "format": FORMAT,
        "serial": serial,
        "chip": chip,
        "key_check": check,
        "sealed": base64.b64encode(sealed).decode(),
    }
    write_whole(path, json.dumps(told, indent=1).encode() + b"\n")


def read_envelope(path: Path) -> Envelope:
    """Raises Stopped for a file that is not one."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_FILE_BYTES_MAX))
        if told["format"] != FORMAT:
            raise ValueError("format")
        serial, chip, check = told["serial"], told["chip"], told["key_check"]
        if not all(isinstance(text, str) for text in (serial, chip, check)):
            raise ValueError("texts")
        return Envelope(serial, chip, check, base64.b64decode(told["sealed"], validate=True))
    except (OSError, ValueError, KeyError, TypeError):
        raise unusable(_("{file} cannot be opened", file=path), _("it is no sealed key of a box"),
                       _("name the .sealed file that `wallbox provision` wrote")) from None


def unseal(envelope: Envelope, private_pem: bytes) -> bytes:
    """The box's key. Raises Stopped if it was sealed to somebody else or was changed."""
    what = _("the sealed key of {serial} cannot be opened", serial=envelope.serial)
    try:
        private = serialization.load_pem_private_key(private_pem, None)
        if not isinstance(private, X25519PrivateKey):
            raise ValueError("kind")
        info = _info(envelope.serial, envelope.chip, envelope.key_check)
        key = bytes(_SUITE.decrypt(envelope.sealed, private, info))
        if key_check(key) != envelope.key_check:
            raise ValueError("check")
        return key
    except (ValueError, TypeError, InvalidTag):
        raise unusable(what, _("it was sealed to another key, or changed"),
                       _("use the private key that belongs to operator_key")) from None


def _info(serial: str, chip: str, check: str) -> bytes:
    return "\0".join((FORMAT, serial, chip, check)).encode()
