"""The relays are at rest in the end: after Ctrl-C, a kill, a stuck relay, a silent board.

Whoever shares a program's standard error keeps it open, so its end is the end of the guard too.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from host.provisioning.outcome import EXIT_UNREACHABLE
from hw.bench.simulated_board import SimulatedBoard
from tests.benches import COILS, bench_file, silent_port

CHARGING = """
import sys
from pathlib import Path
from host.provisioning.outcome import Stopped
from hw.bench.config import read_bench
from hw.bench.rig import Bench
try:
    with Bench(read_bench(Path(sys.argv[1])), sys.argv[2]) as bench:
        bench.world.mains.restore()
        bench.world.car.plug()
        bench.world.car.request_power()
        print("charging", flush=True)
        sys.stdin.read()
except Stopped as stopped:
    print(stopped, flush=True)
    sys.exit(stopped.code)
"""


def charge(
    folder: Path, board: SimulatedBoard, end: Callable[[subprocess.Popen[str]], None]
) -> subprocess.Popen[str]:
    """A program with a bench, up to the point where it charges; then `end`."""
    with silent_port() as usb:
        running = subprocess.Popen(
            [sys.executable, "-c", CHARGING, str(bench_file(folder, board.path)), usb],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )
        assert running.stdin and running.stdout
        assert running.stdout.readline() == "charging\n"
        assert on(board) == ["mains", "pilot_b", "pilot_c"]
        end(running)
    return running


def on(board: SimulatedBoard) -> list[str]:
    return [name for name, coil in COILS.items() if board.coils[coil]]


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_bench_whose_program_ends_is_left_safe(tmp_path, end):
    with SimulatedBoard() as board:
        running = charge(tmp_path, board, lambda running: running.send_signal(end))
        running.communicate(timeout=60)
        assert on(board) == []


@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
def test_bench_check_that_is_ended_leaves_the_bench_safe(tmp_path, end, code):
    running: subprocess.Popen[bytes] | None = None

    def switched(number: int, on: bool) -> None:
        if running and number == COILS["diode_bridge"] and on:
            os.kill(running.pid, end)

    with SimulatedBoard(switched) as board:
        command = [sys.executable, "-m", "host.cli", "bench-check", "--box", "/nonexistent",
                   str(bench_file(tmp_path, board.path))]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        told, trouble = running.communicate(timeout=60)
        assert running.returncode == code and b"Traceback" not in trouble, told + trouble
        assert on(board) == []


def test_a_relay_that_sticks_keeps_no_other_one_on(tmp_path):
    with SimulatedBoard() as board:

        def stick(running: subprocess.Popen[str]) -> None:
            assert running.stdin and running.stdout
            board.stuck.add(COILS["pilot_c"])
            running.stdin.close()
            assert "pilot_c (coil 2) did not switch off" in running.stdout.readline()
            assert on(board) == ["pilot_c"]
            board.stuck.clear()

        running = charge(tmp_path, board, stick)
        assert running.stderr
        running.stderr.read()
        assert on(board) == [], "the guard has gone on trying"
        running.wait(10)


def test_a_board_that_falls_silent_is_put_to_rest_when_it_speaks_again(tmp_path):
    with SimulatedBoard() as board:

        def silence(running: subprocess.Popen[str]) -> None:
            assert running.stdin and running.stdout
            board.silent = True
            running.stdin.close()
            assert "no answer from the relay board" in running.stdout.readline()
            assert on(board) == ["mains", "pilot_b", "pilot_c"]
            board.silent = False

        running = charge(tmp_path, board, silence)
        assert running.stderr
        running.stderr.read()
        assert on(board) == [], "the guard has gone on trying"
        assert running.wait(10) == EXIT_UNREACHABLE
