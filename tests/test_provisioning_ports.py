"""What is wrong with a port, in words: as pyserial, esptool and mpremote find it."""

from __future__ import annotations

import errno
import fcntl
import os
import pty

import pytest

from host.provisioning import port_errors, repl
from host.provisioning.console_line import ConsoleLine
from host.provisioning.esptool_program import Esptool
from host.provisioning.outcome import EXIT_UNREACHABLE, Stopped
from host.provisioning.port_errors import explain

WAYS = {
    "console": lambda port: ConsoleLine(port).close(),
    "esptool": lambda port: Esptool(port).identify(),
    "mpremote": repl.look,
}


def told(way: str, port: str) -> Stopped:
    with pytest.raises(Stopped) as stopped:
        WAYS[way](port)
    assert stopped.value.code == EXIT_UNREACHABLE
    return stopped.value


@pytest.fixture
def busy():
    """A port that another program has open."""
    master, slave = pty.openpty()
    fcntl.flock(slave, fcntl.LOCK_EX | fcntl.LOCK_NB)
    yield os.ttyname(slave)
    os.close(slave)
    os.close(master)


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_another_program_has_open(way, busy, monkeypatch):
    monkeypatch.setattr(repl, "BUSY_TRIES", 1)
    stopped = told(way, busy)
    assert "another program" in stopped.why and "close" in stopped.action


@pytest.mark.parametrize("way", WAYS)
def test_a_port_that_is_not_there_as_with_a_cable_that_only_charges(way, tmp_path):
    stopped = told(way, str(tmp_path / "ttyUSB0"))
    assert "no such port" in stopped.why and "many only charge" in stopped.action


def test_without_permission_the_group_is_named(monkeypatch):
    monkeypatch.setattr(port_errors.os, "access", lambda port, mode: False)  # root may all
    stopped = port_errors.port_trouble("/dev/null")
    assert "permission" in stopped.why and "dialout" in stopped.action


@pytest.mark.parametrize(
    ("error", "word"),
    [
        (PermissionError(errno.EACCES, "Permission denied"), "dialout"),
        ("[Errno 13] could not open port /dev/ttyUSB0: [Errno 13] Permission denied", "dialout"),
        (OSError(errno.EBUSY, "Device or resource busy"), "another program"),
        (OSError(errno.ENOENT, "No such file or directory"), "data"),
        (OSError(errno.EIO, "Input/output error"), "went away"),
        (OSError(errno.ENODEV, "No such device"), "went away"),
        ("device reports readiness to read but returned no data (device disconnected or multiple "
         "access on port?)", "went away"),
        ("Could not exclusively lock port", "another program"),
    ],
)
def test_trouble_with_a_port_is_told_in_words(error, word):
    assert word in str(explain("/dev/ttyUSB0", error))


def test_a_cable_that_is_pulled_while_the_box_is_asked():
    master, slave = pty.openpty()
    with ConsoleLine(os.ttyname(slave)) as line:
        os.close(slave)
        os.close(master)
        with pytest.raises(Stopped) as stopped:
            line.ask("identity")
    assert "went away" in stopped.value.why and "goes on where it stopped" in stopped.value.action
