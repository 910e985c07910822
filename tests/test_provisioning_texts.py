"""Every sentence of the partner's screens and of the certificate is there in Danish."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import polib
import pytest
from typer.testing import CliRunner

from host.cli import app
from host.console import out
from host.provisioning import texts

FOLDER = Path(texts.__file__).resolve().parent
CALLS = {"_", "N_", "t"}


def messages() -> dict[str, str]:
    """Every marked message of host/provisioning, and where it stands first."""
    found = {}
    for path in sorted(FOLDER.glob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id in CALLS and node.args and isinstance(node.args[0], ast.Constant):
                found.setdefault(node.args[0].value, f"{path.name}:{node.lineno}")
    return found


@pytest.fixture(scope="module")
def danish():
    file = polib.pofile(str(FOLDER / "locale" / "da.po"), encoding="utf-8")
    return {entry.msgid: entry.msgstr for entry in file}


def test_no_message_is_untranslated(danish):
    missing = [f"{where}: {text}" for text, where in messages().items() if not danish.get(text)]
    assert not missing, "\n".join(missing)


def test_no_translation_is_left_over(danish):
    assert not set(danish) - set(messages())


def test_a_translation_has_the_values_of_its_message(danish):
    for message, text in danish.items():
        assert set(re.findall(r"{\w+}", message)) == set(re.findall(r"{\w+}", text)), message


def test_what_a_command_shows_is_marked():
    """A Stopped is made of marked messages: a bare English sentence among them is found."""
    makers = {"refused", "unreachable", "unusable", "waiting"}
    for path in sorted(FOLDER.glob("step_*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
                if node.func.id in makers:
                    bare = [one.value for one in node.args[:3] if isinstance(one, ast.Constant)]
                    assert not bare, f"{path.name}:{node.lineno}: {bare}"


def test_the_language_is_chosen_for_the_process():
    try:
        texts.choose("da")
        assert texts._("yes") == "ja"
        assert texts._("{count} lines passed", count=3).startswith("3 ")
    finally:
        texts.choose("en")
    assert texts._("yes") == "yes"
    with pytest.raises(ValueError, match="en, da"):
        texts.choose("de")


def test_a_command_leaves_its_language_and_colours_to_nobody(tmp_path):
    words = ["certificate", "verify", str(tmp_path / "none"), "--authority", "none"]
    wanted = CliRunner().invoke(app, words).output
    assert CliRunner().invoke(app, [*words, "--lang", "da", "--no-color"]).output != wanted
    assert texts._("why") == "why" and not out.no_color
    assert CliRunner().invoke(app, words).output == wanted
