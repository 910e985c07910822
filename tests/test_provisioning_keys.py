"""Secrets are sealed, certificates are the authority's, and the certificate of an installation."""

from __future__ import annotations

import json
import stat
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from typer.testing import CliRunner

from host.cli import app
from host.demo.depot import Authority
from host.provisioning import authority, certificate, sealing
from host.provisioning.journal import Journal
from host.provisioning.outcome import Stopped
from host.provisioning.partner import read_secret

KEY = bytes(range(32))
CHIP = "240ac4000001"


def test_only_the_operator_opens_a_sealed_key(tmp_path):
    private, public = sealing.new_operator_key()
    other, _ = sealing.new_operator_key()
    path = tmp_path / "box.sealed"
    sealing.seal(path, public, "WB-1", CHIP, KEY)
    assert KEY not in path.read_bytes() and KEY.hex() not in path.read_text()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    envelope = sealing.read_envelope(path)
    assert sealing.unseal(envelope, private) == KEY
    with pytest.raises(Stopped):
        sealing.unseal(envelope, other)


@pytest.mark.parametrize("name", ["serial", "chip", "key_check", "sealed"])
def test_an_envelope_cannot_pass_for_another_boxs(tmp_path, name):
    private, public = sealing.new_operator_key()
    path = tmp_path / "box.sealed"
    sealing.seal(path, public, "WB-1", CHIP, KEY)
    told = json.loads(path.read_text())
    told[name] = "A" + told[name][1:] if told[name][0] != "A" else "B" + told[name][1:]
    path.write_text(json.dumps(told))
    with pytest.raises(Stopped):
        sealing.unseal(sealing.read_envelope(path), private)


def test_the_operator_takes_sealed_keys_into_the_store(tmp_path):
    run = CliRunner().invoke
    files = [str(tmp_path / name) for name in ("private.pem", "public.pem")]
    assert run(app, ["keys", "operator", *files]).exit_code == 0
    assert run(app, ["keys", "operator", *files]).exit_code == 4  # never replaced
    sealing.seal(tmp_path / "a.sealed", (tmp_path / "public.pem").read_bytes(), "WB-1", CHIP, KEY)
    words = ["keys", "unseal", str(tmp_path / "a.sealed"), "--operator-key", files[0], "--keys",
             str(tmp_path / "keys")]
    for _ in range(2):
        assert run(app, words).exit_code == 0
    assert (tmp_path / "keys" / "WB-1.key").read_text().strip() == KEY.hex()
    sealing.seal(tmp_path / "a.sealed", (tmp_path / "public.pem").read_bytes(), "WB-1", CHIP,
                 bytes(32))
    assert run(app, words).exit_code == 4  # another key for the same serial


def test_a_key_that_others_may_read_is_not_used(tmp_path):
    path = tmp_path / "key.pem"
    path.write_text("x")
    path.chmod(0o644)
    with pytest.raises(Stopped, match="chmod 600"):
        read_secret(path, "signer_key")


@pytest.fixture
def operator(tmp_path):
    return Authority(tmp_path / "operator")


def issued(operator, serial="WB-1", chip=CHIP):
    key = authority.new_key()
    asked = authority.request(key, serial, chip)
    return authority.sign(asked, operator.file.read_bytes(), operator.key_file.read_bytes()), key


def test_a_box_gets_a_certificate_of_its_own_authority_for_itself_alone(operator, tmp_path):
    pem, key = issued(operator)
    ca = operator.file.read_bytes()
    der = authority.check_issued(pem, ca, "WB-1", CHIP)
    assert authority.fits(der, key, ca, "WB-1", CHIP)
    assert not authority.fits(der, authority.new_key(), ca, "WB-1", CHIP)
    for serial, chip in (("WB-2", CHIP), ("WB-1", "240ac4000002")):
        with pytest.raises(Stopped, match="belongs to"):
            authority.check_issued(pem, ca, serial, chip)
    other = Authority(tmp_path / "other")  # the same name, another key
    with pytest.raises(Stopped, match="another authority"):
        authority.check_issued(pem, other.file.read_bytes(), "WB-1", CHIP)


def signed_by(operator, told=None):
    signer, key = operator.issue("partner")
    told = told or {"format": certificate.FORMAT, "signed_utc_s": NOW, "box": {"serial": "WB-1"}}
    return certificate.sign(told, signer.read_bytes(), key.read_bytes())


NOW = int(time.time())


def test_a_certificate_is_proved_by_the_authority_alone(operator, tmp_path):
    told = signed_by(operator)
    assert certificate.verify(told, operator.file.read_bytes()) == "partner"
    other = Authority(tmp_path / "other")
    with pytest.raises(Stopped, match="not of this authority"):
        certificate.verify(told, other.file.read_bytes())


def test_a_box_signs_no_certificate_of_an_installation(operator):
    """Its own certificate is of the same authority; whoever stole its key proves nothing."""
    pem, key = issued(operator)
    box_pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    told = {"format": certificate.FORMAT, "signed_utc_s": NOW, "box": {"serial": "WB-1"}}
    with pytest.raises(Stopped, match="is a box"):
        certificate.verify(certificate.sign(told, pem, box_pem), operator.file.read_bytes())


@pytest.mark.parametrize("names", [("partner",), ("collector", "240ac4000001x"), ("a", "")])
def test_a_request_that_is_not_of_a_box_is_not_signed(operator, names):
    key = authority.new_key()
    kinds = (NameOID.COMMON_NAME, NameOID.SERIAL_NUMBER)
    subject = x509.Name([
        x509.NameAttribute(kind, name) for kind, name in zip(kinds, names, strict=False) if name
    ])
    asked = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = asked.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(Stopped, match="not of a box"):
        authority.sign(pem, operator.file.read_bytes(), operator.key_file.read_bytes())


def test_a_certificate_that_was_changed_is_found(operator):
    told = signed_by(operator)
    told["certificate"]["box"]["serial"] = "WB-2"
    with pytest.raises(Stopped, match="changed"):
        certificate.verify(told, operator.file.read_bytes())


def test_a_signature_before_the_signers_time_does_not_count(operator):
    told = signed_by(
        operator, {"format": certificate.FORMAT, "signed_utc_s": 1_000_000, "box": {}}
    )
    with pytest.raises(Stopped, match="not valid on that day"):
        certificate.verify(told, operator.file.read_bytes())


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"certificate": {}, "signature": {}}', "\xff"])
def test_what_is_no_certificate_is_said(tmp_path, text):
    path = tmp_path / "x.json"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(Stopped, match="no certificate"):
        certificate.read(path)


def test_the_journal_is_whole_or_the_one_before(tmp_path):
    journal = Journal(tmp_path, CHIP)
    journal.note("flash", sha256="x")
    again = Journal(tmp_path, CHIP)
    assert again.of("flash")["sha256"] == "x" and again.of("nothing") == {}
    again.note("identity", serial="WB-1")
    again.forget("flash", "identity", "nothing")
    assert Journal(tmp_path, CHIP).facts == {}
    (tmp_path / f"{CHIP}.json").write_text("{")
    with pytest.raises(Stopped, match="move it away"):
        Journal(tmp_path, CHIP)
    with pytest.raises(ValueError):
        Journal(tmp_path, "../../etc")
