"""A field log: one file with what a box recorded, as it lay in flash.

A ZIP with `log.json` (who, when, whence), `trace.bin` and, if it was asked for, `ledger.bin`: whole
records (docs/SPEC.md) one after the other, oldest first. Same contents, same bytes.
"""

from __future__ import annotations

import io
import json
import zipfile
import zlib
from binascii import crc32
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wallbox.core import fields
from wallbox.store.record import BATCH, LENGTH_MAX, PAYLOAD_AT, TAIL

from host.console import printable
from host.keys import valid_serial
from host.ledger.verify.ring_image import NoLedger, read_image
from host.provisioning.files import write_whole

FORMAT = 1
MEMBER_BYTES_MAX = 256 << 20
LAYOUT_CHARS_MAX = 0xFFFF  # what a frame for another lane holds
SECTOR = 4096
RING_BYTES_MAX = 4 << 20
_INFO, _TRACE, _LEDGER = "log.json", "trace.bin", "ledger.bin"
_ZIP = b"PK\3\4"
_MADE = (1980, 1, 1, 0, 0, 0)  # the time of every member, so that equal logs are equal files


class NoLog(Exception):
    """The file is no field log; says what it is, and what to do."""


@dataclass(frozen=True)
class Origin:
    """Where a log comes from. `pulled_at` is ISO 8601 UTC, "" where nobody noted it."""

    serial: str = ""
    source: str = ""
    pulled_at: str = ""
    firmware: str = ""
    anonymised: bool = False


@dataclass
class FieldLog:
    """Whole records, oldest first; holes in their sequence are what the box lost or overwrote.

    layouts: the fields of the state in snapshots, by the hash of the core that wrote them, as far
    as whoever made the log knew them. With it, other rules can take the snapshots over.
    """

    origin: Origin = Origin()
    trace: list[bytes] = field(default_factory=list)
    ledger: list[bytes] = field(default_factory=list)
    layouts: dict[bytes, str] = field(default_factory=dict)


def read_log(path: Path) -> FieldLog:
    """A log, or the image of a trace's or ledger's partition as `console trace` saves it.

    Raises NoLog.
    """
    try:
        if zipfile.is_zipfile(path):
            return _read_zip(path)
        if path.stat().st_size > RING_BYTES_MAX:
            raise NoLog(f"{path}: neither a log nor the image of a ring; pull the log anew")
        data = path.read_bytes()
        if data[:4] == _ZIP:
            raise NoLog(f"{path}: a ZIP that is cut short; copy or pull the log anew")
        return from_ring(data, Origin(source=str(path)))
    except OSError as error:
        raise NoLog(
            f"{path}: cannot be read: {error.strerror or error}; name another file"
        ) from None
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError) as error:
        # RuntimeError: encrypted, or packed in a way that Python does not know
        raise NoLog(f"{path}: cannot be read: {error}; pull the log anew") from None


def from_ring(image: bytes, origin: Origin) -> FieldLog:
    """The log of a ring's sectors: its trace, or its ledger. Raises NoLog."""
    if not image or len(image) % SECTOR:
        raise NoLog(
            f"{origin.source}: neither a log nor a ring ({len(image)} bytes are no sectors of "
            f"{SECTOR}); pull the log anew"
        )
    try:
        contents = read_image(image, lambda what, done, total: None, longest=LENGTH_MAX)
    except NoLedger as error:
        raise NoLog(f"{origin.source}: no ring: {error}; name another file") from None
    records = [stored.data for stored in contents.stored if not stored.flips]
    if records and records[0][1] & 0x3F == BATCH:
        return FieldLog(origin, trace=records)
    return FieldLog(origin, ledger=records)


def write_log(path: Path, log: FieldLog) -> None:
    """Writes the whole file or leaves what was there."""
    whole = io.BytesIO()
    with zipfile.ZipFile(whole, "w", zipfile.ZIP_DEFLATED) as file:
        layouts = {core.hex(): text for core, text in log.layouts.items()}
        records = [len(log.trace), len(log.ledger)]
        info = {"format": FORMAT, **asdict(log.origin), "records": records, "layouts": layouts}
        members = {_INFO: json.dumps(info, indent=1).encode(), _TRACE: b"".join(log.trace)}
        if log.ledger:
            members[_LEDGER] = b"".join(log.ledger)
        for name, data in members.items():
            file.writestr(zipfile.ZipInfo(name, _MADE), data, zipfile.ZIP_DEFLATED, 6)
    write_whole(path, whole.getvalue(), 0o600)


