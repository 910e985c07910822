"""A box whose program or file system is broken: both are written anew, evidence and keys stay.

NVS (serial, ledger key, lock), ledger and trace are not touched. The configuration comes from the
order; the box's certificate lay in the file system and is issued anew.
"""

from __future__ import annotations

from host import image
from host.provisioning import authority, repl
from host.provisioning.job import BOOT_S, Job
from host.provisioning.outcome import refused, unreachable, waiting
from host.provisioning.partner import read_file, read_secret
from host.provisioning.step_configure import checked
from host.provisioning.step_detect import has_rings
from host.provisioning.texts import _


def rescue(job: Job) -> str:
    """Raises Stopped. Afterwards the box is what its ledger says, in service if it was."""
    chip = job.flasher.identify()
    job.found(chip.id)
    if not has_rings(job):
        raise refused(_("there is nothing to rescue"),
                      _("the flash has no ledger, it was never a box"),
                      _("begin with `wallbox provision`"))
    config = checked(job.order, job.partner, chip.id)
    vfs = image.build_vfs(config, job.image.about.board, files=_certificate(job), rom=True)
    part = image.partitions()["vfs"]
    pieces = [
        (offset, data) for offset, data in job.image.pieces() if offset < part.offset
    ]
    offset, data = pieces[-1]
    pieces[-1] = (offset, data[: part.offset - offset] + vfs)
    job.flasher.write(pieces, False, job.screen.progress)
    if not job.find(BOOT_S):
        raise unreachable(_("the box at {port} does not start", port=job.port),
                          _("it did not answer for {seconds} s", seconds=int(BOOT_S)),
                          _("press its reset button and repeat; see docs/recovery.md"))
    if job.must_restart:
        repl.reset(job.port)
        job.must_restart = False
    if job.identity.get("serial") != job.order.serial:
        raise refused(_("this box is not the one of the order"),
                      _("it is {found}, the order is for {wanted}",
                        found=job.identity.get("serial") or "?", wanted=job.order.serial),
                      _("rescue it with its own order"), "serial")
    return _("program and files written anew; ledger, trace and keys as they were")


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
