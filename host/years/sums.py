"""What all boxes came to: the figures that `wallbox sim` prints."""

from __future__ import annotations

import time
from typing import Any

from host.console import out
from host.years.job import Result

_NUMBERS = (
    "steps", "facts", "sessions", "kwh_checked", "drawn_wh", "stored", "repeated", "holes",
    "messages", "packed", "dropped", "orders", "halts", "flash_cuts", "flash_operations",
)  # fmt: skip


class Sums:
    """What all boxes came to."""

    def __init__(self) -> None:
        self.began = time.monotonic()
        self.years = 0.0
        self.years_before = 0.0  # that an earlier run of the same command has played
        self.boxes = 0
        self.seconds = 0.0
        self.numbers: dict[str, int] = {}
        self.faults: dict[str, int] = {}
        self.written: dict[str, int] = {}
        self.refused: set[str] = set()
        self.failures: list[dict[str, Any]] = []

    def add(self, result: Result) -> None:
        told = result.told
        self.boxes += 1
        self.years += result.years
        self.seconds += result.seconds
        for name in _NUMBERS:
            self.numbers[name] = self.numbers.get(name, 0) + int(told[name])
        for name, count in told["counts"].items():
            self.faults[name] = self.faults.get(name, 0) + int(count)
        for name, count in told["written"].items():
            self.written[name] = self.written.get(name, 0) + int(count)
        self.refused |= set(told["refused"])
        pubacks = ("connections", "publishes", "PUBACKs lost", "PUBACKs repeated", "PUBACKs late")
        for name, count in zip(pubacks, told["broker"], strict=True):
            self.faults[name] = self.faults.get(name, 0) + int(count)

    @property
    def rate(self) -> float:
        """Box-years an hour."""
        elapsed = time.monotonic() - self.began
        return (self.years - self.years_before) * 3600 / elapsed if elapsed else 0.0

    def told(self) -> dict[str, Any]:
        return {
            "boxes": self.boxes,
            "box_years": round(self.years, 3),
            "elapsed_s": round(time.monotonic() - self.began, 1),
            "box_years_an_hour": round(self.rate, 1),
            "box_years_an_hour_and_worker": round(self.years * 3600 / max(self.seconds, 0.1), 1),
            **self.numbers,
            "happened": dict(sorted(self.faults.items())),
            "facts_written": dict(sorted(self.written.items())),
            "refused_for": sorted(self.refused),
            "failures": self.failures,
        }


def print_figures(told: dict[str, Any]) -> None:
    """One line each."""
    for name, value in told.items():
        if isinstance(value, dict):
            value = ", ".join(f"{one} {count:,}" for one, count in value.items())
        elif isinstance(value, list):
            value = ", ".join(str(one) for one in value) or "none"
        elif isinstance(value, (int, float)):
            value = f"{value:,}"
        out.print(f"{name.replace('_', ' ')}: {value}", highlight=False, markup=False)
