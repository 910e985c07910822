"""Step 3: serial, key and certificate of the box, bound to its chip.

The order of writing keeps both sides together: a new key is sealed to the operator on disk first,
then it goes to the box. What is on the box already is kept; its key is sealed again if the sealed
file is missing, so another laptop can go on.
"""

from __future__ import annotations

import json
import secrets

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from host.keys import KEY_BYTES, KeyStore, KeyStoreError, UnknownBox
from host.provisioning import authority, repl, sealing
from host.provisioning.files import write_whole
from host.provisioning.job import Job
from host.provisioning.outcome import Stopped, refused, unusable
from host.provisioning.partner import read_file, read_secret
from host.provisioning.texts import N_, _

TITLE = N_("Identity")


def run(job: Job) -> str:
    if job.locked:
        return _locked(job)
    survey = job.survey or job.look()
    _same_box(job)
    identity: dict[str, bytes] = {}
    files: dict[str, bytes] = {}
    if survey.serial != job.order.serial:
        identity["serial"] = job.order.serial.encode()
    job.key = _key(job)
    if survey.key != job.key:
        identity["ledger_key"] = job.key
    if survey.bound != job.chip:
        identity["chip"] = bytes.fromhex(job.chip)
    if job.partner.broker.tls == "certificate":
        files = _certificate(job)
    job.journal.note("identity", serial=job.order.serial, key_check=sealing.key_check(job.key))
    changed = {name: data for name, data in files.items() if survey.files.get(name) != data}
    if identity or changed:
        survey = job.survey = repl.write(job.port, identity, changed)
        wrong = [name for name, data in changed.items() if survey.files.get(name) != data]
        if survey.key != job.key or survey.serial != job.order.serial or wrong:
            raise refused(_("the identity does not read back"),
                          _("the box's flash holds something else"),
                          _("repeat the command; if it stays, the chip's flash is failing"))
        return _("{serial} written, key sealed for the operator", serial=job.order.serial)
    return _("{serial} is on it already", serial=job.order.serial)


def _locked(job: Job) -> str:
    """Of a locked box nothing can be written; the key comes from the key store, if at all."""
    if job.identity.get("serial") != job.order.serial:
        raise refused(_("this box is not the one of the order"),
                      _("it is locked and has another serial"), _("name its order"), "serial")
    job.key = stored_key(job)
    return _("{serial} is on it already", serial=job.order.serial)


def _same_box(job: Job) -> None:
    """The chip of the REPL is the one of the first step, and its files were made for it."""
    assert job.survey is not None
    survey = job.survey
    bound = ""
    try:
        bound = str(json.loads(survey.files.get(repl.CONFIG) or b"{}").get("chip") or "")
    except (ValueError, AttributeError):
        pass  # a torn or foreign file is written anew
    bound = bound if bound not in ("", job.chip) else survey.bound
    if survey.chip != job.chip or bound not in ("", job.chip):
        raise refused(_("this flash was made for another chip"),
                      _("it belongs to {other}, this is {chip}", chip=job.chip,
                        other=bound or survey.chip),
                      _("erase the whole chip with esptool and begin anew; a copied flash is "
                        "never taken"))
    if survey.serial not in ("", job.order.serial):
        raise refused(_("this box is not the one of the order"),
                      _("it is {found}, the order is for {wanted}",
                        found=survey.serial, wanted=job.order.serial),
                      _("connect the other box, or name its order"), "serial")


def _key(job: Job) -> bytes:
    """The box's key: its own, the one that was sealed before an interruption, or a new one."""
    assert job.survey is not None
    key = job.survey.key if len(job.survey.key) == KEY_BYTES else b""
    if not key and job.survey.ledger_sectors:
        raise refused(_("the ledger of a former life is on this box"),
                      _("its key was wiped, and a new key cannot continue it"),
                      _("prepare the box with `wallbox reuse`"))
    stored = stored_key(job)
    if not job.survey.ledger_sectors and stored is not None and _sealed_is(job, stored):
        key = b""  # nothing was signed with what is there: the one that was kept counts
    if stored is not None and stored != key and (key or not _sealed_is(job, stored)):
        raise refused(_("the key store has another key of {serial}", serial=job.order.serial),
                      _("two boxes cannot have one serial"),
                      _("look which box has this serial, and correct the order"), "serial")
    return keep(job, key or stored or secrets.token_bytes(KEY_BYTES))


def keep(job: Job, key: bytes) -> bytes:
    """The key, once it is sealed for the operator, and in the key store where that is at hand."""
    if not _sealed_is(job, key):
        public = read_file(job.partner.operator_key, "operator_key")
        sealing.seal(job.file(".sealed"), public, job.order.serial, job.chip, key)
    if job.partner.keys is not None and stored_key(job) is None:
        try:
            KeyStore(job.partner.keys).create(job.order.serial, key)
        except KeyStoreError as error:
            raise _store(error) from None
    return key


def _sealed_is(job: Job, key: bytes) -> bool:
    try:
        found = sealing.read_envelope(job.file(".sealed"))
    except Stopped:
        return False
    return (found.serial, found.chip, found.key_check) == (
        job.order.serial, job.chip, sealing.key_check(key)
    )


def stored_key(job: Job) -> bytes | None:
    """From the operator's key store, where it is at hand."""
    if job.partner.keys is None:
        return None
    try:
        return KeyStore(job.partner.keys).load(job.order.serial)
    except UnknownBox:
        return None
    except KeyStoreError as error:
        raise _store(error) from None


def _store(error: KeyStoreError) -> Stopped:
    return unusable(_("the key store is not usable"), str(error),
                    _("correct {field} in the partner's file", field="keys"), "keys")


def _certificate(job: Job) -> dict[str, bytes]:
    """The files of TLS: authority, private key, and the certificate if it can be had."""
    assert job.survey is not None
    partner, survey, serial = job.partner, job.survey, job.order.serial
    authority_pem = read_file(partner.authority, "authority")
    broker_authority = read_file(partner.broker_authority or partner.authority, "broker_authority")
    files = {repl.AUTHORITY: authority.pem_to_der(broker_authority, "broker_authority")}
    try:
        key = serialization.load_der_private_key(survey.files.get(repl.PRIVATE_KEY, b""), None)
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ValueError("kind")
    except (ValueError, TypeError):
        key = authority.new_key()
    files[repl.PRIVATE_KEY] = authority.key_der(key)
    held = survey.files.get(repl.CERTIFICATE, b"")
    if held and authority.fits(held, key, authority_pem, serial, job.chip):
        return files
    asked = authority.request(key, serial, job.chip)
    if partner.authority_key is not None:
        secret = read_secret(partner.authority_key, "authority_key")
        pem = authority.sign(asked, authority_pem, secret)
        files[repl.CERTIFICATE] = authority.check_issued(pem, authority_pem, serial, job.chip)
    else:
        write_whole(job.file(".csr"), asked, 0o644)
        job.screen.tell(_("request for the box's certificate: {file}", file=job.file(".csr")))
    return files
