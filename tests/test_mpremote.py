"""The real mpremote against the simulated box's USB."""

from __future__ import annotations

import hashlib
import subprocess
import sys

import pytest

from hw.sim.box import Box
from tests.simbox import flash_of

MAIN = """
import time
print("main runs")
while True:
    time.sleep_ms(10)
"""


@pytest.fixture(scope="module")
def box():
    """A box whose main.py never ends."""
    with Box() as running:
        running.flash(flash_of(MAIN, boot="print('boot runs')"))
        running.power_on()
        running.wait_for("main runs")
        yield running
        assert running.failure is None


@pytest.fixture
def mpremote(box, tmp_path):
    """`mpremote(*words)` gives what it prints; mpremote starts each time in `tmp_path`."""

    def run(*words: str, timeout_s: float = 20) -> str:
        result = subprocess.run(
            [sys.executable, "-m", "mpremote", "connect", box.usb, *words],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=timeout_s,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
        return result.stdout.replace("\r\n", "\n")

    return run


def test_ls(mpremote):
    assert mpremote("fs", "ls").split()[2:] == ["18", "boot.py", "0", "lib/", "66", "main.py"]


def test_cp_both_ways_and_sha256sum(mpremote, tmp_path):
    data = bytes(range(256)) * 40
    (tmp_path / "there.bin").write_bytes(data)
    mpremote("fs", "cp", "there.bin", ":data.bin")
    assert hashlib.sha256(data).hexdigest() in mpremote("fs", "sha256sum", ":data.bin")
    mpremote("fs", "cp", ":data.bin", "back.bin")
    assert (tmp_path / "back.bin").read_bytes() == data
    mpremote("fs", "rm", ":data.bin")
    assert "data.bin" not in mpremote("fs", "ls")


def test_folders_and_cat(mpremote, tmp_path):
    (tmp_path / "note.txt").write_text("one\ntwo\n")
    mpremote("fs", "mkdir", ":lib/notes", "+", "fs", "cp", "note.txt", ":lib/notes/")
    assert mpremote("fs", "cat", ":lib/notes/note.txt").endswith("one\ntwo\n")
    mpremote("fs", "rm", "-r", ":lib/notes")


def test_exec_and_eval(mpremote):
    assert mpremote("exec", "import machine; print(machine.unique_id().hex())") == "240ac4000001\n"
    assert mpremote("eval", "2 ** 40") == "1099511627776\n"


def test_an_error_on_the_box_is_an_error_of_the_command(box, tmp_path):
    result = subprocess.run(
        [sys.executable, "-m", "mpremote", "connect", box.usb, "exec", "1 / 0"],
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )
    assert result.returncode == 1
    assert "ZeroDivisionError: divide by zero" in result.stderr + result.stdout


def test_run_a_script(mpremote, tmp_path):
    (tmp_path / "script.py").write_text("for n in range(3):\n    print('line', n)\n")
    assert mpremote("run", "script.py") == "line 0\nline 1\nline 2\n"


def test_much_output_arrives_complete(mpremote):
    text = mpremote("exec", "for n in range(3000):\n    print('line %04d' % n)")
    assert text.splitlines() == [f"line {n:04d}" for n in range(3000)]


def test_soft_reset_runs_boot_but_not_main(box, mpremote):
    mark = box.log.position
    mpremote("soft-reset")
    text = box.log.text(mark)
    assert "MPY: soft reboot\nboot runs\n" in text
    assert "main runs" not in text
    assert mpremote("resume", "exec", "import machine; print(machine.reset_cause())") == "5\n"


def test_resume_keeps_what_was_there(mpremote):
    mpremote("exec", "kept = 42")
    assert mpremote("resume", "eval", "kept") == "42\n"


def test_reset_starts_main_again(box, mpremote):
    mark = box.log.position
    mpremote("reset")
    box.wait_for("rst:2.*\nboot runs\nmain runs", since=mark)
    assert mpremote("exec", "import machine; print(machine.reset_cause())") == "5\n"


def test_ctrl_d_at_the_prompt_of_the_repl_runs_main(box, mpremote):
    mpremote("exec", "pass")  # leaves the box at the friendly prompt
    mark = box.log.position
    box.type("\x04")
    box.wait_for("MPY: soft reboot\nboot runs\nmain runs", since=mark)


def test_a_folder_of_the_laptop_can_be_mounted(mpremote, tmp_path):
    (tmp_path / "mounted.py").write_text("answer = 4711\n")
    assert "4711" in mpremote("mount", ".", "exec", "import mounted; print(mounted.answer)")


def test_the_clock_can_be_set(mpremote):
    mpremote("rtc", "--set")
    assert mpremote("exec", "import time; print(time.gmtime()[0] >= 2026)") == "True\n"
