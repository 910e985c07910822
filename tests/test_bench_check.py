"""`wallbox bench-check` and `wallbox board`: what works, what does not, and what to do."""

from __future__ import annotations

import json
import socket

import pytest
from typer.testing import CliRunner

from host.cli import app
from hw.bench.simulated_bench import SimulatedBench
from hw.bench.simulated_board import SimulatedBoard
from hw.sim.broker import mosquitto_path
from tests.benches import bench_file, silent_port
from tests.conftest import NO_MOSQUITTO


def check(*arguments: object) -> tuple[int, dict[str, dict]]:
    done = CliRunner().invoke(app, ["bench-check", *map(str, arguments), "--json"])
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    return done.exit_code, {row["part"]: row for row in rows}


def test_a_whole_bench_passes(tmp_path):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    with SimulatedBench(tmp_path) as bench:
        code, rows = check(bench.file, "--box", bench.box)
        assert not any(bench.board.coils), "safe when it is over"
    assert code == 0 and {row["result"] for row in rows.values()} == {"pass"}, rows
    assert rows["relay board"]["measured"] == "10 relays switched, read back"
    assert rows["box"]["measured"] == "WB-000001"
    assert {"car", "seal", "tag", "network", "meter at the box"} <= set(rows)


def test_a_stuck_relay_fails_and_what_is_not_there_is_skipped(tmp_path):
    with SimulatedBoard() as board:
        board.stuck.add(2)
        code, rows = check(bench_file(tmp_path, board.path), "--box", tmp_path / "none")
    assert code == 5
    assert rows["relay board"]["result"] == "fail"
    assert "pilot_c (coil 2) did not switch on" in rows["relay board"]["measured"]
    assert rows["relay board"]["do"].startswith("look at the board")
    assert rows["meter"] | {"part": ""} == {
        "part": "", "result": "skip", "measured": "", "do": "[meter] is missing"
    }
    assert rows["USB socket"]["result"] == "fail"
    assert "no such port" in rows["USB socket"]["measured"]


def test_one_missing_adapter_hides_nothing_else(tmp_path, monkeypatch):
    monkeypatch.setattr("hw.bench.check.ANSWER_S", 0.3)
    meter = '[meter]\nport = "/nonexistent"\nmodel = "sdm630"\n'
    with SimulatedBoard() as board, silent_port() as usb:
        code, rows = check(bench_file(tmp_path, board.path, meter, coils={"mains": 0}),
                           "--box", usb)
    assert code == 5 and rows["meter"]["result"] == "fail"
    assert rows["relay board"]["result"] == rows["USB socket"]["result"] == "pass"
    assert rows["box"]["measured"].startswith("the box does not answer: not in")
    assert "car" not in rows, "nothing is tried with a box that does not answer"


def test_a_broker_whose_port_is_taken_and_a_folder_that_cannot_be(tmp_path, monkeypatch):
    monkeypatch.setattr("hw.bench.check.ANSWER_S", 0.3)
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    with SimulatedBoard() as board, silent_port() as usb, socket.create_server(("", 0)) as taken:
        broker = f'[broker]\naddress = "127.0.0.1"\nport = {taken.getsockname()[1]}\n'
        file = bench_file(tmp_path, board.path, broker)
        code, rows = check(file, "--box", usb)
        assert code == 5 and rows["broker"]["result"] == "fail"
        assert "Address already in use" in rows["broker"]["measured"]
        assert "mosquitto at that port, end it" in rows["broker"]["do"]
        (tmp_path / "bench").rename(tmp_path / "away")
        (tmp_path / "bench").write_text("")
        code, rows = check(file, "--box", usb)
        assert code == 5 and "cannot be made" in rows["broker"]["measured"]
        assert rows["broker"]["do"] == "name another folder"
        assert not any(board.coils)


def test_the_table_for_people_and_a_file_that_is_wrong(tmp_path):
    with SimulatedBoard() as board:
        file = bench_file(tmp_path, board.path)
        done = CliRunner().invoke(app, ["bench-check", str(file), "--box", str(tmp_path / "none")])
        assert done.exit_code == 5
        assert "pass  relay board      6 relays switched, read back" in done.stdout
        assert "fail  USB socket" in done.stdout
    file.write_text("[box]\n")
    done = CliRunner().invoke(app, ["bench-check", str(file), "--box", "x"])
    assert done.exit_code == 4 and "box.serial: it is missing" in done.stderr


def test_the_wiring_of_a_board():
    done = CliRunner().invoke(app, ["board", "wroom32"])
    assert done.exit_code == 0 and "GPIO26" in done.stdout and "gate driver" in done.stdout
    done = CliRunner().invoke(app, ["board", "wrover", "--json"])
    rows = {row["function"]: row["pin"] for row in map(json.loads, done.stdout.splitlines())}
    assert rows["meter_tx"] == 15 and rows["contactor"] == 26
    done = CliRunner().invoke(app, ["board", "none"])
    assert done.exit_code == 4 and "there are wroom32, wrover" in done.stderr
