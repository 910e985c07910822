"""The command behind `make torture`: counts, seeds, and what it says of a ring that is broken."""

import json
import os
import signal
import subprocess
import sys

from tests.interpreter import ROOT

BROKEN = """
from wallbox.store.ring import Ring
Ring._write_mark = lambda ring, offset, void_from: None
"""


def torture(*arguments, **environment):
    return subprocess.run(
        [sys.executable, "-m", "tests.torture", *arguments],
        cwd=ROOT,
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        timeout=250,
    )


def counted(*arguments):
    done = torture("--json", *arguments)
    assert done.returncode == 0, done.stderr
    told = json.loads(done.stdout)
    del told["seconds"], told["cuts a second"]
    return told


def test_it_ends_with_counts():
    done = torture("--cuts", "1200", "--seed", "5", "--jobs", "2")
    assert done.returncode == 0
    assert done.stderr.splitlines()[0] == "seed 5, 1,200 cuts, cpython, 2 at a time"
    lines = dict(line.split(": ", 1) for line in done.stdout.splitlines())
    assert lines["cuts"] == "1,200"
    assert {"lives", "records appended", "seconds"} <= set(lines)


def test_a_seed_repeats_a_run_on_any_number_of_cores_and_on_both_interpreters():
    told = counted("--cuts", "1000", "--seed", "5")
    assert counted("--cuts", "1000", "--seed", "5", "--jobs", "1") == told
    other = counted("--cuts", "1000", "--seed", "5", "--lane", "micropython")
    assert other == {**told, "lane": "micropython"}


def test_without_a_seed_one_is_drawn_and_told():
    seeds = {torture("--cuts", "1").stderr.split()[1] for _ in range(2)}
    assert len(seeds) == 2


def test_a_ring_that_does_not_hold_is_told_with_the_line_that_repeats_it(tmp_path):
    (tmp_path / "sitecustomize.py").write_text(BROKEN)
    done = torture("--cuts", "3000", "--seed", "900", PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    *_, told, repeat = done.stderr.splitlines()
    assert told.startswith("torture: seed 90") and ", life " in told
    assert repeat.startswith("repeat it with: make torture CUTS=500 SEED=90")
    seed = repeat.rpartition("=")[2]
    again = torture("--cuts", "500", "--seed", seed, PYTHONPATH=str(tmp_path))
    assert again.returncode == 1
    assert again.stderr.splitlines()[-2:] == [told, repeat]
    assert "Traceback" in again.stderr  # one run alone shows the way there
    assert torture("--cuts", "500", "--seed", seed).returncode == 0


def test_ctrl_c_ends_it_with_the_counts_so_far():
    line = [sys.executable, "-m", "tests.torture", "--cuts", "1000000000", "--jobs", "1"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    with subprocess.Popen(line, cwd=ROOT, **pipes) as running:
        assert running.stderr.readline().startswith("seed ")
        running.send_signal(signal.SIGINT)
        counted, _ = running.communicate(timeout=60)
    assert running.returncode == 130
    assert counted.startswith("cuts: ")


def test_make_hands_the_numbers_on():
    line = ["make", "-n", "torture", "CUTS=7", "SEED=3", "LANE=micropython"]
    said = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "tests.torture --cuts 7 --lane micropython --seed 3" in said


def test_wrong_options_are_refused():
    assert torture("--cuts", "0").returncode == 2
    assert torture("--lane", "pypy").returncode == 2
