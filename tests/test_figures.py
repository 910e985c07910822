"""The benches' arithmetic, goals and scripts; never their times."""

import json
import re
import subprocess

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.figures import append, capacity, figure, mount, replay_bench, wear
from host.figures.benches import BENCHES
from host.figures.figure import Figure, on_box
from host.image import partitions
from tests.interpreter import ROOT, Interpreter


def test_a_goal_is_met_or_missed_and_says_so():
    assert Figure("read", 20_788, "B", most=21_000).met is True
    assert Figure("ratio", 9.9, "x", least=10).met is False
    assert Figure("time", 5, "us").met is None
    told = Figure("erases", 1000.5, "", "raw 1000", most=1000).as_dict()
    assert told["met"] is False and told["most"] == 1000 and told["note"] == "raw 1000"
    assert Figure("read", 0, "B", most=21_000).goal == "<= 21,000"
    assert Figure("ratio", 0, "x", least=62).goal == ">= 62"
    assert Figure("time", 5, "us").goal == ""


def test_the_median_comes_with_all_raw_values():
    assert figure.median_of([3.0, 1.0, 2.5]) == (2.5, "raw 3, 1, 2.5")


def test_the_least_flash_time_of_a_record():
    """0.45 ms for a program, and of an erasure of 45 ms the part that is the record's."""
    assert append.bound_us(32) == 450 + 45_000 / 128 > 800
    assert append.bound_us(29) < 800
    assert append.bound_us(129) == 900 + 45_000 / 31


def test_the_life_of_sectors_that_are_erased_in_turns():
    assert wear.life_years(erases_a_day=256, sectors=256) == pytest.approx(100_000 / 365.25)
    assert wear.life_years(2 * 686, 256) == pytest.approx(wear.life_years(686, 128))


def test_the_benches_measure_the_partitions_that_are_shipped():
    sizes = {name: part.size for name, part in partitions().items()}
    assert mount.SIZES == {"ledger": sizes["ledger"], "trace": sizes["trace"]}
    assert (wear.LEDGER_SECTORS, wear.TRACE_SECTORS) == (
        sizes["ledger"] // 4096,
        sizes["trace"] // 4096,
    )
    player = (figure.SCRIPTS / "player.py").read_text()
    assert [int(size, 16) for size in re.findall(r"_SIZE = (0x\w+)", player)] == [
        sizes["ledger"],
        sizes["trace"],
    ]
    assert capacity.LEDGER_SIZE == sizes["ledger"]


def test_the_ring_and_littlefs_in_turns(tmp_path):
    told = on_box("append.py", str(tmp_path / "ring"), str(tmp_path / "lfs"), "130")
    ring, peer = told["ring"], told["littlefs"]
    assert ring["bytes_programmed"] == 130 * 32 + 31 + 28 + 8  # watermark, header, ready
    assert ring["erases"] == 1
    assert peer["erases"] > 100 and peer["bytes_programmed"] > 60 * ring["bytes_programmed"]


def test_two_hours_of_the_product(tmp_path):
    told = on_box("day.py", str(tmp_path / "flash"), "1", "1", "2", heap="400wK")
    assert told["longest_charging_s"] <= 10 and told["longest_idle_s"] <= 60
    assert told["lost"] == 0
    assert 3600 / 9 + 3600 / 59 <= told["readings"] < 3600 / 8 + 3600 / 58
    assert told["trace_bytes"] < 500 * 100


SMALL = 8 * 4096  # a ledger of about a week


@pytest.mark.parametrize("required", [False, True])
def test_each_car_charges_until_the_ledger_is_full(required):
    told = capacity.every_car(capacity.played(SMALL, reader_required=required))
    assert told["sessions"] in (int(told["days"] * 4), int(told["days"] * 4) + 1)
    assert told["days"] > 4 and told["halted"]
    # an interval of 48 bytes a quarter; in a session of two quarters 100 bytes, or 108 and two taps
    a_day = 96 * 48 + 4 * (108 + 2 * 43 if required else 100)
    assert told["days"] == pytest.approx(SMALL * 0.97 / a_day, rel=0.15)


def test_the_bench_of_the_capacity_fails_if_cars_were_refused_before():
    told = capacity.played(SMALL, grace_h=24)
    assert 24 <= told["refused_h"] < 48
    with pytest.raises(RuntimeError, match="the first car was refused after"):
        capacity.every_car(told)


def test_what_a_script_says_when_it_fails(tmp_path):
    with pytest.raises(RuntimeError, match=r"mount\.py: (.|\n)*IndexError"):
        on_box("mount.py", str(tmp_path / "flash"))


def test_a_bench_as_table_and_as_json(monkeypatch):
    from host.figures import benches

    found = [Figure("read", 2, "B", "raw 2", most=1), Figure("time", 3, "us")]
    one = figure.Bench("mount", "a sentence", lambda: found)
    monkeypatch.setattr(benches, "BENCHES", (one,))
    printed = CliRunner().invoke(app, ["bench"]).output
    assert re.search(r"read +│ +2 │ B +│ <= 1 │ missed │ raw 2", printed)
    assert "goals: 0 met, 1 missed" in printed
    told = json.loads(CliRunner().invoke(app, ["bench", "mount", "--json"]).output)
    assert [row["met"] for row in told["mount"]] == [False, None]
    assert CliRunner().invoke(app, ["bench", "nothing"]).exit_code == 2


FRAMES = ("append", "_put", "_hold", "_program", "compose", "_pack", "_seal", "_finish", "accept")


@pytest.mark.parametrize("module", ["record", "writer"])
def test_appending_keeps_its_frames_off_the_heap(module):
    """MicroPython holds up to eleven words of a frame on the stack; record.Chain tells why."""
    path = ROOT / "firmware" / "lib" / "wallbox" / "store" / f"{module}.py"
    dump = subprocess.run(
        [Interpreter().path, "-v", "-v", "-v", str(path)], capture_output=True, text=True
    ).stdout
    words = {
        name: int(state) + 3 * int(exceptions)
        for name, state, exceptions in re.findall(
            r"code block '(\w+)'(?:.|\n)*?\(N_STATE (\d+)\)\n\(N_EXC_STACK (\d+)\)", dump
        )
    }
    hot = {name: words[name] for name in FRAMES if name in words}
    assert len(hot) >= 4
    assert max(hot.values()) <= 11, hot


def test_the_bench_of_replay_plays_what_it_made():
    elapsed, used, decoded = replay_bench.replay(minutes=200)
    assert "200 readings" in elapsed.note
    assert elapsed.most == 10 and decoded.most == 2 and used.value > 0


def test_the_help_names_every_bench():
    text = " ".join(CliRunner().invoke(app, ["bench", "--help"]).stdout.replace("│", " ").split())
    assert ", ".join(one.name for one in BENCHES) in text
