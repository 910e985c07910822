"""A share of the interruptions; `python -m tests.provisioning_cuts --runs 200` does them all."""

from __future__ import annotations

import pytest

from hw.sim.broker import mosquitto_path
from tests.conftest import NO_MOSQUITTO
from tests.provisioning_cuts import run


@pytest.mark.parametrize("seed", [5, 1001])
def test_interrupted_anywhere_it_ends_certified(tmp_path, seed):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    (told,) = run(1, seed, tmp_path, 1)
    assert not told.failure, told
