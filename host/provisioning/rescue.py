"""A box whose program or file system is broken: both are written anew, evidence and keys stay.

Ledger and trace are not touched, and of NVS only what is missing is written. The configuration
comes from the order; the box's certificate lay in the file system and is issued anew. In between
the box has an empty file system and so MicroPython's own prompt, where NVS can be looked at: a key
that the laptop lost is sealed again, one that the box lost comes back from the key store.
"""

from __future__ import annotations

from host import image
from host.provisioning import authority, evidence, repl
from host.provisioning.flash_image import older
from host.provisioning.job import BOOT_S, FIND_S, Job
from host.provisioning.outcome import Stopped, refused, unreachable, waiting
from host.provisioning.partner import read_file, read_secret
from host.provisioning.step_configure import checked
from host.provisioning.step_detect import has_rings
from host.provisioning.step_identity import keep, stored_key
from host.provisioning.texts import _


def rescue(job: Job) -> str:
    """Raises Stopped. Afterwards the box is what its ledger says, in service if it was.

    Whatever interrupts it, it is repeated with the same order.
    """
    job.find(FIND_S)
    _same_serial(job)
    chip = job.flasher.identify()
    job.found(chip.id)
    if not has_rings(job):
        raise refused(_("there is nothing to rescue"),
                      _("the flash has no ledger, it was never a box"),
                      _("begin with `wallbox provision`"))
    _not_older(job)
    config = checked(job.order, job.partner, chip.id)
    vfs = image.build_vfs(config, job.image.about.board, files=_certificate(job), rom=True)
    job.survey, job.identity, job.must_restart = None, {}, False
    _write(job, b"")
    if not job.find(BOOT_S):
        raise _dead(job)
    _same_serial(job)
    _keys(job)
    _write(job, vfs)
    job.must_restart = False  # it did
    if not job.find(BOOT_S):
        raise _dead(job)
    if job.must_restart:
        repl.reset(job.port)
        job.must_restart = False
    _same_serial(job)
    return _("program and files written anew; ledger, trace and keys as they were")


def _write(job: Job, vfs: bytes) -> None:
    """The program with an empty file system, or the file system alone."""
    part = image.partitions()["vfs"]
    pieces = [(part.offset, vfs)]
    if not vfs:
        pieces = [(at, data) for at, data in job.image.pieces() if at < part.offset]
        at, data = pieces[-1]
        pieces[-1] = at, data[: part.offset - at] + b"\xff" * part.size
    job.flasher.write(pieces, False, job.screen.progress)


def _dead(job: Job) -> Stopped:
    return unreachable(_("the box at {port} does not start", port=job.port),
                       _("it did not answer for {seconds} s", seconds=int(BOOT_S)),
                       _("press its reset button and repeat; see docs/recovery.md"))


def _not_older(job: Job) -> None:
    """By what ran last according to the ledger, since the program itself may be gone."""
    told = evidence.read(job.flasher)
    wanted = job.image.about.firmware
    if told and told.firmware and older(wanted, told.firmware):
        raise refused(_("the image is older than what is on the box"),
                      _("the box has {found}, the image {wanted}",
                        found=told.firmware, wanted=wanted),
                      _("take the image of {found} or a newer one", found=told.firmware))


def _same_serial(job: Job) -> None:
    """What answers, if it knows its serial, is the box of the order."""
    found = str(job.identity.get("serial") or "")
    if found not in ("", job.order.serial):
        raise refused(_("this box is not the one of the order"),
                      _("it is {found}, the order is for {wanted}",
                        found=found, wanted=job.order.serial),
                      _("rescue it with its own order"), "serial")


def _keys(job: Job) -> None:
    """The same key on the box and with the operator. Raises Stopped if nobody has it."""
    survey = job.survey or job.look()
    if survey.bound not in ("", job.chip):
        raise refused(_("this flash was made for another chip"),
                      _("it belongs to {other}, this is {chip}", other=survey.bound,
                        chip=job.chip),
                      _("erase the whole chip with esptool and begin anew; a copied flash is "
                        "never taken"))
    stored = stored_key(job)
    if survey.key and stored not in (None, survey.key):
        raise refused(_("the key store has another key of {serial}", serial=job.order.serial),
                      _("two boxes cannot have one serial"),
                      _("look which box has this serial, and correct the order"), "serial")
    key = survey.key or stored
    if key is None:
        raise waiting(_("the key of {serial} is not there", serial=job.order.serial),
                      _("neither the box nor the key store has it"),
                      _("ask the operator to rescue it, with its key store in the partner's file"))
    job.key = keep(job, key)
    wanted = {"serial": job.order.serial.encode(), "chip": bytes.fromhex(job.chip)}
    repl.write(job.port, {**wanted, "ledger_key": key}, {})


def _certificate(job: Job) -> dict[str, bytes]:
    partner, serial = job.partner, job.order.serial
    if partner.broker.tls != "certificate":
        return {}
    if partner.authority_key is None:
        raise waiting(_("the box needs a new certificate"),
                      _("its old one lay in the broken file system"),
                      _("ask the operator to rescue it, with authority_key at hand"))
    ca = read_file(partner.authority, "authority")
    broker_ca = read_file(partner.broker_authority or partner.authority, "broker_authority")
    key = authority.new_key()
    secret = read_secret(partner.authority_key, "authority_key")
    pem = authority.sign(authority.request(key, serial, job.chip), ca, secret)
    return {
        repl.AUTHORITY: authority.pem_to_der(broker_ca, "broker_authority"),
        repl.PRIVATE_KEY: authority.key_der(key),
        repl.CERTIFICATE: authority.check_issued(pem, ca, serial, job.chip),
    }
