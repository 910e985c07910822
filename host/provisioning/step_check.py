"""Step 6: the installation's checklist, each answer against its limit."""

from __future__ import annotations

from dataclasses import asdict

from host.provisioning.job import Job
from host.provisioning.limits import judge
from host.provisioning.outcome import refused, unusable
from host.provisioning.texts import N_, _

TITLE = N_("Checklist of the installation")


def run(job: Job) -> str:
    if job.order.installation is None:
        raise unusable(_("the order does not tell {table}", table="installation"),
                       _("the table [{table}] is missing", table="installation"),
                       _("write it, then repeat the command"), "installation")
    lines = judge(job.order.installation)
    for line in lines:
        job.screen.line(line.field, "pass" if line.passed else "fail",
                        f"{_(line.question)}: {answer_text(line.answer)}",
                        "" if line.passed else _("must be {limit}", limit=_(line.limit)))
    told = job.order.installation.model_dump()
    wrong = [line for line in lines if not line.passed]
    job.journal.note("checklist", answers=told, lines=[asdict(line) for line in lines],
                     passed=not wrong)
    if wrong:
        first = wrong[0]
        raise refused(_("the installation is not as it must be: {field}", field=first.field),
                      _("{question}: {answer}, must be {limit}", question=_(first.question),
                        answer=answer_text(first.answer), limit=_(first.limit)),
                      _("put the installation right, correct the order, repeat the command"),
                      f"installation.{first.field}")
    return _("{count} answers within their limits", count=len(lines))


def answer_text(answer: object) -> str:
    if isinstance(answer, bool):
        return _("yes") if answer else _("no")
    return str(answer)
