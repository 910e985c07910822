"""A book of plain sentences, and what each means."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone

from tests.player import Player


class Phrasebook:
    """Patterns, each with a function of the box and the groups; it may return another box."""

    def __init__(self, *others: Phrasebook) -> None:
        self.known: list[tuple[re.Pattern[str], Callable]] = []
        for other in others:
            self.known += other.known

    def __call__(self, pattern: str):
        def known(function):
            self.known.append((re.compile(pattern), function))
            return function

        return known

    def meant(self, sentence: str) -> list[re.Pattern[str]]:
        return [pattern for pattern, _ in self.known if pattern.fullmatch(sentence)]

    def tell(self, box: Player, sentence: str) -> Player:
        """Plays one sentence. LookupError if nobody knows what it means."""
        for pattern, function in self.known:
            match = pattern.fullmatch(sentence)
            if match:
                return function(box, *match.groups()) or box
        raise LookupError(sentence)


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def kwh(text: str) -> int:
    return round(float(text) * 1000)
