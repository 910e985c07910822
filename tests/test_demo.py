"""The demo as its user runs it."""

import json
import subprocess
import sys
from pathlib import Path

WALLBOX = Path(sys.executable).with_name("wallbox")


def run(*words: str, typed: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [WALLBOX, "demo", *words],
        input=typed,
        capture_output=True,
        text=True,
        timeout=180,
        check=False,
    )


def test_the_short_story_ends_with_balanced_books():
    done = run("--json")
    assert done.returncode == 0, done.stdout + done.stderr
    balance = json.loads(done.stdout)
    assert balance["balanced"] and balance["difference_wh"] == 0
    assert balance["meter_wh"] == balance["sessions_wh"] > 20
    assert balance["records_stored"] == balance["records_written"] > 10


def test_the_free_story_takes_verbs_and_names_the_wrong_ones():
    done = run("--story", "free", typed="plugg\nplug\nlook\nquit\n")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "plugg: no such verb" in done.stdout
    assert "a car is plugged in" in done.stdout


def test_wrong_options_are_named():
    assert "divisor of 3600" in run("--interval-s", "7").stderr
    assert "choose one of" in run("--meter", "sdm999").stderr
    assert run("--meter", "sdm999").returncode == 2
