"""What a fleet counts: how often, and how long things took."""

from __future__ import annotations

import math

_LOWEST_MS = 0.1
_EACH = 1.05  # a bucket is so much wider than the one before: percentiles are that exact
_BUCKETS = 320  # up to about ten minutes


class Delays:
    """Lengths of time in buckets that grow, of bounded size however many there are."""

    def __init__(self) -> None:
        self.count = 0
        self.longest_ms = 0.0
        self._buckets = [0] * _BUCKETS

    def add(self, ms: float) -> None:
        self.count += 1
        self.longest_ms = max(self.longest_ms, ms)
        at = int(math.log(max(ms, _LOWEST_MS) / _LOWEST_MS) / math.log(_EACH))
        self._buckets[min(at, _BUCKETS - 1)] += 1

    def percentile(self, percent: float) -> float | None:
        """ms, the upper edge of the bucket; None if there are none."""
        if not self.count:
            return None
        left = math.ceil(self.count * percent / 100)
        for at, number in enumerate(self._buckets):
            left -= number
            if left <= 0:
                return round(min(_LOWEST_MS * _EACH ** (at + 1), self.longest_ms), 1)
        return round(self.longest_ms, 1)

    def told(self) -> dict[str, float | int | None]:
        return {
            "count": self.count, "p50_ms": self.percentile(50), "p95_ms": self.percentile(95),
            "p99_ms": self.percentile(99),
            "longest_ms": round(self.longest_ms, 1) if self.count else None,
        }
