"""The relays are at rest in the end: after Ctrl-C, a kill, a stuck relay, a silent board."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

from host.provisioning.outcome import EXIT_UNREACHABLE, Stopped
from hw.bench.guard import guarded_relays
from hw.bench.simulated_board import SimulatedBoard
from tests.benches import COILS, bench_config, bench_file, silent_port
from tests.mosquitto import wait_until

CAR = """
import sys, time
from pathlib import Path
from hw.bench.config import read_bench
from hw.bench.rig import Bench
with Bench(read_bench(Path(sys.argv[1])), sys.argv[2]) as bench:
    bench.world.mains.restore()
    bench.world.car.plug()
    bench.world.car.request_power()
    print("plugged", flush=True)
    time.sleep(60)
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGINT])
def test_a_bench_whose_program_ends_is_left_safe(tmp_path, end):
    with SimulatedBoard() as simulated, silent_port() as usb:
        path = bench_file(tmp_path, simulated.path)
        command = [sys.executable, "-c", CAR, str(path), usb]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as running:
            assert running.stdout and running.stdout.readline() == b"plugged\n"
            assert [name for name, coil in COILS.items() if simulated.coils[coil]] == [
                "mains", "pilot_b", "pilot_c"
            ]
            running.send_signal(end)
            running.wait(30)
        wait_until(lambda: not any(simulated.coils), 30, "all relays at rest")


@pytest.mark.parametrize(
    ("end", "code"), [(signal.SIGKILL, -9), (signal.SIGINT, 130), (signal.SIGTERM, 130)]
)
def test_bench_check_that_is_ended_leaves_the_bench_safe(tmp_path, end, code):
    running: subprocess.Popen[bytes] | None = None

    def switched(number: int, on: bool) -> None:
        if running and number == COILS["diode_bridge"] and on:
            os.kill(running.pid, end)

    with SimulatedBoard(switched) as simulated:
        command = [sys.executable, "-m", "host.cli", "bench-check", "--box", "/nonexistent",
                   str(bench_file(tmp_path, simulated.path))]
        running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        _told, trouble = running.communicate(timeout=60)
        assert running.returncode == code and b"Traceback" not in trouble, _told + trouble
        wait_until(lambda: not any(simulated.coils), 30, "all relays at rest")


def test_a_relay_that_sticks_keeps_no_other_one_on(tmp_path):
    with SimulatedBoard() as simulated:
        with (
            pytest.raises(Stopped, match=r"pilot_c \(coil 2\) did not switch off"),
            guarded_relays(bench_config(tmp_path, simulated.path)) as relays,
        ):
            for name in ("mains", "pilot_b", "pilot_c"):
                relays.switch(name, True)
            simulated.stuck.add(COILS["pilot_c"])
        assert [number for number in range(16) if simulated.coils[number]] == [COILS["pilot_c"]]
        simulated.stuck.clear()
        wait_until(lambda: not any(simulated.coils), 30, "the guard has gone on trying")


def test_a_board_that_falls_silent_is_put_to_rest_when_it_speaks_again(tmp_path):
    with SimulatedBoard() as simulated:
        with (
            pytest.raises(Stopped) as caught,
            guarded_relays(bench_config(tmp_path, simulated.path)) as relays,
        ):
            relays.switch("mains", True)
            simulated.silent = True
        assert caught.value.code == EXIT_UNREACHABLE and simulated.coils[COILS["mains"]]
        simulated.silent = False
        wait_until(lambda: not any(simulated.coils), 60, "the guard has gone on trying")
