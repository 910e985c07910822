"""Entries and sums as tables, JSON lines or CSV."""

from __future__ import annotations

import csv
import json
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict
from datetime import datetime, timezone

from rich.console import Console
from rich.table import Table
from wallbox.core import decisions, fields

from host.ledger.entries import Entry, Standing, Value
from host.ledger.sums import Gap, Session, Sums, Totals
from host.ledger.words import Words, kwh

_COLUMNS = ("box", "sequence", "utc", "quality", "boot", "uptime_ms", "kind")
_QUIET_KINDS = {"STATE", "WATERMARK"}  # the store's own
_LOUD_KINDS = {"GAP_BEGIN", "GAP_END", "FAULT"}


def utc_text(utc_s: int | None) -> str | None:
    """ISO 8601 with Z; None for a time that is not known."""
    if not utc_s:
        return None
    return datetime.fromtimestamp(utc_s, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def entry_json(entry: Entry) -> dict[str, object]:
    return {
        "box": entry.box,
        "sequence": entry.sequence,
        "utc": utc_text(entry.utc_s),
        "quality": entry.quality,
        "boot": entry.boot,
        "uptime_ms": entry.uptime_ms,
        "kind": entry.kind,
        "fields": entry.fields,
        **_bounds(entry),
    }


def _bounds(entry: Entry) -> dict[str, object]:
    """Of a time that the box did not know, if its neighbours tell any."""
    bounds = {
        "earliest_utc": utc_text(entry.earliest_utc_s),
        "latest_utc": utc_text(entry.latest_utc_s),
    }
    return {name: value for name, value in bounds.items() if value}


def print_json(lines: Iterable[dict[str, object]]) -> None:
    """One object a line, so that a reader can begin before the end."""
    for line in lines:
        print(json.dumps(line, ensure_ascii=False))


def print_entries_csv(entries: Iterable[Entry]) -> None:
    """One row a record; a column for every field that any kind has, empty where it has not."""
    names = list(
        dict.fromkeys(name for fact in decisions.facts().values() for name in fields.names(fact[1]))
    )
    rows = csv.writer(sys.stdout, lineterminator="\n")
    rows.writerow([*_COLUMNS, *names, "payload"])
    for entry in entries:
        head = entry_json(entry)
        cells = [head[name] if head[name] is not None else "" for name in _COLUMNS]
        cells += [_cell(entry.fields.get(name)) for name in (*names, "payload")]
        rows.writerow(cells)


def _cell(value: Value | None) -> Value:
    if isinstance(value, list):
        return " ".join(value)
    return "" if value is None else value


def entries_table(entries: Iterable[Entry], words: Words, with_box: bool) -> Table:
    table = _table(*(("box",) if with_box else ()), "record:", f"time ({words.zone_name})", "kind")
    table.add_column("")
    for entry in entries:
        style = "dim" if entry.kind in _QUIET_KINDS else "yellow"
        table.add_row(
            *((entry.box,) if with_box else ()),
            str(entry.sequence),
            words.moment(entry),
            entry.kind,
            words.fields(entry),
            style=style if entry.kind in _QUIET_KINDS | _LOUD_KINDS else None,
        )
    return table


def sums_json(sums: Sums) -> Iterator[dict[str, object]]:
    """Lines of sessions, gaps and totals, told apart by `what`; times as ISO 8601, bounds only
    where there are any."""
    for what, items in (("session", sums.sessions), ("gap", sums.gaps), ("totals", sums.totals)):
        for item in items:
            line = {"what": what, **_with_utc(asdict(item))}
            if isinstance(item, Totals):
                line["difference_wh"] = item.difference_wh
            yield {name: value for name, value in line.items() if value or not _is_bound(name)}


def _is_bound(name: str) -> bool:
    return name.endswith(("_earliest_utc", "_latest_utc"))


def _with_utc(line: dict[str, object]) -> dict[str, object]:
    found: dict[str, object] = {}
    for name, value in line.items():
        if name.endswith("_utc_s"):
            assert value is None or isinstance(value, int)
            found[name[:-2]] = utc_text(value)
        else:
            found[name] = value
    return found


def print_sessions_csv(sums: Iterable[Sums]) -> None:
    """One row a session."""
    rows = csv.writer(sys.stdout, lineterminator="\n")
    names = list(_with_utc(asdict(Session("", 0, 0, 0, "", 0))))
    rows.writerow(names)
    for one in sums:
        for session in one.sessions:
            line = _with_utc(asdict(session))
            rows.writerow(["" if line[name] is None else line[name] for name in names])


def print_sums(console: Console, sums: list[Sums], words: Words) -> None:
    """Sessions and gaps of all boxes; what there is none of gets no table."""
    sessions = [session for one in sums for session in one.sessions]
    gaps = [gap for one in sums for gap in one.gaps]
    if sessions:
        console.print(_sessions_table(sessions, words))
    if gaps:
        console.print(_gaps_table(gaps, words))


def _sessions_table(sessions: list[Session], words: Words) -> Table:
    zone = words.zone_name
    table = _table("box", "session:", f"begin ({zone})", f"end ({zone})", "kWh:", "reason")
    for one in sessions:
        ended = words.bounded(
            one.end_utc_s, one.end_quality, one.end_earliest_utc_s, one.end_latest_utc_s
        )
        doubt = "" if one.status in (None, "G") else f" (read: {one.status})"
        reason = (one.reason or "") + doubt
        begin = words.bounded(
            one.begin_utc_s, one.begin_quality, one.begin_earliest_utc_s, one.begin_latest_utc_s
        )
        ended = ended if one.reason else "running"
        table.add_row(one.box, str(one.session), begin, ended, kwh(one.energy_wh), reason)
    return table


def _gaps_table(gaps: list[Gap], words: Words) -> Table:
    zone = words.zone_name
    table = _table("box", f"gap from ({zone})", f"to ({zone})", "kWh:", "missing")
    for one in gaps:
        lasting = one.energy_wh is None
        begin = words.bounded(
            one.from_utc_s, one.from_quality, one.from_earliest_utc_s, one.from_latest_utc_s
        )
        ended = words.bounded(
            one.to_utc_s, one.to_quality, one.to_earliest_utc_s, one.to_latest_utc_s
        )
        table.add_row(
            one.box,
            begin,
            "lasts" if lasting else ended,
            kwh(one.energy_wh),
            " and ".join(one.cause),
            style="yellow",
        )
    return table


def print_totals(console: Console, totals: Iterable[Totals]) -> None:
    """The balance of each meter at each box."""
    for one in totals:
        table = _table("", "number:", "kWh:")
        table.title = f"{one.box}, meter {one.meter_id}"
        table.title_justify = "left"
        table.add_row("register from", "", kwh(one.first_register_wh))
        table.add_row("register to", "", kwh(one.last_register_wh))
        table.add_row("intervals", str(one.intervals), kwh(one.interval_wh))
        table.add_row("gaps", str(one.gaps), kwh(one.gap_wh))
        if one.rollovers:
            table.add_row("rollovers", str(one.rollovers), kwh(one.rollover_wh))
        style = "bold red" if one.difference_wh else "green"
        table.add_row("register - its parts", "", kwh(one.difference_wh), style=style)
        table.add_row("sessions", str(one.sessions), kwh(one.session_wh))
        console.print()
        console.print(table)


def print_standing(console: Console, standing: Standing) -> None:
    """What the records alone do not show: where the chain begins anew, what was refused."""
    for sequence, previous in standing.chain_starts:
        before = f"after record {previous}" if previous else "nothing before it"
        _line(console, f"{standing.box}: chain starts at record {sequence}, {before}")
    if standing.quarantined:
        refused = f"{standing.quarantined} not believed: wallbox ledger quarantine"
        _line(console, f"{standing.box}: {refused}")


def _line(console: Console, text: str) -> None:
    console.print(text, style="yellow", highlight=False, markup=False, soft_wrap=True)


def _table(*names: str) -> Table:
    """Columns by name; a colon at the end means figures, to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        if name.endswith(":"):
            table.add_column(name[:-1], justify="right", no_wrap=True)
        else:
            table.add_column(name, overflow="fold")
    return table
