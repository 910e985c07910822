"""The link over TLS on the real interpreter: shared key, certificates, who is not trusted."""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from wallbox import link as codes

from hw.sim.ports import free_port
from tests.link_fixtures import delivered, make_box  # noqa: F401
from tests.link_peers import SERIAL, PahoOperator


class Authority:
    """A certificate authority of the operator's own; everything it makes is DER, for the box."""

    def __init__(self, directory: Path, name: str) -> None:
        self.directory = directory / name
        self.directory.mkdir()
        self.name = name
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.certificate = self._sign(name, self.key.public_key(), True, 0)
        self.path = self._write("ca", self.certificate)

    def _sign(self, name: str, public_key, authority: bool, days_ago: int) -> x509.Certificate:
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        now = datetime.datetime.now(datetime.timezone.utc)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(issuer)
            .public_key(public_key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=days_ago + 2))
            .not_valid_after(now - datetime.timedelta(days=days_ago - 1))
            .add_extension(x509.BasicConstraints(authority, None), True)
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), False)
            .sign(self.key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> str:
        for suffix, encoding in (("der", Encoding.DER), ("pem", Encoding.PEM)):
            path = self.directory / f"{name}.{suffix}"
            path.write_bytes(certificate.public_bytes(encoding))
        return str(self.directory / f"{name}.der")

    def issue(self, name: str, days_ago: int = 0) -> tuple[str, str]:
        """Paths of a certificate and its key, DER; PEM lies beside them."""
        key = ec.generate_private_key(ec.SECP256R1())
        path = self._write(name, self._sign(name, key.public_key(), False, days_ago))
        for suffix, encoding in (("der", Encoding.DER), ("pem", Encoding.PEM)):
            form = PrivateFormat.TraditionalOpenSSL
            contents = key.private_bytes(encoding, form, NoEncryption())
            (self.directory / f"{name}-key.{suffix}").write_bytes(contents)
        return path, str(self.directory / f"{name}-key.der")

    def listener(self, name: str = "localhost", days_ago: int = 0) -> list[str]:
        """The lines of a broker that shows a certificate with this name and demands one."""
        certificate, key = (path.replace(".der", ".pem") for path in self.issue(name, days_ago))
        return [
            f"cafile {self.directory / 'ca.pem'}",
            f"certfile {certificate}",
            f"keyfile {key}",
            "require_certificate true",
            "use_identity_as_username true",
        ]


PSK = "00112233445566778899aabbccddeeff"


def psk_lines(directory) -> list[str]:
    path = directory / "psk"
    path.write_text(f"{SERIAL}:{PSK}\n")
    return [f"psk_file {path}", "psk_hint wallbox", "use_identity_as_username true"]


@pytest.fixture
def tls_broker(mosquitto, tmp_path):
    """Give the lines of a listener; its port comes back. The plain listener stays."""

    def configure(lines) -> int:
        port = free_port()
        mosquitto.reconfigure(lines=[f"listener {port} 127.0.0.1", *lines])
        return port

    return configure


def test_tls_with_a_shared_key(make_box, mosquitto, tls_broker, tmp_path):
    port = tls_broker(psk_lines(tmp_path))
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, psk_identity=SERIAL, psk_key=PSK).start(write=3000)
    operator.wait(3000)
    delivered(box, operator)
    operator.close()


def test_tls_with_a_wrong_key(make_box, tls_broker, tmp_path):
    port = tls_broker(psk_lines(tmp_path))
    box = make_box(port, psk_identity=SERIAL, psk_key=PSK[::-1]).start()
    box.wait_report(codes.TLS_FAILED)
    assert codes.LOST not in box.reports


def test_tls_to_a_broker_that_speaks_none(make_box, mosquitto):
    box = make_box(mosquitto.port, psk_identity=SERIAL, psk_key=PSK).start()
    box.wait_report(codes.TLS_FAILED)


def test_tls_with_certificates(make_box, mosquitto, tls_broker, tmp_path):
    authority = Authority(tmp_path, "operator")
    port = tls_broker(authority.listener())
    certificate, key = authority.issue(SERIAL)
    operator = PahoOperator(mosquitto.port)
    box = make_box(port, host="localhost", ca=authority.path, certificate=certificate, key=key)
    box.start(write=500)
    operator.wait(500)
    delivered(box, operator)
    assert f"u'{SERIAL}'" in mosquitto.log_path.read_text()
    operator.close()


@pytest.mark.parametrize(
    ("case", "words"),
    [("foreign CA", "not correctly signed"), ("wrong name", "CN"), ("expired", "expired")],
)
def test_tls_with_a_server_that_is_not_trusted(make_box, tls_broker, tmp_path, case, words):
    authority = Authority(tmp_path, "operator")
    foreign = Authority(tmp_path, "foreign")
    certificate, key = authority.issue(SERIAL)
    port = tls_broker(
        authority.listener(
            "elsewhere" if case == "wrong name" else "localhost", 10 if case == "expired" else 0
        )
    )
    ca = foreign.path if case == "foreign CA" else authority.path
    box = make_box(port, host="localhost", ca=ca, certificate=certificate, key=key).start()
    box.wait_report(codes.TLS_FAILED)
    assert words in box.state()["detail"]
    assert box.reports == [codes.TLS_FAILED]


@pytest.mark.parametrize(
    ("settings", "detail"),
    [
        ({"tls": True}, "KeyError: ca)"),
        ({"ca": "missing.der"}, "OSError: [Errno 2] ENOENT)"),
        ({"psk_key": PSK}, "KeyError: psk_identity)"),
        ({"psk_identity": SERIAL, "psk_key": "no hex"}, "ValueError: "),
        ({"psk_identity": SERIAL, "psk_key": 5}, "TypeError: "),
        ({"ca": __file__}, "ValueError: "),
    ],
)
def test_tls_with_a_configuration_that_cannot_work(make_box, mosquitto, settings, detail):
    box = make_box(mosquitto.port, **settings).start()
    box.wait_report(codes.TLS_FAILED)
    box.state()  # it still lives
    (text,) = [line["text"] for line in box.lines if "report" in line]
    assert f"({detail}" in text
    assert set(box.reports) == {codes.TLS_FAILED}


def test_tls_without_the_memory_for_its_files(make_box, mosquitto, tmp_path):
    huge = tmp_path / "huge.der"
    huge.write_bytes(bytes(4_000_000))
    box = make_box(mosquitto.port, ca=str(huge)).start()
    box.wait_report(codes.TLS_FAILED)
    assert "memory" in box.state()["detail"]
