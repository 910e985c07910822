"""`wallbox certificate install` takes the box's own certificate, and nobody else's."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.demo.depot import Authority
from host.provisioning import authority, repl
from host.provisioning.outcome import Stopped
from host.provisioning.run import provision
from tests.depots import depot


@pytest.fixture(scope="module")
def waiting(tmp_path_factory):
    """A box that has its private key, and waits for the operator to sign."""
    with depot(tmp_path_factory.mktemp("waiting"), keys_at_hand=False) as place:
        with pytest.raises(Stopped):
            provision(place.job())
        yield place


def install(place, path):
    words = ["certificate", "install", str(path), "--port", place.worlds[0].box.usb, "--partner",
             str(place.partner_file), "--json"]
    return CliRunner().invoke(app, words)


def signed(place, operator, **changes):
    """By this authority, for the box's request or one of another key, serial or chip."""
    asked = place.job().file(".csr").read_bytes()
    if changes:
        names = {"serial": "WB-000001", "chip": "240ac4000000", **changes}
        asked = authority.request(authority.new_key(), **names)
    path = place.folder / "signed.crt"
    path.write_bytes(
        authority.sign(asked, operator.file.read_bytes(), operator.key_file.read_bytes())
    )
    return path


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"serial": "WB-000002"}, "belongs to"),
        ({"chip": "240ac4000002"}, "belongs to"),
        ({"chip": "240ac4000000"}, "another private key"),
    ],
)
def test_of_another_box_or_key(waiting, changes, why):
    result = install(waiting, signed(waiting, waiting.authority, **changes))
    assert result.exit_code == 5 and why in json.loads(result.stdout)["why"]


def test_of_another_authority_with_the_same_name(waiting, tmp_path):
    result = install(waiting, signed(waiting, Authority(tmp_path)))
    assert result.exit_code == 5 and "another authority" in json.loads(result.stdout)["why"]
    path = tmp_path / "none.crt"
    path.write_text("no certificate")
    assert install(waiting, path).exit_code == 4
    survey = repl.look(waiting.worlds[0].box.usb)
    repl.reset(waiting.worlds[0].box.usb)
    assert survey.files[repl.CERTIFICATE] == b"", "none of them came onto the box"


def test_its_own_is_taken(waiting):
    result = install(waiting, signed(waiting, waiting.authority))
    assert result.exit_code == 0 and json.loads(result.stdout)["serial"] == "WB-000001"
