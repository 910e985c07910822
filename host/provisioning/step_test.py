"""Step 5: the self-test on the box, and what only a person at the box can tell."""

from __future__ import annotations

import time
from typing import Any

from host.provisioning import step_test_people as people
from host.provisioning.box_words import in_words
from host.provisioning.console_line import ConsoleLine
from host.provisioning.job import Job
from host.provisioning.names import lifecycle_name, line_name
from host.provisioning.outcome import refused
from host.provisioning.texts import N_, _

TITLE = N_("Self-test")
SELF_TEST_S = 150.0  # without a line
# what may be skipped: not fitted, not chosen, or nobody is there to be asked
MAY_SKIP = ("reader", "tap", "seals", "seals-open", "tls", "dns", "lamp", "test-plug",
            "meter-serial")
FACTORY = "factory"


def run(job: Job) -> str:
    wanted = job.journal.of("configuration").get("digest")
    before = job.journal.of("self-test")
    if before.get("passed") and before.get("digest") == wanted:
        return _("passed before, nothing has changed")
    if job.lifecycle not in (FACTORY, "commissioned"):
        raise refused(_("the self-test was not done"),
                      _("the box is {lifecycle}", lifecycle=lifecycle_name(job.lifecycle)),
                      _("take it out with `wallbox decommission` first"))
    _ready(job)
    lines = _on_box(job)
    for line in people.at_the_meter(job, lines):
        _show(job, line)
        lines.append(line)
    failed = [line for line in lines if not _passed(line)]
    job.journal.note("self-test", lines=lines, passed=not failed, digest=wanted)
    if failed:
        names = ", ".join(line_name(line["name"]) for line in failed)
        raise refused(_("the self-test did not pass: {names}", names=names),
                      in_words(failed[0]["measured"] or failed[0]["do"] or "?"),
                      in_words(failed[0]["do"]) or _("put it right, then repeat the command"))
    return _("{count} lines passed", count=sum(line["result"] == "pass" for line in lines))


def _passed(line: dict[str, Any]) -> bool:
    return line["result"] == "pass" or line["result"] == "skip" and line["name"] in MAY_SKIP


def _ready(job: Job) -> None:
    """Wait for what needs a moment after a start; what does not come, the test explains."""
    job.wait(
        lambda told: bool(told.get("link")) and told.get("clock") == "S"
        if told.get("agent") == "runs"
        else False
    )


def _on_box(job: Job) -> list[dict[str, Any]]:
    with job.login() as line:
        if job.lifecycle == FACTORY:
            answer = line.order("lifecycle", {"after": "commissioned"})
            if answer["status"] not in ("Accepted", "Scheduled"):
                raise refused(_("the box does not take the lifecycle"),
                              in_words(str(answer.get("info"))), _("repeat the command"))
        arguments = {"tap_s": job.tap_s, "open_s": job.open_s, "contactor": True}
        lines = _ordered(job, line, arguments, hidden="lamp")

        def ask(only: str) -> list[dict[str, Any]]:
            return _ordered(job, line, {"only": only}, hidden=only)

        for one in lines:
            if one["name"] == "lamp":
                people.lamp(job, one, ask)
                _show(job, one)
        plug = people.test_plug(job, ask)
        _show(job, plug)
        lines.append(plug)
    job.ask_identity()
    return lines


def _ordered(
    job: Job, line: ConsoleLine, arguments: dict[str, Any], hidden: str
) -> list[dict[str, Any]]:
    """The lines of one order, shown as they come; `hidden`: only what it asks of people."""
    lines: list[dict[str, Any]] = []

    def part(told: dict[str, Any]) -> None:
        one: dict[str, Any] = {
            "name": str(told.get("name")), "result": str(told.get("result")),
            "measured": str(told.get("measured") or ""), "do": str(told.get("do") or ""),
            "values": told.get("values") or {},
        }
        utc_s = one["values"].get("utc_s")
        if isinstance(utc_s, int):
            one["measured"] = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(utc_s))
        if one["result"] == "wait" or one["name"] != hidden:
            _show(job, one)
        if one["result"] != "wait":
            lines.append(one)

    answer = line.order("self-test", arguments, SELF_TEST_S, part)
    if answer["status"] != "Accepted":
        raise refused(_("the box did not do its self-test"), in_words(str(answer.get("info"))),
                      _("repeat the command"))
    return lines


def _show(job: Job, line: dict[str, Any]) -> None:
    job.screen.line(line["name"], line["result"], line["measured"], line["do"])
