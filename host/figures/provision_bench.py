"""How long provisioning takes, from a bare chip to a certificate, without people and flash time."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from host.figures.figure import Figure

MANY = 10
ONE_S_MAX = 10.0
MANY_S_MAX = 25.0


def provision() -> list[Figure]:
    """One simulated box, and ten at once, at the pace of this machine's clock."""
    one_s, waited_s, failed = _measure(1)
    many_s, _, many_failed = _measure(MANY)
    note = "the lamp's colours, which a person looks at, are taken out"
    return [
        Figure("bare to certified", round(one_s - waited_s, 2), "s",
               f"{waited_s:.1f} s more with them: {note}", most=ONE_S_MAX),
        Figure(f"{MANY} boxes at once", round(many_s, 2), "s", "with the lamp's colours",
               most=MANY_S_MAX),
        Figure("not certified", len(failed + many_failed), "boxes", "; ".join(failed + many_failed),
               most=0),
    ]


class _Watch:
    """A screen that measures how long the box waits for a person to look."""

    def __init__(self) -> None:
        self.waited_s = 0.0
        self._since = 0.0

    def line(self, name: str, result: str, measured: str, do: str) -> None:
        if result == "wait":
            self._since = time.monotonic()
        elif self._since:
            self.waited_s += time.monotonic() - self._since
            self._since = 0.0

    def __getattr__(self, name: str):  # type: ignore[no-untyped-def]
        return lambda *arguments: None


def _measure(boxes: int) -> tuple[float, float, list[str]]:
    """Seconds without flashing, seconds waited for people, why boxes failed."""
    from host.demo.depot import Depot
    from host.provisioning.esptool_program import Progress
    from host.provisioning.shelf import provision_all
    from hw.sim.programmer import Programmer

    class Timed(Programmer):
        spent_s = 0.0

        def write(
            self, pieces: Sequence[tuple[int, bytes]], erase_all: bool, progress: Progress
        ) -> None:
            began = time.monotonic()
            super().write(pieces, erase_all, progress)
            self.spent_s += time.monotonic() - began

    with tempfile.TemporaryDirectory() as folder, Depot(Path(folder), boxes=boxes) as depot:
        watch = _Watch()
        flashers = [Timed(world.box) for world in depot.worlds]
        jobs = [
            depot.job(number, watch if boxes == 1 else None, flashers[number])
            for number in range(boxes)
        ]
        began = time.monotonic()
        results = provision_all(jobs, "certify")
        spent_s = time.monotonic() - began
        flash_s = flashers[0].spent_s if boxes == 1 else 0.0
    return spent_s - flash_s, watch.waited_s, [one.text for one in results if one.code]
