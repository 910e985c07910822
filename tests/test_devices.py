"""What is at a port: a box in service, an open prompt, nothing; and the questions to a person."""

from __future__ import annotations

import io
import json

import pytest
from rich.console import Console
from typer.testing import CliRunner

from host.cli import app
from host.provisioning import texts
from host.provisioning.outcome import EXIT_WAITING, Stopped
from host.provisioning.run import provision
from host.provisioning.screen import JsonScreen, PersonScreen
from host.provisioning.step_test_people import parse_kwh
from tests.depots import depot


def test_a_blank_box_one_half_way_and_one_in_service(tmp_path):
    with depot(tmp_path, boxes=2, tls=False) as place:
        provision(place.job(1))
        ports = [world.box.usb for world in place.worlds]
        words = [word for port in (*ports, str(tmp_path / "none")) for word in ("--port", port)]
        told = CliRunner().invoke(app, ["devices", *words, "--json"])
        assert told.exit_code == 0
        prompt, box, nothing = (json.loads(line) for line in told.stdout.splitlines())
        assert prompt["content"] == "MicroPython"
        assert (box["content"], box["serial"]) == ("wallbox", "WB-000002")
        assert (box["lifecycle"], box["firmware"]) == ("in service", "0.1.0")
        assert nothing["content"] == "trouble" and "no such port" in nothing["note"]
        table = CliRunner().invoke(app, ["devices", *words, "--no-color", "--lang", "da"])
        assert "WB-000002" in table.stdout and "\x1b" not in table.stdout
        texts.choose("en")


@pytest.fixture
def typed(monkeypatch):
    """What a person types, answer by answer."""

    def type_(*answers):
        monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(answers) + "\n"))

    return type_


def test_a_person_is_asked_again_until_the_answer_is_right(typed):
    out = io.StringIO()
    screen = PersonScreen(Console(file=out, width=100, no_color=True), may_ask=True)
    typed("much", "1234,5")
    assert screen.ask("Register, kWh", "meter.display_wh", parse_kwh) == 1_234_500
    assert "right is a number of kWh" in out.getvalue()


def test_where_nobody_can_answer_the_field_is_named():
    screens = (JsonScreen("port"), PersonScreen(Console(file=io.StringIO()), may_ask=False))
    for screen in screens:
        with pytest.raises(Stopped, match="meter.display_wh") as stopped:
            screen.ask("Register, kWh", "meter.display_wh", parse_kwh)
        assert stopped.value.code == EXIT_WAITING


def test_colours_are_no_part_of_the_words():
    out = io.StringIO()
    screen = PersonScreen(Console(file=out, width=100, no_color=True), may_ask=True)
    screen.step(1, 8, "Chip")
    screen.line("meter", "fail", "no answer", "check the meter's supply")
    screen.progress(0.5)
    screen.done("done")
    text = out.getvalue()
    assert "[1/8] Chip" in text and "fail" in text and "→ check the meter's supply" in text
