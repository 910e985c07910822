"""Parts of a bench for its tests: a file of it, and a box's socket where nobody is."""

from __future__ import annotations

import os
import pty
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hw.bench.config import BenchConfig, read_bench

COILS = {"mains": 0, "pilot_b": 1, "pilot_c": 2, "diode_bridge": 3, "seal_lid": 4, "tag": 5}


def bench_file(folder: Path, relays: str, more: str = "", coils: dict[str, int] = COILS) -> Path:
    """A bench of relays alone, and what `more` adds."""
    path = folder / "bench.toml"
    numbers = "\n".join(f"{name} = {number}" for name, number in coils.items())
    path.write_text(
        f'[box]\nserial = "WB-000001"\n[relays]\nport = "{relays}"\n[relays.coils]\n{numbers}\n'
        f"[relays.inputs]\ncontactor = 0\n{more}"
    )
    return path


def bench_config(folder: Path, relays: str, more: str = "") -> BenchConfig:
    return read_bench(bench_file(folder, relays, more))


@contextmanager
def silent_port() -> Iterator[str]:
    """A serial port with nobody at its other end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    try:
        yield os.ttyname(slave)
    finally:
        os.close(master)
        os.close(slave)
