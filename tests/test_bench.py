"""The bench's own code at work: its ports are ptys, its relays move the simulated world.

The tests of test_hil.py run here once more, as people run them on hardware.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from host import image
from hw.bench.simulated_bench import SimulatedBench
from hw.sim.broker import mosquitto_path
from tests.benches import silent_port
from tests.conftest import NO_MOSQUITTO

ROOT = Path(__file__).resolve().parent.parent
HIL = ROOT / "tests" / "test_hil.py"


@pytest.fixture(scope="module")
def bench(tmp_path_factory):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    with SimulatedBench(tmp_path_factory.mktemp("bench")) as bench:
        yield bench


def run(*arguments: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    """pytest in a process of its own, with the bench's plugin alone."""
    own = ["-p", "hw.bench.plugin", "-p", "no:cacheprovider", "-p", "no:xdist", "-q", "-rA"]
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    return subprocess.run(
        [sys.executable, "-m", "pytest", *own, "-c", str(ROOT / "pyproject.toml"),
         *map(str, arguments)],
        cwd=cwd, env={**os.environ, "PYTHONPATH": path}, capture_output=True, text=True,
        timeout=280, check=False,
    )


def test_what_the_simulation_passes_the_bench_passes_too(bench, tmp_path):
    done = run(HIL, "--box", bench.box, "--bench", bench.file, "--evidence", tmp_path)
    tests = re.findall(r"^def (test_\w+)", HIL.read_text(), re.MULTILINE)
    assert done.returncode == 0, done.stdout[-6000:] + done.stderr[-2000:]
    passed = re.search(r"^(\d+) passed in", done.stdout, re.MULTILINE)
    assert passed and int(passed[1]) >= len(tests), done.stdout
    assert bench.board.requests > 100
    assert not any(bench.board.coils), "safe when it is over"
    assert not bench.world.electrics.mains and list(tmp_path.iterdir()) == []


TESTS = """
import os, signal, time
import pytest

@pytest.mark.needs("car", "ventilation")
def test_ventilated(rig):
    assert False, "never comes so far"

@pytest.mark.needs("car")
def test_fails(rig):
    rig.world.car.plug()
    assert rig.capabilities == {}

@pytest.mark.needs("car")
def test_terminated(rig):
    rig.world.car.plug()
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(60)
"""


def test_a_bench_with_less_skips_by_name_and_a_failure_leaves_evidence(bench, tmp_path):
    file = bench.file.with_name("smaller.toml")
    file.write_text(bench.file.read_text().replace("pilot_d = 3\n", ""))
    (tmp_path / "test_some.py").write_text(TESTS)
    done = run("test_some.py", "--rootdir", ".", "--box", bench.box, "--bench", file, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.INTERRUPTED, done.stdout + done.stderr
    assert not any(bench.board.coils), "safe though it was terminated"
    assert "the bench lacks ventilation: relays.coils.pilot_d is missing" in done.stdout
    folder = tmp_path / "evidence" / "test_some.test_fails"
    assert f"evidence: {folder.relative_to(tmp_path)}" in done.stdout
    assert '"state": "Available"' in (folder / "console.log").read_text()
    assert re.search(r"^ +[\d.]+ meter +01 04 ", (folder / "meter-bus.txt").read_text(), re.M)
    assert re.search(r"^ +[\d.]+ bench +01 05 00 01 ff 00", (folder / "relay-bus.txt").read_text(),
                     re.M)
    missing = folder / "missing.txt"
    assert not missing.exists(), missing.read_text()
    assert len((folder / "ledger.bin").read_bytes()) == image.partitions()["ledger"].size
    checked = subprocess.run(
        [sys.executable, "-m", "host.cli", "ledger", "verify", str(folder / "ledger.bin"),
         "--keys", str(bench.file.parent / "keys")],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_a_failure_in_the_simulation_leaves_the_same(tmp_path):
    if mosquitto_path() is None:
        pytest.skip(NO_MOSQUITTO)
    (tmp_path / "test_some.py").write_text("def test_it(rig): assert not rig.box.identity()\n")
    done = run("test_some.py", "--rootdir", ".", "--evidence", "left", cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.TESTS_FAILED, done.stdout + done.stderr
    names = {path.name for path in (tmp_path / "left" / "test_some.test_it").iterdir()}
    assert names == {"console.log", "meter-bus.txt", "ledger.bin"}


@pytest.mark.parametrize(
    ("arguments", "text", "says"),
    [
        (["--box", "/dev/ttyUSB0"], "", "--box PORT and --bench FILE belong together"),
        (["--bench", "bench.toml"], "", "--box PORT and --bench FILE belong together"),
        ([], "@pytest.mark.needs('cat')\n", "needs('cat') names no capability; there are car"),
        ([], "@pytest.mark.needs()\n", "names no capability"),
    ],
)
def test_a_wrong_use_is_told_before_anything_is_switched(tmp_path, arguments, text, says):
    (tmp_path / "test_it.py").write_text(f"import pytest\n{text}def test_it(rig): pass\n")
    done = run("test_it.py", "--rootdir", ".", *arguments, cwd=tmp_path)
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert says in done.stdout + done.stderr


def test_a_bench_that_is_not_there_ends_the_run_in_one_line(tmp_path):
    (tmp_path / "bench.toml").write_text(textwrap.dedent("""
        [box]
        serial = "WB-000001"
        [relays]
        port = "/nonexistent"
        coils = {mains = 0}
    """))
    (tmp_path / "test_it.py").write_text("def test_it(rig): pass\n")
    with silent_port() as usb:
        done = run("test_it.py", "--rootdir", ".", "--box", usb, "--bench", "bench.toml",
                   cwd=tmp_path)
    assert done.returncode == 3
    assert "the relay board's port /nonexistent cannot be opened" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
