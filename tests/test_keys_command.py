"""`wallbox keys` for people and for machines."""

from __future__ import annotations

import json

from typer.testing import CliRunner

from host.cli import app


def keys(*words):
    return CliRunner().invoke(app, ["keys", *map(str, words)])


def test_a_new_key_says_where_it_is_and_is_listed(tmp_path):
    store = tmp_path / "keys"
    made = keys("new", "WB-1", "--keys", store)
    assert made.exit_code == 0 and made.stdout.strip().endswith("WB-1.key")
    told = json.loads(keys("new", "WB-2", "--keys", store, "--json").stdout)
    assert told["box"] == "WB-2" and told["file"].startswith(str(store))
    assert keys("list", "--keys", store).stdout.split() == ["WB-1", "WB-2"]
    assert json.loads(keys("list", "--keys", store, "--json").stdout) == {"boxes": ["WB-1", "WB-2"]}


def test_what_is_told_holds_no_secret(tmp_path):
    store = tmp_path / "keys"
    told = keys("new", "WB-1", "--keys", store, "--json").stdout
    secret = (store / "WB-1.key").read_text().strip()
    assert len(secret) >= 64 and secret not in told + keys("list", "--keys", store, "--json").stdout


def test_a_second_key_for_a_box_is_refused_in_one_line(tmp_path):
    assert keys("new", "WB-1", "--keys", tmp_path / "keys").exit_code == 0
    again = keys("new", "WB-1", "--keys", tmp_path / "keys", "--json")
    assert again.exit_code == 4 and again.stdout == "" and again.stderr.count("\n") == 1


def test_the_operators_pair_is_named(tmp_path):
    files = tmp_path / "operator.pem", tmp_path / "operator.pub"
    told = json.loads(keys("operator", *files, "--json").stdout)
    assert told == {"private": str(files[0]), "public": str(files[1])}
