"""What a simulated collector stored, proved by the operator's own verifier."""

from __future__ import annotations

import tempfile
from pathlib import Path

from sqlalchemy.dialects.sqlite import insert

from host.collect.database import Database, boxes, records
from host.ledger.verify.sources import read_database
from host.ledger.verify.verifier import verify
from host.records import Record, split
from host.years.job import Job, Result, play
from host.years.on_box.chance import Chance


def key_of(seed: int) -> bytes:
    """The ledger's key of a site, as host/years/on_box/site.py draws it."""
    return Chance(seed, "key").below(1 << 40).to_bytes(8, "little") * 4


def prove(result: Result) -> None:
    """What the collector stored, by the operator's own verifier; it may be wrong, too."""
    if result.wrong:
        return
    settings = result.job.plan()[0]
    found = findings(str(settings["serial"]), key_of(int(settings["seed"])), result.records)
    result.records = []
    if found:
        result.told["wrong"] = ["verifier", "; ".join(found[:5])]


def play_proved(job: Job) -> Result:
    """A job with records, played and then proved. Raises as `play` does."""
    result = play(job)
    prove(result)
    return result


def findings(serial: str, key: bytes, stored: list[bytes]) -> list[str]:
    """What `wallbox ledger verify` finds wrong with these records, one line each."""
    if not stored:
        return []
    with tempfile.TemporaryDirectory(prefix="wallbox-proof-") as directory:
        path = Path(directory) / "collector.db"
        _fill(path, serial, stored)
        found = []
        for contents, broken in read_database(str(path), serial, lambda *_step: None):
            report = verify(contents, key, lambda *_step: None)
            found += [f"{one.code}: {one.text}" for one in (*broken, *report.findings)]
            if report.proved != len(stored):
                found.append(f"{report.proved} of {len(stored)} records are proved")
    return found


def _fill(path: Path, serial: str, stored: list[bytes]) -> None:
    rows = []
    record: Record | None = None
    for data in stored:
        (one,) = split(data)
        assert isinstance(one, Record)
        record = one
        rows.append(
            {
                "box": serial, "sequence": one.sequence, "kind": one.kind, "quality": one.quality,
                "boot": one.boot, "uptime_ms": one.uptime_ms, "utc_s": one.utc_s, "data": data,
                "received_at": 0,
            }
        )  # fmt: skip
    assert record is not None
    database = Database(path, create=True)
    try:
        with database.writing() as connection:
            connection.execute(
                insert(boxes).values(
                    serial=serial, last_sequence=record.sequence, last_mac=record.mac
                )
            )
            connection.execute(insert(records), rows)
    finally:
        database.close()
