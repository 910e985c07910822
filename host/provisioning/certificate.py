"""The certificate of an installation: JSON, signed by the partner, provable with the operator's CA.

    {"certificate": {…}, "signature": {"algorithm", "signer" (PEM), "value" (base64)}}

Signed are the bytes of `certificate` as JSON with sorted keys and without blanks (`signed_bytes`),
by ECDSA P-256 with SHA-256. The signer's own certificate comes with it and must be the
authority's; it need be valid only on the day of signing.
"""

from __future__ import annotations

import base64
import datetime
import json
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from host.provisioning.authority import is_box, read_certificate, read_key
from host.provisioning.outcome import refused, unusable
from host.provisioning.texts import _

FORMAT = "wallbox-certificate-1"
ALGORITHM = "ecdsa-p256-sha256"
_BYTES_MAX = 1 << 20


def signed_bytes(certificate: dict[str, Any]) -> bytes:
    text = json.dumps(certificate, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def sign(certificate: dict[str, Any], signer_pem: bytes, key_pem: bytes) -> dict[str, Any]:
    """The certificate with its signature. Raises Stopped if key and signer do not fit."""
    signer = read_certificate(signer_pem, "signer_certificate")
    key = read_key(key_pem, "signer_key")
    if _public(key.public_key()) != _public(signer.public_key()):
        raise unusable(_("the certificate cannot be signed"),
                       _("signer_key does not belong to signer_certificate"),
                       _("correct {field} in the partner's file", field="signer_key"),
                       "signer_key")
    value = key.sign(signed_bytes(certificate), ec.ECDSA(hashes.SHA256()))
    pem = signer.public_bytes(serialization.Encoding.PEM).decode()
    signature = {"algorithm": ALGORITHM, "signer": pem, "value": base64.b64encode(value).decode()}
    return {"certificate": certificate, "signature": signature}


def read(path: Path) -> dict[str, Any]:
    """Raises Stopped for a file that has not the form."""
    try:
        with path.open("rb") as file:
            told = json.loads(file.read(_BYTES_MAX))
        if told["certificate"]["format"] != FORMAT or not isinstance(told["signature"], dict):
            raise ValueError("format")
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise unusable(_("{file} is no certificate", file=path), str(error)[:200] or "?",
                       _("name the .json file that `wallbox provision` wrote")) from None
    assert isinstance(told, dict)
    return told


def verify(told: dict[str, Any], authority_pem: bytes) -> str:
    """The signer's name, if the signature holds and the authority stands behind it.

    Raises Stopped.
    """
    what = _("the certificate is not proved")
    ask = _("ask whoever gave you the file for the original")
    authority = read_certificate(authority_pem, "authority")
    certificate, signature = told["certificate"], told["signature"]
    try:
        signer = x509.load_pem_x509_certificate(str(signature["signer"]).encode())
        value = base64.b64decode(str(signature["value"]), validate=True)
        key = signer.public_key()
        if signature["algorithm"] != ALGORITHM or not isinstance(key, ec.EllipticCurvePublicKey):
            raise ValueError("algorithm")
        signed_at = datetime.datetime.fromtimestamp(
            certificate["signed_utc_s"], datetime.timezone.utc
        )
    except (ValueError, KeyError, TypeError, OverflowError, OSError):
        raise refused(what, _("its signature has not the right form"), ask) from None
    try:
        key.verify(value, signed_bytes(certificate), ec.ECDSA(hashes.SHA256()))
    except InvalidSignature:
        raise refused(what, _("it was changed after it was signed"), ask) from None
    try:
        signer.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise refused(what, _("its signer is not of this authority"),
                      _("use the certificate of the operator who owns the box")) from None
    if is_box(signer.subject):  # the same authority stands behind it, for the broker
        raise refused(what, _("its signer is a box"), ask)
    if not signer.not_valid_before_utc <= signed_at <= signer.not_valid_after_utc:
        raise refused(what, _("its signer's certificate was not valid on that day"), ask)
    names = signer.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else signer.subject.rfc4514_string()


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
