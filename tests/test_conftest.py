"""The rules that hold for all tests: no skipped test goes unnoticed, seeds are told."""

import os
import subprocess
import sys

import pytest

from tests.interpreter import ROOT

SKIPPING = """
import pytest

def test_done(seed):
    assert seed == seed % 2**32

def test_needs_a_broker(mosquitto):
    assert mosquitto.running
"""
CONFTEST = """
from tests.conftest import *
from tests import conftest
conftest.mosquitto_path = lambda: None
"""


@pytest.fixture
def run(tmp_path):
    (tmp_path / "conftest.py").write_text(CONFTEST)
    (tmp_path / "test_some.py").write_text(SKIPPING)

    def run(**environment):
        return subprocess.run(
            [sys.executable, "-m", "pytest", "-rA", "-p", "no:cacheprovider", "test_some.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(ROOT), "WALLBOX_NO_SKIPS": "", **environment},
            capture_output=True,
            text=True,
        )

    return run


def test_without_mosquitto_a_test_is_skipped_with_what_to_do(run):
    done = run()
    assert done.returncode == 0, done.stdout
    assert "mosquitto is not installed: apt-get install mosquitto" in done.stdout
    assert "1 passed, 1 skipped" in done.stdout


def test_where_nothing_may_be_skipped_it_is_a_failure(run):
    done = run(WALLBOX_NO_SKIPS="1")
    assert done.returncode == 1
    assert "these tests were skipped" in done.stdout and "test_needs_a_broker" in done.stdout


def test_a_seed_is_printed_and_can_be_given(run):
    first = run().stdout
    assert "repeat with WALLBOX_SEED=" in first
    assert "seed 7 " in run(WALLBOX_SEED="7").stdout


def test_the_interpreter_runs_with_the_firmware_and_a_heap_limit(micropython):
    code = "import gc\nfrom wallbox.core import fields\nprint(fields.size(b'\\x05'))\n"
    assert micropython.run(code) == "5\n"
    with pytest.raises(AssertionError, match="MemoryError"):
        micropython.run("x = bytearray(200_000)", heap="20wK")
