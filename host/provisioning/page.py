"""The certificate for people: one page of HTML to print, in English or Danish."""

from __future__ import annotations

import datetime
import hashlib
import html
import textwrap
from typing import Any

from host.provisioning.box_words import in_words
from host.provisioning.certificate import signed_bytes
from host.provisioning.texts import N_, translated

Rows = list[tuple[str, str]]

_STYLE = """
@page { size: A4; margin: 12mm }
body { font: SIZEpt/1.25 sans-serif; color: #111; max-width: 186mm; margin: 0 auto }
h1 { font-size: 15pt; margin: 0 0 2mm } h2 { font-size: 10.5pt; margin: 3mm 0 1mm }
table { border-collapse: collapse; width: 100% }
td, th { text-align: left; padding: .4mm 2mm .4mm 0; border-bottom: .2mm solid #ccc;
  vertical-align: top; font-weight: normal }
td:first-child { color: #555; width: 38% }
.columns { columns: 2; column-gap: 8mm } .columns table { break-inside: auto }
.fail { font-weight: bold } footer { margin-top: 3mm; font-size: 8pt; word-break: break-all }
"""
_SIZES_PT = (9.5, 9.0, 8.5, 8.0, 7.5, 7.0, 6.5)
_SHEET_MM = 297 - 2 * 12
_WIDTH_MM, _COLUMN_MM = 186, 89
_REST_MM = 38  # headings and foot
_NAME_SHARE = 0.38
_LETTER_EM = 0.53  # of DejaVu Sans, which is wide
_POINT_MM = 25.4 / 72
_RESULTS = {"pass": N_("pass"), "fail": N_("fail"), "skip": N_("skipped")}
_TESTS = {
    "meter": N_("Meter answers"), "phases": N_("Three phases present"),
    "register": N_("Register"), "idle-current": N_("No current with the contactor open"),
    "reader": N_("Tag reader"), "tap": N_("Test tap"), "seals": N_("Seal loops closed"),
    "seals-open": N_("Seal loops open and close"), "pilot": N_("Control pilot"),
    "contactor": N_("Contactor and its feedback"), "lamp": N_("Lamp"), "wifi": N_("Wi-Fi"),
    "address": N_("Network address"), "dns": N_("Broker's name found"), "time": N_("Time"),
    "tls": N_("Broker proved"), "broker": N_("Broker accepts the box"),
    "acknowledged": N_("Operator has acknowledged a record"),
    "test-plug": N_("Control pilot with a test plug"),
    "meter-serial": N_("Serial number of the meter"), "display": N_("Meter's display"),
}


def render(signed: dict[str, Any], language: str) -> str:
    """Everything that the certificate holds; every value is escaped."""
    told = signed["certificate"]

    def t(message: str, **values: object) -> str:
        return translated(language, message, **values)

    def show(value: object) -> str:
        if isinstance(value, bool):
            return t("yes") if value else t("no")
        return t(value) if isinstance(value, str) and value in _WORDS else str(value)

    def within(answer: str, limit: str) -> str:
        return answer if answer == limit else f"{answer} ({limit})"

    box, meter, place = told["box"], told["meter"], told["installation"]
    at = _local(told["first_register_utc_s"])
    digest = hashlib.sha256(signed_bytes(told)).hexdigest()
    who = [
        (t("Serial number"), box["serial"]), (t("Type"), box["type"]), (t("Chip"), box["chip"]),
        (t("Firmware"), f"{box['firmware']}, MicroPython {box['micropython']}"),
        (t("Order"), told["order"]), (t("Installed by"), told["installer"]),
        (t("Address"), place["address"]),
        (t("Meter"), f"{meter['model']}, {meter['serial'] or '–'}"),
        (t("First register"), f"{told['first_register_wh'] / 1000:.3f} kWh, {at}"),
        (t("Phase rotation"), place["phase_rotation"]),
        (t("Seals"), f"{', '.join(told['seals']['numbers'])} ({show(told['seals']['policy'])})"),
        (t("State"), f"{show(told['lifecycle'])}, {t('USB console locked')}"),
    ]
    checks = [
        (t(line["question"]), within(show(line["answer"]), t(line["limit"])))
        for line in told["checklist"]
    ]

    def outcome(line: dict[str, Any]) -> str:
        words = [t(_RESULTS.get(line["result"], line["result"])),
                 *(in_words(str(line.get(key) or ""), language) for key in ("measured", "note"))]
        return ", ".join(word for word in words if word)

    tests = [(t(_TESTS.get(line["name"], line["name"])), outcome(line))
             for line in told["self_test"]]
    signed_at = _local(told["signed_utc_s"])
    foot = t("Signed {when}. The file {file} proves this page: wallbox certificate verify.",
             when=signed_at, file=f"{box['serial']}.certificate.json")
    return (
        f'<!DOCTYPE html>\n<html lang="{language}"><head><meta charset="utf-8">'
        f"<title>{_e(t('Certificate of installation'))} {_e(box['serial'])}</title>"
        f"<style>{_STYLE.replace('SIZE', str(size_pt(who, checks, tests)))}</style></head><body>"
        f"<h1>{_e(t('Certificate of installation'))}</h1>{_table(who)}"
        f"<h2>{_e(t('Installation'))}</h2>{_table(checks)}"
        f'<h2>{_e(t("Self-test"))}</h2><div class="columns">{_table(tests)}</div>'
        f"<footer>{_e(foot)}<br>SHA-256 {digest}</footer></body></html>\n"
    )


_WORDS = {
    N_("in service"), N_("RCD and fuse"), N_("RCBO"),
    N_("report"), N_("pause"), N_("stop"),  # what an opened seal does
}


def size_pt(who: Rows, checks: Rows, tests: Rows) -> float:
    """The largest letters with which all of it stands on one sheet."""
    for size in _SIZES_PT:
        if height_mm(who, checks, tests, size) <= _SHEET_MM:
            break
    return size


def height_mm(who: Rows, checks: Rows, tests: Rows, size: float) -> float:
    """About how high the page is, rather too high: with the widest of the usual typefaces."""
    two_columns = _rows_mm(tests, _COLUMN_MM, size) / 2 + _line_mm(size) * 4  # the last row
    return _REST_MM + _rows_mm([*who, *checks], _WIDTH_MM, size) + two_columns


def _rows_mm(rows: Rows, width_mm: float, size: float) -> float:
    letter_mm = _LETTER_EM * size * _POINT_MM
    shares = (_NAME_SHARE, 1 - _NAME_SHARE)
    letters = [max(8, int((width_mm * share - 2) / letter_mm)) for share in shares]
    return sum(
        _line_mm(size) * max(len(textwrap.wrap(text, most)) or 1
                             for text, most in zip(row, letters, strict=True)) + 1.0
        for row in rows
    )


def _line_mm(size: float) -> float:
    return 1.25 * size * _POINT_MM


def _local(utc_s: int) -> str:
    from zoneinfo import ZoneInfo

    moment = datetime.datetime.fromtimestamp(utc_s, ZoneInfo("Europe/Copenhagen"))
    return moment.strftime("%Y-%m-%d %H:%M %Z")


def _table(rows: Rows) -> str:
    return "<table>" + "".join(
        f"<tr><td>{_e(name)}</td><td>{_e(value)}</td></tr>" for name, value in rows
    ) + "</table>"


def _e(text: object) -> str:
    return html.escape(str(text))
