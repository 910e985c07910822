"""What the documents show works as shown, and no link in them leads nowhere."""

import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner
from wallbox import config

from host.cli import app

ROOT = Path(__file__).resolve().parent.parent
PAGES = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_link_between_pages_leads_somewhere(page):
    for target in re.findall(r"\]\((?!http)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), f"{page.name}: {target}"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_command_that_a_page_names_has_help(page):
    commands = set(re.findall(r"\bwallbox ((?:ledger )?[a-z][a-z-]+)\b", code_of(page)))
    for command in commands:
        told = CliRunner().invoke(app, [*command.split(), "--help"])
        assert told.exit_code == 0, f"{page.name}: wallbox {command}"


def code_of(page: Path) -> str:
    """Only what is set as code: blocks and `spans`."""
    text = page.read_text()
    blocks = re.findall(r"^    .*$|```.*?```", text, re.MULTILINE | re.DOTALL)
    return "\n".join([*blocks, *re.findall(r"`[^`\n]+`", text)])


def test_the_smallest_configuration_is_valid():
    page = (ROOT / "docs" / "configuration.md").read_text()
    (example,) = re.findall(r"```json\n(.*?)```", page, re.DOTALL)
    example = example.replace("64 hex digits of this box's own", "5f" * 32)
    assert config.check(json.loads(example))["interval_s"] == 900


def test_every_key_of_the_configuration_is_documented():
    page = (ROOT / "docs" / "configuration.md").read_text()
    for row in config.rows():
        assert f"`{row[0]}`" in page, row[0]
    for model in config.CHOICES["meter.model"]:
        assert f"`{model}`" in page


def test_every_make_target_of_the_readme_exists():
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    for target in re.findall(r"\bmake ([a-z]+)", (ROOT / "README.md").read_text()):
        assert target in targets
