"""Fixtures of the tests of `wallbox send`: key store, box, and the command; import them by name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.keys import KeyStore
from tests.answering_box import AnsweringBox

SERIAL = "WB-000001"
KEY = bytes(range(32))
UID = "04a1b2c3d4e5f6"
PAGE = (Path(__file__).resolve().parent.parent / "docs" / "operator.md").read_text()
TAGS = "uid,status,limit_a\n" + "".join(f"04{n:012x},Accepted,10\n" for n in range(60))


@pytest.fixture
def keys(tmp_path):
    (tmp_path / "keys").mkdir(mode=0o700)
    store = KeyStore(tmp_path / "keys")
    store.create(SERIAL, KEY)
    return store


@pytest.fixture
def box(mosquitto):
    box = AnsweringBox(mosquitto, SERIAL, KEY)
    yield box
    box.close()


@pytest.fixture
def send(mosquitto, keys, tmp_path, monkeypatch):
    """Runs `wallbox send WB-000001 …` in an empty directory beside the key store."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "tags.csv").write_text(TAGS)
    (tmp_path / "changes.csv").write_text(f"uid,status\n{UID},Remove\n")
    (tmp_path / "uid.txt").write_text(UID)
    (plan,) = re.findall(r"(?:^    (?:from,until|2027-01).*\n)+", PAGE, re.MULTILINE)
    (tmp_path / "night.csv").write_text(plan.replace("    ", ""))
    environment = {"WALLBOX_BROKER": mosquitto.host, "WALLBOX_PORT": str(mosquitto.port)}

    def send(*arguments, text=None, **more):
        runner = CliRunner(env={**environment, "COLUMNS": "250", **more})
        return runner.invoke(app, ["send", SERIAL, *arguments], input=text)

    return send


