"""The demo as its user runs it."""

import json
import subprocess
import sys
from pathlib import Path

from host.demo.free import verbs

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
    typed = (
        "plugg", "balance", "plug", "load 1000 1000 1000", "load off", "load 1 2", "load 1 2 30000",
        "seal-open", "seal-close terminal_cover", "seal-open door", "tag 04a1b2c3", "tag 04a1",
        "tag [/b]", "tag", "tag-remove", "networks cafe depot-2", "networks " + 33 * "x",
        "cut now", "look", "watch", "log", "quit",
    )  # fmt: skip
    done = run("--story", "free", typed="\n".join(typed))
    assert done.returncode == 0, done.stdout + done.stderr
    told = (
        "plugg: no such verb",
        "balance: not now: the box is not online, and has not told how much it has written",
        "a car is plugged in",
        "the load on the meter changes (1000) (1000) (1000)",
        "the load on the meter changes (off)",
        "load: type the W of L1, L2 and L3, like 1000 1000 1000, or off",
        "load: at most 25000 W a phase, not 30000",
        "a seal is opened",
        "a seal is closed (terminal_cover)",
        "seal-open: no seal is called 'door'; there are lid and terminal_cover",
        "a tag is held to the reader (04a1b2c3)",
        "tag: a UID has 4, 7 or 10 bytes, not 2",
        "tag: type the tag's UID in hex",
        "the tag is taken away",
        "other networks are in range (cafe) (depot-2)",
        "networks: a network's name has at most 32 bytes",
        "cut: takes nothing behind it, not 'now'",
    )
    missing = [text for text in told if text not in done.stdout]
    assert not missing, (missing, done.stdout)


def test_the_verbs_reach_the_world(scene):
    known = verbs(scene)

    def do(line: str) -> None:
        word, *behind = line.split()
        known[word].act(*known[word].parse(behind))

    scene.world.mains.restore()
    do("load 1000 2000 0")
    assert scene.world.electrics.power_w == (1000, 2000, 0)
    do("load off")
    assert scene.world.electrics.power_w == (0, 0, 0)
    do("tag 04a1b2c3")
    assert [card.uid for card in scene.world.tag.reader.cards] == [bytes.fromhex("04a1b2c3")]
    do("tag-remove")
    assert not scene.world.tag.reader.cards


def test_wrong_options_are_named():
    assert "divisor of 3600" in run("--interval-s", "7").stderr
    assert "choose one of" in run("--meter", "sdm999").stderr
    assert run("--meter", "sdm999").returncode == 2
