"""The screens in docs/provisioning.md are those that a run shows."""

from __future__ import annotations

import io
import re
import threading
import time
from pathlib import Path

import pytest
import typer
from rich.console import Console
from typer.testing import CliRunner

from host.cli import app
from host.provisioning import outcome
from host.provisioning.order import read_order
from host.provisioning.run import NAMES, provision
from host.provisioning.screen import PersonScreen
from tests.depots import depot

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "provisioning.md").read_text()


def picture(command: str) -> list[str]:
    """The lines of the block behind `$ command`, without it and without `…`."""
    block = PAGE.split(f"    $ {command}\n", 1)[1].split("\n\n", 1)[0]
    lines = [line.strip() for line in block.splitlines()]
    assert len(lines) > 2
    return [line for line in lines if line != "…"]


def bare(text: str) -> list[str]:
    """Lines without what differs from run to run: numbers, times, folders."""
    text = re.sub(r"/\S*/", "", text)
    return [re.sub(r"\d+", "0", " ".join(line.split())) for line in text.splitlines() if line]


def help_out(world) -> None:
    """The person at the box."""
    world.box.wait_for("hold a tag", 60)
    world.tag.present(b"\x04abcdef")
    for loop in ("lid", "terminal_cover"):
        world.box.wait_for(f"open the {loop.replace('_', ' ')}", 60)
        world.seal.open(loop)
        time.sleep(0.5)
        world.seal.close(loop)


def test_the_screens_of_a_whole_job(tmp_path, monkeypatch):
    shown = io.StringIO()
    console = Console(file=shown, width=200, no_color=True)

    def prompt(text, **_):
        console.print(f"{text}: yes")
        return "yes"

    monkeypatch.setattr(typer, "prompt", prompt)
    with depot(tmp_path, speed=2) as place:
        job = place.job(screen=PersonScreen(console, True), reader={"fitted": True})
        job.person, job.tap_s, job.open_s = True, 30, 60
        person = threading.Thread(target=help_out, args=(place.worlds[0],))
        person.start()
        provision(job)
        person.join()
    lines = bare(shown.getvalue())
    for line in picture("wallbox provision --order ORDER.toml")[:-1]:
        (wanted,) = bare(line)
        assert wanted.replace("provisioning/", "") in lines, (line, shown.getvalue())


def test_the_order_of_the_page_is_an_order(tmp_path):
    (example,) = re.findall(r"```toml\n(serial.*?)```", PAGE, re.DOTALL)
    path = tmp_path / "ORDER.toml"
    path.write_text(example)
    order = read_order(path)
    assert order.serial == "WB-000001" and order.installation.cable_mm2 == 4.0


@pytest.mark.parametrize("name", NAMES)
def test_every_step_is_explained(name):
    assert f"| `{name}` |" in PAGE


def test_every_option_and_exit_code_is_explained():
    told = CliRunner().invoke(app, ["provision", "--help"], env={"COLUMNS": "200"}).stdout
    for option in set(re.findall(r"--[a-z][a-z-]+", told)) - {"--help", "--port", "--image"}:
        assert option in PAGE, option
    codes = {value for name, value in vars(outcome).items() if name.startswith("EXIT_")}
    for code in (0, 1, 2, *codes):
        assert f"| {code} |" in PAGE, code


def test_the_table_of_devices(tmp_path):
    with depot(tmp_path, boxes=2, tls=False) as place:
        provision(place.job(1))
        ports = [f"--port={world.box.usb}" for world in place.worlds]
        told = CliRunner().invoke(app, ["devices", *ports, "--no-color"], env={"COLUMNS": "200"})
    titles, box, _prompt = picture("wallbox devices")
    shown = [line.split() for line in told.stdout.splitlines()]
    assert shown[0] == titles.split()
    assert shown[2][1:] == box.split()[2:]  # no USB ids here
