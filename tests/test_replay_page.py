"""What docs/replay.md shows works as shown."""

import re
import shlex
from pathlib import Path

from typer.testing import CliRunner

from host.cli import app
from host.replay import cores
from host.replay.field_log import read_log
from tests.replay_story import charging_story
from tests.test_trace_pull import flash_of

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "replay.md").read_text()


def test_the_examples_of_the_page(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "flash.bin").write_bytes(flash_of(charging_story(sectors=256)))
    (block,) = re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    commands = [shlex.split(line) for line in block.splitlines()]
    assert len(commands) >= 7
    shown = []
    for words in commands:
        assert words[0] == "wallbox"
        if "--against" in words:
            words[words.index("--against") + 1] = str(tree_core())
        done = CliRunner(env={"COLUMNS": "250"}).invoke(app, words[1:])
        assert done.exit_code == 0, f"{' '.join(words)}: {done.output}{done.stderr}"
        shown.append(done.stdout)
    assert "records of the ledger of WB-9" in shown[0]
    assert "agree" in shown[1] and "micropython agree" in shown[2]
    assert "0 of them otherwise" in shown[3]
    assert "Charging, Charging" in shown[4] and "Bilen kan" in shown[5]
    assert read_log(tmp_path / "shared.zip").origin.anonymised


def tree_core() -> Path:
    """A revision of git would do as well, where the tests run in a clone."""
    return cores.of_tree().folder


def test_each_option_that_the_page_names_exists():
    for option in set(re.findall(r"`(--[a-z-]+)", PAGE)):
        helps = [
            CliRunner(env={"COLUMNS": "250"}).invoke(app, [*command, "--help"]).stdout
            for command in (["replay"], ["explain"], ["trace", "pull"], ["log", "anonymise"])
        ]
        assert any(option in text for text in helps), option
