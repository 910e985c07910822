"""A failure of the simulated years is kept whatever happens, and its command repeats it."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
import time

import pytest
import typer
from typer.testing import CliRunner

from host.console import EXIT_INTERRUPTED
from host.years import command, job, proof, shrink
from host.years.job import YEAR_MS, Job, Lane, Result
from host.years.mutants import load
from tests.interpreter import ROOT

APP = typer.Typer()
APP.command()(command.sim)
SHORT = ["--years", "0.003", "--boxes", "1", "--seed", "7"]
MUTANT = next(
    one for one in load(ROOT / "tests" / "mutants") if one.name.startswith("power without")
)
FINDS = ["--seed", str(MUTANT.seed), "--first", str(MUTANT.box), "--boxes", "1"]
FINDS += ["--years", str(MUTANT.job.span_ms / YEAR_MS)]


def run(*words: object):
    return CliRunner().invoke(APP, [str(word) for word in words])


@pytest.fixture
def ill(monkeypatch):
    """All boxes run a firmware with a planted bug."""
    with MUTANT.planted() as firmware:
        monkeypatch.setattr(job, "_FIRMWARE_LIB", firmware)
        yield firmware


def test_ctrl_c_while_a_failure_is_made_small_saves_it(ill, tmp_path, monkeypatch):
    def interrupted(job: Job) -> Result:
        raise KeyboardInterrupt

    monkeypatch.setattr(shrink, "play", interrupted)
    found = run(*FINDS, "--save", tmp_path / "saved", "--json")
    assert found.exit_code == 1, found.output
    (told,) = json.loads(found.stdout)["failures"]
    assert told["invariant"] == "rules" and "--replay" in found.stderr
    assert json.loads((tmp_path / "saved" / os.path.basename(told["log"])).read_text())["entries"]


def test_what_the_verifier_finds_is_made_small_and_found_again(tmp_path, monkeypatch):
    monkeypatch.setattr(proof, "findings", lambda serial, key, stored: ["chain: planted"])
    found = run(*SHORT, "--save", tmp_path, "--shrink-s", "2")
    assert found.exit_code == 1 and "found in 0 runs" not in found.stderr, found.output
    (log,) = tmp_path.iterdir()
    again = run("--replay", log)
    assert again.exit_code == 1 and "verifier: chain: planted" in again.stderr, again.output


def test_the_printed_command_takes_the_interpreter_that_found_it(tmp_path, monkeypatch):
    lanes = []
    played = job.play

    def noted(one: Job) -> Result:
        lanes.append(one.lane)
        return played(one)

    monkeypatch.setattr(command, "play", noted)
    monkeypatch.setattr(proof, "play", noted)
    monkeypatch.setattr(proof, "findings", lambda serial, key, stored: ["chain: planted"])
    saved = tmp_path / "it's $5"
    found = run(*SHORT, "--lane", "micropython", "--save", saved, "--shrink-s", "0")
    line = found.stderr.split("repeat it with: ")[1].splitlines()[0]
    make, target, words = shlex.split(line)
    assert (make, target) == ("make", "sim")
    replay = shlex.split(words.removeprefix("ARGS=").replace("$$", "$"))
    assert run(*replay).exit_code == 1
    assert run(*replay, "--lane", "cpython").exit_code == 1
    assert lanes == [Lane.micropython, Lane.micropython, Lane.cpython]


def test_sigterm_ends_the_boxes_and_removes_what_they_left(tmp_path):
    words = [sys.executable, "-m", "host.years", "--years", "5", "--boxes", "4", "--save", tmp_path]
    environment = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        words, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        until = time.monotonic() + 60
        while not list(tmp_path.glob("wallbox-sim-*/plan.json")) and time.monotonic() < until:
            time.sleep(0.05)
        assert list(tmp_path.glob("wallbox-sim-*"))
        process.send_signal(signal.SIGTERM)
        said, _ = process.communicate(timeout=60)  # an orphan would keep the pipe open, and go on
    finally:
        process.kill()
    assert process.returncode == EXIT_INTERRUPTED, said
    assert not list(tmp_path.glob("wallbox-sim-*"))


def test_a_box_that_dies_in_a_replay_is_a_failure_that_says_how(ill, tmp_path):
    found = run(*FINDS, "--save", tmp_path, "--shrink-s", "0")
    assert found.exit_code == 1
    (log,) = tmp_path.iterdir()
    (ill / "wallbox" / "core" / "power.py").write_text("import os\nos.kill(os.getpid(), 9)\n")
    again = run("--replay", log)
    assert again.exit_code == 1 and "ended by itself by signal 9" in again.stderr, again.output


def test_unusable_places_are_told_before_the_first_box(tmp_path, monkeypatch):
    monkeypatch.setattr(command, "play", lambda job: pytest.fail("played"))
    (tmp_path / "file").write_text("")
    for words in (["--save", tmp_path / "file"], ["--log", tmp_path / "none" / "years.log"]):
        done = run(*SHORT, "--save", tmp_path, *words)
        assert done.exit_code == 4 and done.stderr.count("\n") == 1, done.output
