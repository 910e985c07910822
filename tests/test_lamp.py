"""The lamp shows each state with a colour and a rhythm, and docs/lamp.md tells which."""

import re
from itertools import groupby
from pathlib import Path

from wallbox.core import engine, events, refusals, status
from wallbox.core.rules import PENDING, access
from wallbox.drivers import lamp

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "lamp.md"
COLOURS = ("dark", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
STEP_MS = 50


class Light:
    def __init__(self) -> None:
        self.level = 0

    def value(self, level: int) -> None:
        self.level = level


class Lit:
    """A lamp that is looked at every 50 ms."""

    def __init__(self) -> None:
        self.lights = [Light() for _ in range(3)]
        self.lamp = lamp.Lamp(*self.lights)
        self.now = 0

    def watch(self, milliseconds: int) -> list[str]:
        """The colours that are seen, one after the other, with their ms: `green 1000`."""
        seen = []
        for _ in range(milliseconds // STEP_MS):
            self.lamp.service(self.now)
            seen.append(COLOURS[sum(light.level << n for n, light in enumerate(self.lights))])
            self.now += STEP_MS
        return [f"{colour} {len(list(run)) * STEP_MS}" for colour, run in groupby(seen)]

    def pattern(self, number: int) -> str:
        """Two seconds of a pattern, as docs/lamp.md writes it."""
        self.lamp.show(number)
        self.now = 0
        first, *rest = self.watch(2000)
        colour, lit_ms = first.split()
        if not rest:
            return f"{colour}, steady"
        dark_ms = rest[0].split()[1]
        return f"{colour}, {lit_ms} ms lit, {dark_ms} ms dark"


def documented() -> dict[int, str]:
    rows = re.findall(r"^\| (\d+) \|[^|]*\| ([^|]*) \|", DOCUMENT.read_text(), re.MULTILINE)
    return {int(number): text for number, text in rows}


def test_each_pattern_is_as_documented_and_no_two_are_alike():
    lit = Lit()
    patterns = {number: lit.pattern(number) for number in range(status.PATTERNS)}
    assert patterns == documented()
    assert len(set(patterns.values())) == len(patterns)


def test_without_colours_fault_and_charge_differ_from_what_waits():
    """For who cannot tell red from green: the rhythm alone."""
    lit = Lit()
    rhythm = {number: lit.pattern(number).partition(", ")[2] for number in range(status.PATTERNS)}
    assert rhythm[status.FAULTED] != rhythm[status.CHARGING] != rhythm[status.PREPARING]
    assert rhythm[status.WAITS_FOR_TAG] != rhythm[status.CHARGING]


def test_a_tap_is_answered_for_a_moment_then_the_state_is_shown_again():
    lit = Lit()
    lit.lamp.show(status.CHARGING)
    lit.lamp.answer(True)
    assert lit.watch(2000) == ["green 900", "blue 1100"]
    lit.lamp.answer(False)
    assert lit.watch(1500) == [
        "red 150", "dark 150", "red 150", "dark 150", "red 150", "dark 150", "blue 600",
    ]  # fmt: skip


def pattern(**values: int) -> int:
    state = engine.State()
    for name, value in {"letter": events.A, "mode": access.FREE, **values}.items():
        assert hasattr(state, name)
        setattr(state, name, value)
    return status.lamp(state)


def test_the_customer_sees_why_nothing_flows():
    required = {"mode": access.REQUIRED}
    plugged = {"letter": events.B, "session_phase": PENDING}
    assert pattern() == pattern(**required) == status.AVAILABLE
    assert pattern(grant=access.BY_TAG, **required) == status.WAITS_FOR_CAR
    assert pattern(**required, **plugged) == status.WAITS_FOR_TAG
    assert pattern(grant=access.BY_TAG, **required, **plugged) == status.PREPARING
    assert pattern(refusals=1 << refusals.SEAL) == status.SEAL_BROKEN
    assert pattern(refusals=1 << refusals.SEAL | 1 << refusals.SUSPENDED) == status.SEAL_BROKEN
    assert pattern(refusals=1 << refusals.SUSPENDED) == status.SUSPENDED
    assert pattern(refusals=1 << refusals.ON_HOLD, **plugged) == status.SUSPENDED
    assert pattern(refusals=1 << refusals.OFFLINE) == status.UNAVAILABLE
    assert pattern(refusals=1 << refusals.METER_SILENT | 1 << refusals.ON_HOLD) == status.FAULTED
