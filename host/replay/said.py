"""Entries and decisions in words, with the names that the rules give their fields."""

from __future__ import annotations

import time
from types import ModuleType
from typing import Any

from host.replay.field_log import FieldLog
from host.replay.segments import Entry

Decision = tuple[Any, ...]
_LEVELS = ("CONTACTOR", "PILOT_DUTY", "LAMP", "METER_WANTED", "METER_ACCEPTED", "SEALS_RESET")


def contents(log: FieldLog) -> str:
    """How much a log holds, and of whom."""
    rings = (("trace", log.trace), ("ledger", log.ledger))
    held = [f"{len(records):,} records of the {name}" for name, records in rings if records]
    return f"{' and '.join(held) or 'no records'} of {log.origin.serial or 'a box'}"


def event(core: ModuleType, packed: bytes) -> dict[str, Any]:
    """{"event": name, field: value ...}; one that these rules do not know has its bytes."""
    rows = core.fields.table(core.events.KINDS)
    values = [0] * core.events.MAX_FIELDS
    try:
        core.events.unpack_into(values, packed, 0, len(packed))
    except ValueError:
        return {"event": f"unknown {packed[0]}", "bytes": packed.hex()}
    name, specification = rows[packed[0]]
    names = core.fields.names(specification)
    return {"event": name} | {one: shown(values[1 + at]) for at, one in enumerate(names)}


def decision(core: ModuleType, taken: Decision) -> dict[str, Any]:
    """{"decision": name, field: value ...}."""
    kind = taken[0]
    if kind >= core.decisions.LEVELS:
        known = {getattr(core.decisions, name, -1): name for name in _LEVELS}
        return {"decision": known.get(kind, f"level {kind}"), "value": taken[1]}
    name, specification = core.decisions.facts()[kind]
    names = core.fields.names(specification)
    values = zip(names, taken[1:], strict=False)
    return {"decision": name} | {one: shown(value) for one, value in values}


def line(told: dict[str, Any]) -> str:
    """One of the above as a line of text."""
    (_, name), *rest = told.items()
    return " ".join([str(name), *(f"{field}={value}" for field, value in rest)])


def short(told: dict[str, Any]) -> str:
    """An event as a line of text; of a reading, what counts."""
    if told["event"] != "METER_READING":
        return line(told)
    return line({name: told[name] for name in ("event", "register_wh", "power_w")})


def moment(entry: Entry) -> dict[str, Any]:
    """When an entry was; `utc` is "" while the box did not know."""
    return {"boot": entry.boot, "now_ms": entry.now, "utc": utc(entry.utc_s, entry.now)}


def when(entry: Entry) -> str:
    known = utc(entry.utc_s, entry.now)
    return f"{known} ({entry.boot}:{entry.now})" if known else f"boot {entry.boot}:{entry.now}"


def utc(utc_s: int, _now: int = 0) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(utc_s)) if utc_s else ""


def shown(value: Any) -> Any:
    """Bytes as text if they are, else as hex."""
    if not isinstance(value, (bytes, bytearray)):
        return value
    data = bytes(value)
    return data.decode() if data and data.isascii() and data.decode().isprintable() else data.hex()
