"""The same inputs give the same decisions and states on CPython and on MicroPython."""

from pathlib import Path

import pytest

from tests.lane import play

LANE = Path(__file__).with_name("lane.py")
STEPS = 3000


@pytest.mark.parametrize("lane_seed", [1, 2, 2026])
def test_both_interpreters_decide_alike(micropython, lane_seed):
    code = f"import sys\nsys.path.insert(0, {str(LANE.parent)!r})\nimport lane\n"
    told = micropython.run(code + f"print(lane.play({lane_seed}, {STEPS}))\n")
    assert told.strip() == play(lane_seed, STEPS)


def test_another_story_has_another_digest():
    assert play(1, 50) != play(2, 50)
    assert play(1, 50) != play(1, 51)
