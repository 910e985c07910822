"""How long `wallbox ledger verify` takes, as a user runs it, on ledgers as large as they get."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from wallbox.core import decisions
from wallbox.store import LedgerFull
from wallbox.store.ledger import Ledger

from host.collect.database import Database
from host.collect.keeper import Keeper, Message
from host.figures.figure import REPEATS, ROOT, Figure, median_of
from host.keys import KeyStore

SERIAL = "BENCH-1"
_SECTORS = 128
_YEAR = 36_500  # records: 100 a day
_METER = 4711
_UTC_S = 1_767_225_600
_MESSAGE_BYTES = 1024
_ELAPSED_S = 2


def verify() -> list[Figure]:
    """A full partition, and a year of one box in the collector's database; start-up included."""
    with tempfile.TemporaryDirectory() as name:
        directory = Path(name)
        (directory / "keys").mkdir(mode=0o700)
        keys = KeyStore(directory / "keys")
        key = keys.create(SERIAL)
        image, records = full_ledger(key)
        (directory / "ledger.bin").write_bytes(image)
        stored = _fill_database(directory / "year.db", keys, key)
        return [
            *_measured(directory, "ledger.bin", "verify of a full ledger of 512 KB", records),
            *_measured(directory, "year.db", "verify of a database, a year of a box", stored),
        ]


class _Box:
    """A box that writes nothing but intervals."""

    def __init__(self, key: bytes) -> None:
        from hw.sim.flash import NorFlash, Partition

        self.flash = NorFlash(size=_SECTORS * 4096)
        self.ring = Ledger(Partition(self.flash, 0, self.flash.size), key)
        self.ring.mount()
        self._payload = bytearray(64)
        self._written = 0
        self._append(decisions.METER, 0, _METER, b"||4711")

    def interval(self) -> None:
        self._written += 1
        end_s = _UTC_S + self._written * 900
        self._append(decisions.INTERVAL, self._written * 250, _METER, 250, end_s, 3, 900, 0)

    def _append(self, kind: int, *values: int | bytes) -> None:
        length = decisions.pack_into(self._payload, 0, (kind, *values))
        uptime_ms, utc_s = self._written * 900_000, _UTC_S + self._written * 900
        self.ring.append(kind, 3, 1, uptime_ms, utc_s, self._payload, length)


def full_ledger(key: bytes) -> tuple[bytes, int]:
    """The image of a 512 KB partition that is full to the brim, and how many records it holds."""
    box = _Box(key)
    try:
        while True:
            box.interval()
    except LedgerFull:
        return box.flash.image(), box.ring.next_sequence - 1


def _fill_database(path: Path, keys: KeyStore, key: bytes) -> int:
    """What a collector takes from a box in a year; returns the number of records."""
    box = _Box(key)
    ring = box.ring
    buffer = bytearray(_MESSAGE_BYTES)
    messages = []
    stored = 0
    while stored < _YEAR:
        box.interval()
        length, _, stored = ring.read_into(stored + 1, buffer)
        messages.append(Message(f"wallbox/{SERIAL}/ledger", bytes(buffer[:length])))
        ring.acknowledge(stored)
    database = Database(path, create=True)
    Keeper(database, keys).keep(messages)
    database.close()
    return stored


def _measured(directory: Path, source: str, name: str, records: int) -> list[Figure]:
    command = [sys.executable, "-m", "host.cli", "ledger", "verify", str(directory / source)]
    command += ["--keys", str(directory / "keys"), "--json"]
    runs, elapsed = [], []
    for _ in range(REPEATS):
        begin, begin_cpu = time.perf_counter(), _cpu_s()
        done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
        runs.append(_cpu_s() - begin_cpu)
        elapsed.append(time.perf_counter() - begin)
        if done.returncode:
            raise RuntimeError(f"verify: {done.stdout}{done.stderr}")
        if json.loads(done.stdout)["proved"] != records:
            raise RuntimeError("verify: not every record was proved")
    used, raw_used = median_of(runs)
    waited, raw_waited = median_of(elapsed)
    note = f"; {records} records, start of the command included"
    return [
        Figure(name + ", elapsed", waited, "s", raw_waited + note, most=_ELAPSED_S),
        Figure(name + ", CPU", used, "s", raw_used),
    ]


def _cpu_s() -> float:
    """Of all processes that this one has started and that have ended."""
    used = os.times()
    return used.children_user + used.children_system
