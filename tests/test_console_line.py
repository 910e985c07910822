"""The laptop's end of the service console: the port that it holds."""

from __future__ import annotations

import os
import pty
import tty

import pytest

from host.provisioning.console_line import ConsoleLine
from host.provisioning.outcome import Stopped


@pytest.fixture
def port():
    master, slave = pty.openpty()
    tty.setraw(slave)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


def test_only_one_has_the_port(port):
    with ConsoleLine(port), pytest.raises(Stopped, match="another program") as stopped:
        ConsoleLine(port)
    assert stopped.value.busy


def test_a_program_that_is_being_started_does_not_keep_the_port(port, monkeypatch):
    """Between fork and exec it has all that this one has open."""
    monkeypatch.setattr("host.provisioning.console_line.BUSY_S", 0.0)
    line = ConsoleLine(port)
    others = os.dup(line._serial.fd)
    line.close()
    with ConsoleLine(port):
        pass
    os.close(others)


def test_closing_again_and_after_the_box_has_gone_is_quiet():
    master, slave = pty.openpty()
    line = ConsoleLine(os.ttyname(slave))
    os.close(slave)
    os.close(master)
    line.close()
    line.close()
def test_a_cable_that_is_pulled_while_a_line_leaves_is_told_in_words(monkeypatch):
    master, slave = pty.openpty()
    line = ConsoleLine(os.ttyname(slave))
    monkeypatch.setattr(line._serial, "write", len)  # so that waiting for it is what fails
    os.close(slave)
    os.close(master)
    with pytest.raises(Stopped, match="the box went away"):
        line._send(b"identity")
    line.close()
