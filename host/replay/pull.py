"""Where a trace comes from: a box's console, the broker, or a file with its flash."""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

from host.image import partitions
from host.ledger.verify.sources import partition_of
from host.replay.cores import of_tree
from host.replay.field_log import FieldLog, NoLog, Origin, from_ring, read_log

FLASH_BYTES_MAX = 32 << 20


def from_file(path: Path, ledger: bool) -> FieldLog:
    """The image of a whole flash, of a partition, or a log; `ledger`: with what it has of it.

    Raises NoLog, also if the ledger is wanted and not there.
    """
    try:
        size = path.stat().st_size
        image = path.read_bytes() if size <= FLASH_BYTES_MAX else b""
    except OSError as error:
        raise NoLog(f"{path}: cannot be read: {error.strerror}; name another file") from None
    parts = {name: partition_of(image, name) for name in ("trace", "ledger")}
    if parts["trace"] is None:
        log = _of_trace(read_log(path), str(path))
    else:
        rings = {name: image[at : at + length] for name, found in parts.items() if found
                 for at, length in [found]}
        origin = Origin(_serial(image), str(path))
        log = from_rings(origin, rings["trace"], rings.get("ledger", b"") if ledger else b"")
    if not ledger:
        log.ledger = []
    elif not log.ledger:
        raise NoLog(f"{path}: holds no ledger; name the image of the flash, or leave --ledger out")
    return log


def from_rings(origin: Origin, trace: bytes, ledger: bytes = b"") -> FieldLog:
    """A log of sectors as they lie in flash; an erased ledger is none. Raises NoLog."""
    log = _of_trace(from_ring(trace, origin), origin.source)
    if ledger.strip(b"\xff"):
        log.ledger = from_ring(ledger, origin).ledger
    return known(log)


def _of_trace(log: FieldLog, source: str) -> FieldLog:
    if log.ledger and not log.trace:
        raise NoLog(f"{source}: this is the ledger, not the trace; name the trace")
    return log


def known(log: FieldLog) -> FieldLog:
    """With the lay-out of the state for later, if this tree knows it."""
    from host.replay.spread import cores_in

    core = of_tree()
    if core.hash in cores_in(log.trace):
        log.layouts[core.hash] = core.layout
    return log


def named(log: FieldLog, serial: str, source: str) -> FieldLog:
    """With who it is from and when it was pulled."""
    pulled = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    origin = replace(log.origin, serial=serial or log.origin.serial, source=source)
    log.origin = replace(origin, pulled_at=pulled)
    return log


def _serial(image: bytes) -> str:
    """Of a simulated flash, whose NVS is readable; "" if it is not."""
    part = partitions()["nvs"]
    nvs = image[part.offset : part.offset + part.size]
    mark = b"wallbox\0serial\0\1"
    at = nvs.find(mark) if nvs[:4] == b"NVS1" else -1
    if at < 0:
        return ""
    begin = at + len(mark) + 2
    length = int.from_bytes(nvs[begin - 2 : begin], "little")
    return nvs[begin : begin + length].decode("ascii", "replace")
