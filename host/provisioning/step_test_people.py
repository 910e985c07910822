"""What only a person at the box can tell or do in the self-test: the lamp, a test plug, the meter.

Who is not asked (`--yes`, `--json`, `--all`) skips these lines, and the certificate says so; the
meter's serial and display are in the order then. The lines are English, as those of the box; screen
and page translate them (box_words.py).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from host.provisioning.job import Job
from host.provisioning.texts import _

REGISTER_TOLERANCE_WH = 100  # displays show tenths or hundredths of a kWh
PLUG_POSITIONS = ("B", "C")  # A is what the pilot's own line has measured
_LOOK_S = 1.0
_OTHER_VOLTAGE = (
    "at {position} another voltage is measured: look at the plug, then at the pilot's wire and "
    "driver"
)

Line = dict[str, Any]
Ask = Callable[[str], list[Line]]  # the names of tests, to their lines


def made(name: str, result: str, measured: str, do: str, values: Line | None = None) -> Line:
    return {"name": name, "result": result, "measured": measured,
            "do": "" if result == "pass" else do, "values": values or {}}


def said(message: str, **values: object) -> str:
    """A sentence of box_words.py with its values."""
    return message.format(**values)


def lamp(job: Job, line: Line, ask: Ask) -> None:
    """The box cannot see its lamp: the line passes only if somebody has."""
    if line["result"] != "pass":
        return
    if not job.person:
        line.update(made("lamp", "skip", line["measured"], "nobody was asked"))
        return
    while True:
        seen = job.screen.ask(_("Did the lamp show red, green and blue? (yes, no, again)"), "",
                              _yes_no_again)
        if seen != "again":
            break
        ask("lamp")
    if seen == "no":
        line.update(made("lamp", "fail", "not seen", "look at the lamp's cable and supply"))


def test_plug(job: Job, ask: Ask) -> Line:
    """The pilot's voltages at B and C, as a test plug sets them."""
    if not job.plug_s:
        return made("test-plug", "skip", "", "not asked for; --test-plug asks for it")
    found = []
    for position in PLUG_POSITIONS:
        job.screen.line("test-plug", "wait", "", said(
            "set the test plug to {position} within {seconds} s", position=position,
            seconds=job.plug_s))
        pilot = _at(job, position, ask)
        found.append(pilot["measured"])
        if pilot["result"] != "pass" or _letter(pilot) != position:
            return made("test-plug", "fail", "; ".join(found),
                        said(_OTHER_VOLTAGE, position=position))
    job.screen.line("test-plug", "wait", "", said(
        "take the test plug out within {seconds} s", seconds=job.plug_s))
    if _letter(_at(job, "A", ask)) != "A":
        return made("test-plug", "fail", "; ".join(found),
                    "take the test plug out, then repeat the command")
    return made("test-plug", "pass", "; ".join(found), "")


def _at(job: Job, position: str, ask: Ask) -> Line:
    """The pilot's line once it is there, or the last one in time."""
    until = time.monotonic() + job.plug_s
    while True:
        (pilot,) = ask("pilot")
        if _letter(pilot) == position or time.monotonic() > until:
            return pilot
        time.sleep(_LOOK_S)


def _letter(pilot: Line) -> str:
    return str(pilot["values"].get("letter") or "")


def at_the_meter(job: Job, lines: list[Line]) -> list[Line]:
    """The meter's serial and display against what the box reads."""
    values = {line["name"]: line["values"] for line in lines}
    meter = job.order.meter
    assert meter is not None
    told = meter.serial
    if told is None:
        told = job.screen.ask(_("Serial number on the meter"), "meter.serial", _text)
    display_wh = meter.display_wh
    if display_wh is None:
        display_wh = job.screen.ask(_("Register on the meter's display, kWh"),
                                    "meter.display_wh", parse_kwh)
    return [_serial(str(values.get("meter", {}).get("serial") or ""), told),
            _display(values.get("register", {}).get("register_wh"), display_wh)]


def _serial(found: str, told: str) -> Line:
    shown = said("box {found}, meter {told}", found=found or "–", told=told)
    if not found:
        return made("meter-serial", "skip", shown, "this meter does not tell its serial")
    same = found.lstrip("0") == told.strip().lstrip("0")
    return made("meter-serial", "pass" if same else "fail", shown,
                "look at the wiring: the box reads another meter")


def _display(register_wh: object, display_wh: int) -> Line:
    near = isinstance(register_wh, int) and abs(register_wh - display_wh) <= REGISTER_TOLERANCE_WH
    shown = said("box {found}, display {told}", found=_kwh(register_wh), told=_kwh(display_wh))
    return made("display", "pass" if near else "fail", shown,
                "read the display again; look at model and address")


def _kwh(watt_hours: object) -> str:
    return f"{watt_hours / 1000:.3f} kWh" if isinstance(watt_hours, int) else "–"


def _yes_no_again(text: str) -> str:
    words = {"yes": ("yes", "y", "ja", "j"), "no": ("no", "n", "nej"),
             "again": ("again", "a", "igen", "i")}
    for meaning, spellings in words.items():
        if text.lower() in spellings:
            return meaning
    raise ValueError(_("yes, no or again"))


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
