"""Golden field logs: what the rules decide of anonymised logs of boxes, for every lane to repeat.

`golden/logs.txt` has a line for each segment of each log in golden/: its first record, what is
decided in it and the state at its end, as the rules of this tree come to them. A log keeps the
lay-out of its snapshots, so it outlives changes of the state. `make golden LOG=field.zip` adds one:
golden_field.py [LOG]
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

from host.replay import cores
from host.replay.field_log import FieldLog, NoLog, read_log
from host.replay.spread import Task, cores_in, play_all

FOLDER = Path(__file__).with_name("golden")
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]*\.zip")  # a word, as logs.txt has them
BYTES_MAX = 1 << 20  # what a tree of sources has room for


def logs(folder: Path = FOLDER) -> list[Path]:
    return sorted(folder.glob("*.zip"))


def digests(path: Path) -> list[str]:
    """What the rules of this tree come to, whoever decided it then."""
    log = read_log(path)
    task = Task(cores.of_tree(), log.layouts, None, on=True, digests=True)
    played = play_all(log.trace, task, 1)
    lines = [f"{path.name} {one} {decided:08x} {state:08x}" for one, decided, state in
             played.digests]
    return [*lines, f"{path.name} {played.checked.events} events"]


def kept(path: Path, folder: Path = FOLDER) -> list[str]:
    stored = folder / "logs.txt"
    lines = stored.read_text().splitlines() if stored.exists() else []
    return [line for line in lines if line.startswith(path.name + " ")]


def add(source: Path, folder: Path = FOLDER) -> Path:
    """Raises NoLog, also for a log that is not for everybody's eyes."""
    if not NAME.fullmatch(source.name):
        raise NoLog(f"{source}: its name must be letters, digits, ., - and _, and end in .zip; "
                    "name the log otherwise")
    log = read_log(source)
    if not log.origin.anonymised:
        raise NoLog(f"{source}: names a box and its people; make another one of it with "
                    f"`wallbox log anonymise {source} -o shared.zip`")
    if source.stat().st_size > BYTES_MAX:
        raise NoLog(f"{source}: larger than {BYTES_MAX} bytes; take a part of it")
    unknown = [core for core in cores_in(log.trace) if core not in layouts(log)]
    if unknown or not cores_in(log.trace):
        raise NoLog(f"{source}: its snapshots cannot be read once the state changes; pull it with "
                    "the tree that the box's firmware was built of")
    target = folder / source.name
    if target.exists():
        raise NoLog(f"{target}: exists; name the log otherwise")
    shutil.copyfile(source, target)
    return target


def layouts(log: FieldLog) -> set[bytes]:
    return set(log.layouts)


def renew(folder: Path = FOLDER) -> None:
    """Writes logs.txt, and says what changed."""
    lines = []
    for path in logs(folder):
        was, made = kept(path, folder), digests(path)
        at = next((old for old, new in zip(was, made, strict=False) if old != new), "")
        words = f"decided otherwise from record {at.split()[1]} on" if at else "as it was"
        print(f"{path.name}: {words if was else 'new'}")
        lines += made
    (folder / "logs.txt").write_text("".join(line + "\n" for line in lines))


if __name__ == "__main__":
    try:
        for name in sys.argv[1:]:
            add(Path(name))
        renew()
    except NoLog as wrong:
        sys.exit(f"golden: {wrong}")
