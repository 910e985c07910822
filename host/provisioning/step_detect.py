"""Step 1: which chip and what is on it; boxes that must be left alone are refused."""

from __future__ import annotations

import struct

from host import image
from host.ledger.verify.rows import Unusable
from host.provisioning import evidence
from host.provisioning.console_line import ConsoleLine
from host.provisioning.files import write_whole
from host.provisioning.job import FIND_S, IN_SERVICE, Job
from host.provisioning.names import lifecycle_name
from host.provisioning.outcome import Stopped, refused, unusable
from host.provisioning.texts import N_, _

TITLE = N_("Chip and flash")
CHIPS = ("ESP32",)
TABLE_BYTES = 256  # ours has seven entries of 32, and their digest
_ENTRY = struct.Struct("<HBBII16sI")


def run(job: Job) -> str:
    if not job.find(FIND_S) or not job.identity.get("firmware"):
        job.identity, job.survey, job.must_restart = {}, None, False
        return _blank(job)
    job.found(str(job.identity["chip"]))
    if job.survey and job.survey.locked:
        raise _broken("in service")
    told = str(job.identity.get("serial") or "")
    if told and told != job.order.serial:
        raise refused(_("this box is not the one of the order"),
                      _("it is {found}, the order is for {wanted}",
                        found=told, wanted=job.order.serial),
                      _("connect the other box, or name its order"), "serial")
    _no_other_chip(job)
    _not_in_use(job)
    _nothing_unsaid(job)
    return _("chip {chip}, {what}", chip=job.chip,
             what=told or _("without identity"))


def _blank(job: Job) -> str:
    """Nobody answers: the boot loader tells what chip it is."""
    chip = job.flasher.identify()
    if chip.name not in CHIPS:
        raise refused(_("this chip is not supported"),
                      _("it is {found}; boxes have one of {chips}", found=chip.name,
                        chips=", ".join(CHIPS)),
                      _("connect a box"))
    if chip.flash_bytes < image.FLASH_SIZE:
        raise refused(_("this chip is not supported"),
                      _("its flash has {megabytes} MB, 4 are needed",
                        megabytes=chip.flash_bytes >> 20),
                      _("connect a box"))
    job.found(chip.id)
    _no_other_chip(job)
    told = evidence.read(job.flasher)
    if told and told.lifecycle in IN_SERVICE:
        raise _broken(told.lifecycle)
    return _("chip {chip}, {what}", chip=job.chip, what=_("no answer from a firmware"))


def _broken(lifecycle: str) -> Stopped:
    return refused(_("this box is {lifecycle}", lifecycle=lifecycle),
                   _("its flash says so, and its program does not run"),
                   _("wait a moment and repeat; if it stays so, write its program anew with "
                     "`wallbox provision --rescue`"))


def has_rings(job: Job) -> bool:
    """Whether the flash has our ledger; a partition table may be broken, or half written."""
    return _in_table(job) or evidence.begun(job.flasher)


def _in_table(job: Job) -> bool:
    table = job.flasher.read(image.PARTITION_TABLE_AT, TABLE_BYTES)
    wanted = image.partitions()["ledger"]
    for at in range(0, len(table), _ENTRY.size):
        magic, _kind, _sub, offset, size, name, _flags = _ENTRY.unpack_from(table, at)
        if magic != 0x50AA:
            return False
        if name.rstrip(b"\0") == b"ledger":
            return (offset, size) == (wanted.offset, wanted.size)
    return False


def _no_other_chip(job: Job) -> None:
    """The same serial on two chips: one of them is a copy of the other's flash."""
    for path in sorted((job.folder / "journal").glob("*.json")):
        if path.stem == job.chip:
            continue
        from host.provisioning.journal import Journal

        try:
            other = Journal(path.parent, path.stem)
        except ValueError:
            continue
        if other.of("identity").get("serial") == job.order.serial:
            raise refused(_("{serial} belongs to another chip", serial=job.order.serial),
                          _("it was given to chip {other}, this is {chip}",
                            other=path.stem, chip=job.chip),
                          _("take the serial of this box's own plate; a copied flash is never "
                            "taken"), "serial")


def _not_in_use(job: Job) -> None:
    ours = bool(job.journal.of("service").get("began"))
    if job.lifecycle in IN_SERVICE and not ours:
        raise refused(_("this box is {lifecycle}", lifecycle=lifecycle_name(job.lifecycle)),
                      _("a box in use is not provisioned"),
                      _("take it out with `wallbox decommission` first"))
    if job.lifecycle == "decommissioned":
        raise refused(_("this box is decommissioned"),
                      _("its last life has to be ended before a new one begins"),
                      _("prepare it with `wallbox reuse`"))


def _nothing_unsaid(job: Job) -> None:
    """Records that the operator has not acknowledged are collected first, unless they come from
    the provisioning that is under way: then journal, key store or sealed file know the box.
    """
    from host.provisioning.step_identity import stored_key

    known = job.journal.of("identity") or stored_key(job) or job.file(".sealed").exists()
    if known or job.survey is not None:
        return
    with ConsoleLine(job.port) as line:
        ledger = line.ask("health").get("ledger") or {}
    waiting = int(ledger.get("sequence") or 0) - int(ledger.get("acknowledged") or 0)
    if waiting <= 0 or job.journal.of("collected"):
        return
    if not job.collect:
        raise refused(_("the ledger holds {count} records that the operator does not have",
                        count=waiting),
                      _("they are evidence of the box's former use"),
                      _("connect the box until they are delivered, or repeat with --collect, "
                        "which saves them in a file for the operator"))
    save_ledger(job)


def save_ledger(job: Job) -> None:
    """The ledger's bytes into a file beside the journal. Raises Stopped."""
    from host.ledger.verify.pull import pull

    path = job.folder / f"{job.chip}-ledger.bin"
    try:
        data, _serial = pull(
            job.port, lambda what, at, size: job.screen.progress(at / max(1, size))
        )
    except Unusable as error:
        raise unusable(_("the ledger was not saved"), str(error), _("repeat the command")) from None
    write_whole(path, data)
    job.journal.note("collected", file=path.name, bytes=len(data))
    job.screen.tell(_("ledger saved in {file}; send it to the operator", file=path))
    job.wait(lambda told: True, "identity")
