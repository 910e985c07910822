"""Step 5: the self-test on the box, and what only a person at the meter can tell."""

from __future__ import annotations

from typing import Any

from host.provisioning.box_words import in_words
from host.provisioning.job import Job
from host.provisioning.outcome import refused
from host.provisioning.texts import N_, _

TITLE = N_("Self-test")
REGISTER_TOLERANCE_WH = 100  # displays show tenths or hundredths of a kWh
SELF_TEST_S = 150.0  # without a line
# what may be skipped and why: not fitted, not chosen, or not asked for in a batch
MAY_SKIP = ("reader", "tap", "seals", "seals-open", "tls", "dns")
FACTORY = "factory"


def run(job: Job) -> str:
    wanted = job.journal.of("configuration").get("digest")
    before = job.journal.of("self-test")
    if before.get("passed") and before.get("digest") == wanted:
        return _("passed before, nothing has changed")
    if job.lifecycle not in (FACTORY, "commissioned"):
        raise refused(_("the self-test was not done"),
                      _("the box is {lifecycle}", lifecycle=job.lifecycle),
                      _("take it out with `wallbox decommission` first"))
    _ready(job)
    lines = _on_box(job)
    failed = [line for line in lines if line["result"] == "fail"]
    failed += [
        line for line in lines if line["result"] == "skip" and line["name"] not in MAY_SKIP
    ]
    lines += _at_the_meter(job, lines)
    failed += [line for line in lines[-2:] if line["result"] == "fail"]
    job.journal.note("self-test", lines=lines, passed=not failed, digest=wanted)
    if failed:
        names = ", ".join(line["name"] for line in failed)
        raise refused(_("the self-test did not pass: {names}", names=names),
                      in_words(failed[0]["measured"] or failed[0]["do"] or "?"),
                      in_words(failed[0]["do"]) or _("put it right, then repeat the command"))
    return _("{count} lines passed", count=sum(line["result"] == "pass" for line in lines))


def _ready(job: Job) -> None:
    """Wait for what needs a moment after a start; what does not come, the test explains."""
    job.wait(
        lambda told: bool(told.get("link")) and told.get("clock") == "S"
        if told.get("agent") == "runs"
        else False
    )


def _on_box(job: Job) -> list[dict[str, Any]]:
    lines: list[dict[str, Any]] = []

    def part(told: dict[str, Any]) -> None:
        name, result = str(told.get("name")), str(told.get("result"))
        measured, do = str(told.get("measured") or ""), str(told.get("do") or "")
        job.screen.line(name, result, measured, do)
        if result != "wait":
            values = told.get("values") or {}
            lines.append(
                {"name": name, "result": result, "measured": measured, "do": do, "values": values}
            )

    with job.login() as line:
        if job.lifecycle == FACTORY:
            answer = line.order("lifecycle", {"after": "commissioned"})
            if answer["status"] not in ("Accepted", "Scheduled"):
                raise refused(_("the box does not take the lifecycle"), str(answer.get("info")),
                              _("repeat the command"))
        arguments = {"tap_s": job.tap_s, "open_s": job.open_s, "contactor": True}
        answer = line.order("self-test", arguments, SELF_TEST_S, part)
        if answer["status"] != "Accepted":
            raise refused(_("the box did not do its self-test"), str(answer.get("info")),
                          _("repeat the command"))
    job.ask_identity()
    return lines


def _at_the_meter(job: Job, lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The meter's serial and display against what the box reads."""
    values = {line["name"]: line["values"] for line in lines}
    found = str(values.get("meter", {}).get("serial") or "")
    register_wh = values.get("register", {}).get("register_wh")
    meter = job.order.meter
    assert meter is not None
    told = meter.serial
    if told is None:
        told = job.screen.ask(_("Serial number on the meter"), "meter.serial", _text)
    display_wh = meter.display_wh
    if display_wh is None:
        display_wh = job.screen.ask(_("Register on the meter's display, kWh"),
                                    "meter.display_wh", parse_kwh)
    same = found.lstrip("0") == told.strip().lstrip("0") if found else True
    near = isinstance(register_wh, int) and abs(register_wh - display_wh) <= REGISTER_TOLERANCE_WH
    shown = _("box {found}, meter {told}", found=found or "–", told=told)
    close = _("box {found} Wh, display {told} Wh", found=register_wh, told=display_wh)
    found_lines = [
        _line("meter-serial", same, shown, _("look at the wiring: the box reads another meter")),
        _line("display", near, close, _("read the display again; look at model and address")),
    ]
    for one in found_lines:
        job.screen.line(one["name"], one["result"], one["measured"], one["do"])
    return found_lines


def _line(name: str, passed: bool, measured: str, do: str) -> dict[str, Any]:
    result = "pass" if passed else "fail"
    return {"name": name, "result": result, "measured": measured, "do": "" if passed else do,
            "values": {}}


def _text(text: str) -> str:
    if not 0 < len(text) <= 40:
        raise ValueError(_("1 to 40 characters"))
    return text


def parse_kwh(text: str) -> int:
    """`1234.56` or `1234,56` kWh in Wh."""
    from decimal import Decimal, InvalidOperation

    try:
        value = Decimal(text.replace(",", ".")) * 1000
        if not value.is_finite() or not 0 <= value < 10**12:
            raise InvalidOperation
        return int(value)
    except InvalidOperation:
        raise ValueError(_("a number of kWh, as 1234.5")) from None
