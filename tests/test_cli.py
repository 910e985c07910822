"""The command line as a whole: help for everything, one line of error, exit codes."""

import os
import stat
import subprocess
import sys

import pytest
import typer.main
from typer.testing import CliRunner

from host.cli import app
from host.console import out


def commands(command, path=()):
    """Every command with its path, groups included."""
    yield path, command
    for name, child in getattr(command, "commands", {}).items():
        yield from commands(child, (*path, name))


ALL = dict(commands(typer.main.get_command(app)))
BOARD = ["board", "wroom32"]
LEAVES = [path for path, command in ALL.items() if not hasattr(command, "commands")]


@pytest.mark.parametrize("path", ALL, ids=lambda path: " ".join(("wallbox", *path)))
def test_every_command_and_option_has_a_help_text(path):
    command = ALL[path]
    assert command.help, "the command"
    for parameter in command.params:
        assert getattr(parameter, "help", None), parameter.name
    done = CliRunner().invoke(app, [*path, "--help"])
    assert done.exit_code == 0 and "Usage" in done.stdout


@pytest.mark.parametrize("path", LEAVES, ids=lambda path: " ".join(("wallbox", *path)))
def test_every_command_speaks_to_machines_and_without_colour(path):
    options = {name for parameter in ALL[path].params for name in parameter.opts}
    assert {"--json", "--no-color"} <= options
    group = ALL[path[:-1]].help or ""
    assert "xit code" in f"{ALL[path].help} {group}"


def test_the_jobs_of_this_part_are_there():
    assert {("collect",), ("ledger", "show"), ("keys", "new")} <= set(ALL)


def test_help_answers_without_loading_what_is_heavy():
    code = "import sys, host.cli; print([m for m in ('sqlalchemy', 'paho') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_or_option():
    for arguments in (["chrage"], ["collect", "--prot", "1"], ["ledger", "show", "--last", "-1"]):
        done = CliRunner().invoke(app, arguments)
        assert done.exit_code == 2 and "Error" in done.stderr


def run_into(stdout, *words, encoding="utf-8") -> tuple[int, str]:
    command = [sys.executable, "-m", "host.cli", *words]
    done = subprocess.run(
        command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("words", [BOARD, [*BOARD, "--json"], ["--help"]])
def test_a_reader_who_leaves_changes_no_exit_code(words):
    reading, writing = os.pipe()
    os.close(reading)
    assert run_into(writing, *words) == (0, "")
    os.close(writing)


@pytest.mark.parametrize("words", [BOARD, [*BOARD, "--json"]])
def test_what_cannot_be_written_is_said_in_a_line(words):
    with open("/dev/full", "wb") as full:
        code, said = run_into(full, *words)
    assert (code, said) == (4, "wallbox: standard output: No space left on device\n")


def test_output_that_knows_few_letters_breaks_nothing(tmp_path):
    with open(tmp_path / "said", "wb") as said:
        assert run_into(said, "fleet", "--help", encoding="ascii") == (0, "")
    assert b"--prefix" in (tmp_path / "said").read_bytes()


def test_a_time_between_colons_is_no_picture(capsys):
    out.print("boot 1:100: :smile:")
    assert capsys.readouterr().out == "boot 1:100: :smile:\n"


def test_keys_are_made_private_and_never_printed(tmp_path):
    keys = tmp_path / "keys"

    def run(*arguments):
        return CliRunner().invoke(app, ["keys", *arguments, "--keys", str(keys)])

    made = run("new", "WB-000001")
    path = keys / "WB-000001.key"
    assert made.exit_code == 0 and made.stdout.replace("\n", "") == str(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(keys.stat().st_mode) == 0o700
    assert run("list").stdout == "WB-000001\n"
    again = run("new", "WB-000001")
    assert again.exit_code == 4 and "has a key" in again.stderr
    assert run("new", "../x").exit_code == 4
    path.chmod(0o644)
    told = run("list")
    assert told.exit_code == 4 and "chmod 600" in told.stderr


def test_a_reader_that_leaves_early_is_no_error(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    for number in range(3000):
        path = tmp_path / "keys" / f"WB-{number:06}.key"
        path.write_text("00" * 32)
        path.chmod(0o600)
    done = subprocess.run(
        f"{sys.executable} -m host.cli keys list --keys {tmp_path / 'keys'} | head -n 1",
        shell=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
        check=True,
    )
    assert done.stdout == "WB-000000\n" and done.stderr == ""
