"""Step 2: the image in one pass, compared by hash; then the box must answer with its version.

Only the parts of the program are written: NVS, ledger and trace stay as they are, unless the flash
has never been a box's; then all of it is emptied first.
"""

from __future__ import annotations

from host.provisioning.flash_image import older
from host.provisioning.job import BOOT_S, IN_SERVICE, Job
from host.provisioning.outcome import refused, unreachable
from host.provisioning.step_detect import has_rings
from host.provisioning.texts import N_, _

TITLE = N_("Firmware")


def run(job: Job) -> str:
    wanted = job.image.about.firmware
    found = str(job.identity.get("firmware") or "")
    if found == wanted and not job.journal.of("flash").get("began"):
        return _("{version} is on it already", version=found)
    if found and older(wanted, found):
        raise refused(_("the image is older than what is on the box"),
                      _("the box has {found}, the image {wanted}", found=found, wanted=wanted),
                      _("take the image of {found} or a newer one", found=found))
    if job.lifecycle in IN_SERVICE:  # the image has no configuration
        return _("{version} stays; a box in service gets another with `wallbox provision "
                 "--rescue`", version=found)
    if not job.image.about.rom:
        job.screen.tell(_("this image runs no firmware in place; it is for tests alone"))
    fresh = not has_rings(job)
    job.journal.note("flash", began=True)
    job.flasher.write(job.image.pieces(), fresh, job.screen.progress)
    job.survey = None
    if not job.find(BOOT_S):
        raise unreachable(_("the box at {port} does not start", port=job.port),
                          _("it did not answer for {seconds} s", seconds=int(BOOT_S)),
                          _("press its reset button and repeat; see docs/recovery.md"))
    answered = str(job.identity.get("firmware") or "")
    if answered != wanted:
        raise refused(_("the box does not start with the new firmware"),
                      _("it answers {found}, the image has {wanted}",
                        found=answered, wanted=wanted),
                      _("repeat the command; if it stays, build the image anew"))
    if str(job.identity.get("chip")) != job.chip:
        raise refused(_("another box answers now"),
                      _("its chip is {found}, before it was {chip}",
                        found=job.identity.get("chip"), chip=job.chip),
                      _("look at the cables and repeat the command"))
    job.journal.note("flash", began=False, sha256=job.image.about.sha256,
                     micropython=job.image.about.micropython,
                     micropython_sha256=job.image.about.micropython_sha256)
    return _("{version} written and compared by hash", version=wanted)
