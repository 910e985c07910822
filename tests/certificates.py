"""Certificates of a test's own authority, made on the spot: PEM for hosts, DER for boxes."""

from __future__ import annotations

import datetime
import ipaddress
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

ADDRESS = "127.0.0.1"


class Authority:
    """Signs; `ca_file` is what the peers are given. Files lie in `directory`; beside each PEM
    (.crt, .key) lies the same as DER (.crt.der, .key.der).
    """

    def __init__(self, directory: Path, name: str = "authority") -> None:
        self.directory = directory
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self._name, self._key, (-30, 10), authority=True)
        self.ca_file = self._certificate(name, self.certificate)

    def issue(
        self, name: str, days: int = 10, host: str | None = None, begins: int = -30
    ) -> tuple[Path, Path]:
        """Certificate and key file for the common name `name`, for a server at 127.0.0.1 and
        localhost, or at `host` alone; valid from in `begins` days to in `days` days.
        """
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = self._sign(subject, key, (begins, days), False, host)
        form = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        self._write(f"{name}.key.der", key.private_bytes(Encoding.DER, *form))
        private = self._write(f"{name}.key", key.private_bytes(Encoding.PEM, *form))
        return self._certificate(name, certificate), private

    def _sign(
        self,
        subject: x509.Name,
        key: ec.EllipticCurvePrivateKey,
        days: tuple[int, int],
        authority: bool,
        host: str | None = None,
    ) -> x509.Certificate:
        now = datetime.datetime.now(datetime.timezone.utc)
        names: list[x509.GeneralName] = [x509.DNSName(host or "localhost")]
        if host is None:
            names.append(x509.IPAddress(ipaddress.ip_address(ADDRESS)))
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days=days[0]))
            .not_valid_after(now + datetime.timedelta(days=days[1]))
            .add_extension(x509.BasicConstraints(authority, None), critical=True)
            .add_extension(x509.SubjectAlternativeName(names), critical=False)
            .add_extension(
                x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False
            )
            .add_extension(
                x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key()),
                critical=False,
            )
            .add_extension(_usage(authority), critical=True)
            .sign(self._key, hashes.SHA256())
        )

    def _certificate(self, name: str, certificate: x509.Certificate) -> Path:
        self._write(f"{name}.crt.der", certificate.public_bytes(Encoding.DER))
        return self._write(f"{name}.crt", certificate.public_bytes(Encoding.PEM))

    def _write(self, name: str, data: bytes) -> Path:
        path = self.directory / name.replace("/", "_")
        path.write_bytes(data)
        path.chmod(0o600)
        return path


def _usage(authority: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        key_cert_sign=authority,
        crl_sign=authority,
        content_commitment=False,
        key_encipherment=False,
        data_encipherment=False,
        key_agreement=False,
        encipher_only=False,
        decipher_only=False,
    )


def der(path: Path) -> str:
    """The same as DER, as a box's configuration names it."""
    return f"{path}.der"
