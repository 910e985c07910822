"""From a failing box to the few happenings that it takes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from host.years.job import BoxDied, Plan, Result, play
from host.years.proof import play_proved

_RUNS_MOST = 400
_AFTER_MS = 1000
_BEFORE_MS = 3_600_000


class Shrinker:
    """Tries smaller plans as long as the same invariant breaks; `seconds` is what it may take."""

    def __init__(
        self, result: Result, seconds: float, told: Callable[[str], None] = lambda text: None
    ) -> None:
        assert result.wrong
        self._job = result.job
        self._best = result
        self._invariant = result.wrong[0]
        self._play = play_proved if self._invariant == "verifier" else play
        self._until = time.monotonic() + seconds
        self._told = told
        self.runs = 0
        self.stopped = False

    def shrink(self) -> Result:
        """The smallest that was found, with a plan of its own. Ctrl-C ends it: `stopped`."""
        try:
            self._search()
        except KeyboardInterrupt:
            self.stopped = True
        return self._best

    def _search(self) -> None:
        self._cut_end()
        settings, entries = self._plan()
        for kind in sorted({str(entry[1]) for entry in entries}):
            self._try([entry for entry in self._plan()[1] if entry[1] != kind])
        self._halve()
        self._cut_beginning()

    def _plan(self) -> Plan:
        return self._best.job.plan()

    def _cut_end(self) -> None:
        """Nothing that came later can matter, and the run may end there."""
        at_ms = int(self._best.told["at_ms"])
        entries = [entry for entry in self._plan()[1] if entry[0] <= at_ms]
        self._try(entries, min(self._job.span_ms, at_ms + _AFTER_MS))

    def _halve(self) -> None:
        """Leaves out ever smaller parts."""
        entries = self._plan()[1]
        size = max(1, len(entries) // 2)
        while True:
            at = 0
            while at < len(self._plan()[1]) and self._may_go_on():
                entries = self._plan()[1]
                if not self._try(entries[:at] + entries[at + size :]):
                    at += size
            if size == 1 or not self._may_go_on():
                return
            size = max(1, size // 2)

    def _cut_beginning(self) -> None:
        """Time in which nothing happens is left out."""
        settings, entries = self._plan()
        if not entries:
            return
        early_ms = entries[0][0] - _BEFORE_MS
        if early_ms > 0:
            earlier = [[entry[0] - early_ms, *entry[1:]] for entry in entries]
            self._try(earlier, self._best.job.span_ms - early_ms)

    def _may_go_on(self) -> bool:
        return self.runs < _RUNS_MOST and time.monotonic() < self._until

    def _try(self, entries: list[list[Any]], span_ms: int = 0) -> bool:
        settings, before = self._plan()
        if not self._may_go_on() or (entries == before and not span_ms):
            return False
        self.runs += 1
        job = replace(
            self._job, made=(settings, entries), span_ms=span_ms or self._best.job.span_ms
        )
        try:
            result = self._play(job)
        except BoxDied:
            return False
        if result.wrong is None or result.wrong[0] != self._invariant:
            return False
        self._best = result
        self._told(f"{len(entries)} happenings still do it")
        return True
