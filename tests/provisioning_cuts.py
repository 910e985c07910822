"""Provisioning that is interrupted wherever it can be: it ends certified when it is repeated.

    python -m tests.provisioning_cuts --runs 200 --seed 1 --workers 2
"""

from __future__ import annotations

import argparse
import collections
import random
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from host.demo.depot import Depot
from host.provisioning import certificate, files
from host.provisioning.console_line import ConsoleLine
from host.provisioning.export import pull_ring
from host.provisioning.job import Job
from host.provisioning.outcome import Stopped, unreachable
from host.provisioning.returning import prove
from host.provisioning.run import provision
from hw.sim.programmer import Programmer
from tests.provisioning_cable import Cable

SORTS = ("cable", "power", "noise", "laptop", "flash")
BYTES = 14_000  # that pass the cable in a whole run, about
WRITES = 14  # of files on the laptop
SPEED = 3  # faster, and a loaded machine cannot keep up with the clocks
REPEATS_MAX = 3


class LaptopDied(BaseException):
    """The program ends at this instant."""


class TornProgrammer(Programmer):
    """The power goes when so many bytes were written."""

    torn_at: int | None = None

    def write(self, pieces, erase_all, progress):
        if self.torn_at is None:
            return super().write(pieces, erase_all, progress)
        left, self.torn_at = self.torn_at, None
        part = []
        for offset, data in pieces:
            part.append((offset, data[:left]))
            left = max(0, left - len(data))
        super().write(part, erase_all, progress)
        raise unreachable("the flash was torn", "the cable was pulled", "repeat")


@dataclass
class Told:
    """What one seed came to."""

    seed: int
    cuts: list[str] = field(default_factory=list)
    stops: list[str] = field(default_factory=list)
    repeats: int = 0
    failure: str = ""


_dying = threading.local()
_write_whole = files.write_whole


def _mortal_write(path, data, mode=0o600):
    """write_whole that kills its thread's laptop before or after one of its writes."""
    left = getattr(_dying, "left", None)
    if left is not None:
        _dying.left = left - 1
        if left == 0:
            if _dying.before:
                raise LaptopDied
            _write_whole(path, data, mode)
            raise LaptopDied
    _write_whole(path, data, mode)


def make_mortal() -> None:
    """Every module that writes files on the laptop can be interrupted at it."""
    for module in list(sys.modules.values()):
        if getattr(module, "write_whole", None) is _write_whole:
            module.write_whole = _mortal_write


def run_seed(depot: Depot, number: int, seed: int) -> Told:
    """One bare box, one to three interruptions, then undisturbed until it is certified."""
    draw = random.Random(seed)
    told = Told(seed)
    world = depot.worlds[number]
    programmer = TornProgrammer(world.box)
    cable = Cable(depot.folder / f"cable{number}", world.box.usb)
    try:
        for _ in range(draw.randint(1, 3)):
            cut = draw.choice(SORTS)
            _interrupt(cut, draw, depot, number, cable, programmer, told)
        while True:
            told.repeats += 1
            stopped = _attempt(_job(depot, number, cable, programmer), told)
            if not stopped:
                break
            if told.repeats == REPEATS_MAX:
                told.failure = f"not certified: {stopped}; {world.box.tail()}"
                return told
        cable.close()
        told.failure = check(depot, number)
    finally:
        cable.close()
    return told


def _job(depot: Depot, number: int, cable: Cable, programmer: Programmer) -> Job:
    job = depot.job(number, flasher=programmer)
    job.port = str(cable.port)
    return job


def _interrupt(cut, draw, depot, number, cable, programmer, told) -> None:
    world = depot.worlds[number]
    at = draw.randrange(BYTES)
    if cut == "cable":
        cable.at(at, lambda data: None)
    elif cut == "power":
        def power(data):
            world.box.power_cut()
            return None

        cable.at(at, power)
    elif cut == "noise":
        cable.at(at, lambda data: _noisy(draw, data))
    elif cut == "laptop":
        at = draw.randrange(WRITES)
        _dying.left, _dying.before = at, draw.random() < 0.5
    else:
        at = draw.randrange(len(depot.image.data))
        programmer.torn_at = at
    told.cuts.append(f"{cut}@{at}")
    try:
        _attempt(_job(depot, number, cable, programmer), told)
    except LaptopDied:
        told.stops.append("the laptop died")
    finally:
        _dying.left = None
        programmer.torn_at = None
    cable.calm()
    cable.pull()
    world.box.power_on()
    cable.plug()


def _noisy(draw: random.Random, data: bytes) -> bytes:
    at = draw.randrange(len(data))
    sort = draw.randrange(3)
    if sort == 0:
        return data[:at] + bytes((data[at] ^ 1 << draw.randrange(7),)) + data[at + 1 :]
    return data[:at] + data[at + 1 :] if sort == 1 else data[:at] + data[at:] * 2


def _attempt(job: Job, told: Told) -> str:
    """"" if it ended certified, else the reason that the partner was told."""
    try:
        provision(job)
    except Stopped as stopped:
        if not (stopped.what and stopped.why and stopped.action and stopped.code):
            raise AssertionError(f"no reason: {stopped!r}") from None
        told.stops.append(str(stopped))
        return str(stopped)
    return ""


def check(depot: Depot, number: int) -> str:
    """"" if box, laptop and operator agree: in service, locked, signed, chain whole."""
    serial = depot.serial(number)
    path = depot.journal_folder / f"{serial}.certificate.json"
    signed = certificate.read(path)
    certificate.verify(signed, depot.authority.file.read_bytes())
    key = depot.keys.load(serial)
    with ConsoleLine(depot.worlds[number].box.usb) as line:
        identity = line.ask("identity")
        if identity["lifecycle"] != "in service" or not identity["locked"]:
            return f"box: {identity}"
        line.login(key)
        ring = pull_ring(line, "ledger", lambda part: None)
    prove(ring, key, serial)
    return ""


def run(runs: int, seed: int, folder: Path, boxes: int) -> list[Told]:
    """`runs` seeds from `seed` on, `boxes` at once."""
    found: list[Told] = []
    numbers = iter(range(seed, seed + runs))
    lock = threading.Lock()

    def work(worker: int) -> None:
        while True:
            with lock:
                mine = next(numbers, None)
            if mine is None:
                return
            with tempfile.TemporaryDirectory(dir=folder) as name, Depot(
                Path(name), speed=SPEED
            ) as depot:
                try:
                    told = run_seed(depot, 0, mine)
                except Exception as error:
                    told = Told(mine, failure=f"{type(error).__name__}: {error}")
            with lock:
                found.append(told)
                if told.failure:
                    print(told, flush=True)

    make_mortal()
    workers = [threading.Thread(target=work, args=(number,)) for number in range(boxes)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--workers", type=int, default=2)
    chosen = parser.parse_args()
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        found = run(chosen.runs, chosen.seed, Path(folder), chosen.workers)
    sorts = collections.Counter(cut.split("@")[0] for told in found for cut in told.cuts)
    stops = sum(len(told.stops) for told in found)
    failed = [told.seed for told in found if told.failure]
    print(f"{len(found)} runs from seed {chosen.seed}: {sum(map(len, (t.cuts for t in found)))} "
          f"interruptions ({dict(sorts)}), {stops} stopped with a reason, "
          f"{sum(t.repeats == 1 for t in found)} certified at the first repetition, "
          f"failed {failed}; {time.monotonic() - began:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
