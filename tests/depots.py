"""Depots for tests: simulated bare boxes whose clocks run three times as fast."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from host.demo.depot import Depot
from hw.sim.broker import mosquitto_path
from tests.conftest import NO_MOSQUITTO

SPEED = 3  # a busy machine must be able to serve what the self-test gives 400 ms for


def depot(folder, **chosen) -> Depot:
    """Not entered yet; skips the test where there is no mosquitto."""
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    return Depot(folder, **{"speed": SPEED, **chosen})


def forget_laptop(depot: Depot) -> None:
    """Another laptop: no journal, no certificate, no sealed key."""
    shutil.rmtree(depot.journal_folder, ignore_errors=True)


def order_file(depot: Depot, number: int, **changes) -> Path:
    """The order of a box as the partner writes it."""
    path = depot.folder / f"order{number}.toml"
    path.write_text(_toml(depot.order(number, **changes)))
    return path


def _toml(tables: dict) -> str:
    lines = [f"{key} = {json.dumps(value)}" for key, value in tables.items()
             if not isinstance(value, dict)]
    for name, table in tables.items():
        if isinstance(table, dict):
            lines.append(f"[{name}]")
            lines += [f"{key} = {json.dumps(value)}" for key, value in table.items()]
    return "\n".join(lines) + "\n"


def ledger_of(depot: Depot, number: int = 0) -> bytes:
    """The bytes of the ledger's partition in the flash."""
    from host import image

    part = image.partitions()["ledger"]
    flash = depot.worlds[number].box.flash_path.read_bytes()
    return flash[part.offset : part.offset + part.size]


def same_evidence(place, before):
    """Every byte that was written is there; behind it the box may have gone on."""
    after = ledger_of(place)
    for at in range(0, len(before), 4096):
        sector = before[at : at + 4096].rstrip(b"\xff")
        # NOR: what is written only loses bits where marks are set, never comes back
        assert all(new & old == new for new, old in zip(after[at:], sector, strict=False))
        assert after[at : at + 64] == before[at : at + 64] or not sector