def join(older: FieldLog, newer: FieldLog) -> FieldLog:
    """Two pulls of one box as one log, whichever is longer; what both have is there once.

    Raises NoLog if they are of different boxes, or of rings that were begun at different times.
    """
    if older.origin.serial != newer.origin.serial:
        raise NoLog(
            f"the logs are of {older.origin.serial or 'nobody'} and "
            f"{newer.origin.serial or 'nobody'}; join logs of one box"
        )
    return FieldLog(
        newer.origin,
        _joined("trace", older.trace, newer.trace),
        _joined("ledger", older.ledger, newer.ledger),
        older.layouts | newer.layouts,
    )


def _joined(what: str, older: list[bytes], newer: list[bytes]) -> list[bytes]:
    found = {_sequence(record): record for record in older}
    for record in newer:
        sequence = _sequence(record)
        if found.setdefault(sequence, record) != record:
            raise NoLog(
                f"record {sequence} of the {what} is another one in each: the box has begun it "
                "anew; write the new log into a file of its own"
            )
    return [found[sequence] for sequence in sorted(found)]


def _sequence(record: bytes) -> int:
    return int.from_bytes(record[2:6], "little")


def _read_zip(path: Path) -> FieldLog:
    with zipfile.ZipFile(path) as file:
        names = file.namelist()
        if _INFO not in names or _TRACE not in names:
            raise NoLog(f"{path}: a ZIP without {_INFO} and {_TRACE}; pull the log anew")
        for member in file.infolist():
            if member.file_size > MEMBER_BYTES_MAX:
                raise NoLog(f"{path}: {member.filename} is larger than any log; pull it anew")
        origin, layouts, records = _origin(path, file.read(_INFO))
        trace = _records(path, _TRACE, file.read(_TRACE))
        ledger = _records(path, _LEDGER, file.read(_LEDGER)) if _LEDGER in names else []
    if records not in (None, [len(trace), len(ledger)]):  # a ZIP's directory has no check
        raise NoLog(f"{path}: not all is there that {_INFO} tells of; pull the log anew")
    return FieldLog(origin, trace, ledger, layouts)


def _origin(path: Path, data: bytes) -> tuple[Origin, dict[bytes, str], object]:
    """Besides: the layouts, and how many records trace and ledger have, if it tells."""
    try:
        info: dict[str, Any] = json.loads(data)
        version = info.pop("format")
        if version != FORMAT:
            raise NoLog(f"{path}: a log of format {version}; update this tool")
        records = info.pop("records", None)  # older tools did not write it
        layouts = {bytes.fromhex(core): text for core, text in info.pop("layouts").items()}
        for layout in layouts.values():
            fields.layout(layout)
            if len(layout) > LAYOUT_CHARS_MAX:
                raise ValueError
        if any(type(value) is not type(getattr(Origin(), name)) for name, value in info.items()):
            raise TypeError
        if info.get("serial") and not valid_serial(info["serial"]):
            raise ValueError
        shown = {name: printable(value) for name, value in info.items() if isinstance(value, str)}
        return Origin(**{**info, **shown}), layouts, records
    except (ValueError, TypeError, LookupError, AttributeError):
        raise NoLog(f"{path}: {_INFO} is damaged; pull the log anew") from None


def _records(path: Path, name: str, data: bytes) -> list[bytes]:
    """Whole records; a year of a box has half a million of them, so without a call for each."""
    found: list[bytes] = []
    at, end, last = 0, len(data), -1
    from_bytes = int.from_bytes
    while at < end:
        record = data[at : at + data[at]]
        check = len(record) - TAIL
        if len(record) != data[at] or check < PAYLOAD_AT:
            break
        crc = crc32(record[:check])
        if (crc ^ crc >> 16) & 0xFFFF != record[check] | record[check + 1] << 8:
            break
        sequence = from_bytes(record[2:6], "little")
        if sequence <= last:
            raise NoLog(f"{path}: {name} has record {sequence} behind {last}; pull the log anew")
        last = sequence
        found.append(record)
        at += len(record)
    if at < end:
        raise NoLog(f"{path}: {name} is damaged at byte {at}; pull the log anew")
    return found
