"""A share of the interruptions; `python -m tests.provisioning_cuts --runs 200` does them all."""

from __future__ import annotations

import contextlib
import os
import pty

import pytest

from host.provisioning.console_line import ConsoleLine
from host.provisioning.outcome import Stopped
from hw.sim.broker import mosquitto_path
from tests.conftest import NO_MOSQUITTO
from tests.mosquitto import wait_until
from tests.provisioning_cable import Cable
from tests.provisioning_cuts import run


@pytest.mark.parametrize("seed", [5, 1001])
def test_interrupted_anywhere_it_ends_certified(tmp_path, seed):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    (told,) = run(1, seed, tmp_path, 1)
    assert not told.failure, told


def test_the_port_of_a_pulled_cable_is_gone_and_nobody_elses(tmp_path):
    master, slave = pty.openpty()
    opened = [master, slave]
    cable = Cable(tmp_path / "port", os.ttyname(slave))
    name = os.readlink(cable.port)
    cable.at(3, lambda data: None)
    with ConsoleLine(str(cable.port)) as line:
        with contextlib.suppress(Stopped):  # pulled while the line still waits for it to leave
            line._send(b"cut")
        wait_until(lambda: not cable.port.is_symlink(), 10, "pulled")
        for _ in range(5):
            opened += pty.openpty()
        assert name not in [os.ttyname(one) for one in opened[1::2]]
    with pytest.raises(Stopped, match="no such port"):
        ConsoleLine(str(cable.port))
    cable.plug()
    with ConsoleLine(str(cable.port)) as line:
        line._send(b"again")
        wait_until(lambda: os.read(master, 64).endswith(b"again"), 10, "what was typed")
    cable.close()
    for descriptor in opened:
        os.close(descriptor)
