"""Certificates of boxes: key and request made here, signed by the operator's authority.

Keys are ECDSA P-256, as the box's TLS takes them. A box's certificate names its serial (CN) and
its chip (serialNumber), so that one box cannot pass for another at the broker.
"""

from __future__ import annotations

import datetime
import re

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from host.provisioning.outcome import refused, unusable
from host.provisioning.texts import _

YEARS = 15  # of a box
_CHIP = re.compile(r"[0-9a-f]{12}")


def new_key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def key_der(key: ec.EllipticCurvePrivateKey) -> bytes:
    """As the box's TLS reads it."""
    return key.private_bytes(
        serialization.Encoding.DER,
        serialization.PrivateFormat.TraditionalOpenSSL,
        serialization.NoEncryption(),
    )


def request(key: ec.EllipticCurvePrivateKey, serial: str, chip: str) -> bytes:
    """A signing request in PEM."""
    asked = x509.CertificateSigningRequestBuilder().subject_name(_subject(serial, chip))
    return asked.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def sign(request_pem: bytes, authority_pem: bytes, authority_key_pem: bytes) -> bytes:
    """The certificate for a request, PEM. Raises Stopped if authority and key do not fit."""
    asked = x509.load_pem_x509_csr(request_pem)
    if not asked.is_signature_valid:
        raise refused(_("the request is not signed by its own key"), _("it was changed"),
                      _("make it anew with `wallbox provision`"))
    if not is_box(asked.subject):
        raise refused(_("the request is not of a box"),
                      _("it asks for {name}", name=asked.subject.rfc4514_string()),
                      _("sign nothing but the .csr files of `wallbox provision`"))
    authority = read_certificate(authority_pem, "authority")
    key = read_key(authority_key_pem, "authority_key")
    if _public(key.public_key()) != _public(authority.public_key()):
        raise unusable(_("the authority's key is not usable"),
                       _("it does not belong to the authority's certificate"),
                       _("correct authority_key in the partner's file"), "authority_key")
    now = datetime.datetime.now(datetime.timezone.utc)
    until = min(now + datetime.timedelta(days=365 * YEARS), authority.not_valid_after_utc)
    usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH])
    built = (
        x509.CertificateBuilder()
        .subject_name(asked.subject)
        .issuer_name(authority.subject)
        .public_key(asked.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(until)
        .add_extension(x509.BasicConstraints(False, None), critical=True)
        .add_extension(usage, critical=False)
        .sign(key, hashes.SHA256())
    )
    return built.public_bytes(serialization.Encoding.PEM)


def check_issued(certificate_pem: bytes, authority_pem: bytes, serial: str, chip: str) -> bytes:
    """The certificate in DER, if that authority signed it for that box. Raises Stopped."""
    certificate = read_certificate(certificate_pem, "certificate")
    must_issue(certificate, read_certificate(authority_pem, "authority"))
    if certificate.subject != _subject(serial, chip):
        raise refused(_("the certificate is not taken"),
                      _("it belongs to {name}", name=certificate.subject.rfc4514_string()),
                      _("name the certificate of {serial} on chip {chip}",
                        serial=serial, chip=chip))
    return certificate.public_bytes(serialization.Encoding.DER)


def must_issue(certificate: x509.Certificate, authority: x509.Certificate) -> None:
    """Raises Stopped unless the authority signed the certificate and both are in their time."""
    what = _("the certificate is not taken")
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature):
        raise refused(what, _("another authority signed it"),
                      _("ask the operator for one of its own authority")) from None
    now = datetime.datetime.now(datetime.timezone.utc)
    for one in (certificate, authority):
        if not one.not_valid_before_utc <= now <= one.not_valid_after_utc:
            raise refused(what, _("it is valid from {begin} to {end}",
                                  begin=one.not_valid_before_utc.date(),
                                  end=one.not_valid_after_utc.date()),
                          _("look at the laptop's clock, or ask the operator for a new one"))


def read_certificate(pem: bytes, field: str) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificate(pem)
    except ValueError:
        raise unusable(_("{field} is not usable", field=field), _("it is no certificate in PEM"),
                       _("ask the operator for the file"), field) from None


def read_key(pem: bytes, field: str) -> ec.EllipticCurvePrivateKey:
    try:
        key = serialization.load_pem_private_key(pem, None)
    except (ValueError, TypeError):
        key = None
    if not isinstance(key, ec.EllipticCurvePrivateKey):
        raise unusable(_("{field} is not usable", field=field),
                       _("it is no ECDSA key in PEM without a password"),
                       _("ask the operator for the file"), field)
    return key


def pem_to_der(pem: bytes, field: str) -> bytes:
    return read_certificate(pem, field).public_bytes(serialization.Encoding.DER)


def _subject(serial: str, chip: str) -> x509.Name:
    return x509.Name([
        x509.NameAttribute(NameOID.COMMON_NAME, serial),
        x509.NameAttribute(NameOID.SERIAL_NUMBER, chip),
    ])


def is_box(subject: x509.Name) -> bool:
    """Whether it names a serial and a chip, and nothing else."""
    told = [(one.oid, str(one.value)) for one in subject]
    kinds = [kind for kind, _value in told]
    return kinds == [NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER] and bool(
        _CHIP.fullmatch(told[1][1])
    )


def _public(key: object) -> bytes:
    return key.public_bytes(  # type: ignore[attr-defined, no-any-return]
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )


def fits(
    certificate_der: bytes,
    key: ec.EllipticCurvePrivateKey,
    authority_pem: bytes,
    serial: str,
    chip: str,
) -> bool:
    """Whether this certificate is the authority's, for that box and that key."""
    from host.provisioning.outcome import Stopped

    try:
        certificate = x509.load_der_x509_certificate(certificate_der)
        pem = certificate.public_bytes(serialization.Encoding.PEM)
        check_issued(pem, authority_pem, serial, chip)
        return _public(certificate.public_key()) == _public(key.public_key())
    except (ValueError, Stopped):
        return False
