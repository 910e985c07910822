"""Step 7: seals named and armed, first register on record, the box in service and locked.

The journal is told before the box changes: if the cable is pulled in between, the next run knows
that this box in service is its own and goes on to the certificate.
"""

from __future__ import annotations

import time
from typing import Any

from host.provisioning.box_words import in_words
from host.provisioning.console_line import ConsoleLine
from host.provisioning.job import IN_SERVICE, Job
from host.provisioning.names import lifecycle_name
from host.provisioning.outcome import refused
from host.provisioning.texts import N_, _

TITLE = N_("Seals and service")
REGISTER_S = 20.0
_TAKEN = ("Accepted", "Scheduled")


def run(job: Job) -> str:
    if job.lifecycle in IN_SERVICE:
        _must_be_locked(job)
        return _("in service already")
    if not all(job.journal.of(step).get("passed") for step in ("self-test", "checklist")):
        raise refused(_("the box does not go into service"),
                      _("self-test or checklist did not pass"), _("repeat the command"))
    seals = job.order.seals
    assert seals is not None
    with job.login() as line:
        register_wh = _register(job, line)
        if seals.fitted:
            _order(line, "seal", {"numbers": " ".join(seals.numbers)})
        job.journal.note("service", began=True, seals=seals.numbers, policy=seals.policy,
                         register_wh=register_wh, register_utc_s=int(time.time()))
        _order(line, "lifecycle", {"after": "in service"})
    _must_be_locked(job)
    return _("in service and locked, first register {register} Wh", register=register_wh)


def _must_be_locked(job: Job) -> None:
    """The lock follows the lifecycle within a moment."""
    told = job.identity = job.wait(
        lambda told: told.get("lifecycle") in IN_SERVICE and told.get("locked") is True, "identity"
    )
    if told.get("lifecycle") not in IN_SERVICE or not told.get("locked"):
        raise refused(_("the box did not go into service"),
                      _("it is {lifecycle}, locked: {locked}",
                        lifecycle=lifecycle_name(told.get("lifecycle")),
                        locked=_("yes") if told.get("locked") else _("no")),
                      _("repeat the command"))


def _register(job: Job, line: ConsoleLine) -> int:
    """The register now, with no current: the first of the customer's. Raises Stopped."""
    found: dict[str, Any] = {}

    def part(told: dict[str, Any]) -> None:
        if told.get("result") == "pass":
            found.update(told.get("values") or {})
        job.screen.line(str(told.get("name")), str(told.get("result")),
                        str(told.get("measured") or ""), str(told.get("do") or ""))

    until = time.monotonic() + REGISTER_S
    while True:
        found.clear()
        answer = line.order("self-test", {"only": "register idle-current"}, part=part)
        if not answer.get("failed") or time.monotonic() > until:
            break
        time.sleep(1.0)  # after a start the meter is not read yet
    if not isinstance(found.get("register_wh"), int) or "l1_ma" not in found:
        raise refused(_("the first register was not read"),
                      _("the meter does not answer, or a current flows"),
                      _("repeat the command; the self-test tells more"))
    return int(found["register_wh"])


def _order(line: ConsoleLine, verb: str, arguments: dict[str, Any]) -> None:
    answer = line.order(verb, arguments)
    if answer["status"] not in _TAKEN:
        raise refused(_("the box does not take {order}", order=verb),
                      in_words(str(answer.get("info"))),
                      _("put it right, then repeat the command"))
