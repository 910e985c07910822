"""What a check of a ledger came to, as lines for people or as JSON."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict

from rich.console import Console

from host.ledger.render import utc_text
from host.ledger.sums import Totals
from host.ledger.verify.findings import Finding, counted
from host.ledger.verify.verifier import Report
from host.ledger.words import Words, kwh

_LINES_MAX = 100  # findings, and notes, printed of a box; JSON has all of them


def report_json(report: Report) -> dict[str, object]:
    """One object a box; energies are integer Wh, times ISO 8601, null = unknown."""
    return {
        "box": report.box or None,
        "source": report.source,
        "whole": report.whole,
        "records": report.records,
        "first_sequence": report.first_sequence,
        "last_sequence": report.last_sequence,
        "first_utc": utc_text(report.first_utc_s),
        "last_utc": utc_text(report.last_utc_s),
        "boots": report.boots,
        "chain": report.chain,
        "proved": report.proved,
        "unproved": _ranges(report.unproved),
        "meters": [_meter_json(one) for one in report.totals],
        "findings": [asdict(one) for one in report.findings],
        "notes": [asdict(one) for one in report.notes],
    }


def _meter_json(one: Totals) -> dict[str, object]:
    found = asdict(one)
    del found["box"]
    return {**found, "difference_wh": one.difference_wh}


def print_report(console: Console, report: Report) -> None:
    """Summary first, then what is wrong, then what is worth knowing, then the verdict."""
    words = Words()
    box = report.box or "ledger"
    span = f"{words.time(report.first_utc_s)} to {words.time(report.last_utc_s)} UTC"
    if not report.first_utc_s:
        span = "time unknown"
    boots = counted(report.boots, "boot")
    numbers = f", {report.first_sequence} to {report.last_sequence}" if report.records else ""
    _line(console, f"{box}: {counted(report.records, 'record')}{numbers}, {span}, {boots}", "bold")
    _line(console, f"chain: {_chain(report)}", "green" if report.chain == "proved" else "yellow")
    for one in report.totals:
        _line(console, _meter(one), "red" if one.difference_wh else None)
    _list(console, report.findings, "bold red")
    _list(console, report.notes, "dim", "note: ")
    if report.findings:
        count = counted(len(report.findings), "finding")
        _line(console, f"{box}: NOT whole, {count}", "bold red")
    elif report.chain == "not proved":
        _line(console, f"{box}: nothing wrong found, but not proved", "yellow")
    else:
        _line(console, f"{box}: whole", "bold green")


def _chain(report: Report) -> str:
    if report.chain == "proved":
        return f"proved, all {report.proved} records are as the box has signed them, in its order"
    if report.chain == "not proved":
        return "NOT proved; only checks, numbers and sums were looked at"
    ranges = ", ".join(
        str(first) if first == last else f"{first} to {last}"
        for first, last in _ranges(report.unproved)[:10]
    )
    return f"proved for {report.proved} of {report.records} records, not for {ranges}"


def _meter(one: Totals) -> str:
    parts = f"{counted(one.intervals, 'interval')}, {counted(one.gaps, 'gap')}"
    if one.rollovers:
        parts += f", {counted(one.rollovers, 'rollover')}"
    verdict = "they add up"
    if one.difference_wh:
        verdict = f"{kwh(one.difference_wh)} kWh are in none of them"
    return (
        f"meter {one.meter_id}: {kwh(one.first_register_wh)} to {kwh(one.last_register_wh)} kWh, "
        f"{parts}: {verdict}; {counted(one.sessions, 'session')} of {kwh(one.session_wh)} kWh"
    )


def _list(console: Console, findings: Sequence[Finding], style: str, prefix: str = "") -> None:
    for one in findings[:_LINES_MAX]:
        _line(console, f"  {prefix}{one.code}: {one.text}", style)
    if len(findings) > _LINES_MAX:
        _line(console, f"  {prefix}and {len(findings) - _LINES_MAX} more (--json)", style)


def _ranges(numbers: Sequence[int]) -> list[tuple[int, int]]:
    found: list[tuple[int, int]] = []
    for number in numbers:
        if found and found[-1][1] == number - 1:
            found[-1] = (found[-1][0], number)
        else:
            found.append((number, number))
    return found


def _line(console: Console, text: str, style: str | None = None) -> None:
    console.print(text, style=style, highlight=False, markup=False, soft_wrap=True)
