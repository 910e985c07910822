"""Field logs that are kept are decided as they were, on both interpreters."""

import re
import shutil

import pytest

from host.replay import cores, lanes
from host.replay.field_log import NoLog, read_log
from tests import golden_field
from tests.replay_story import charging_story

LOGS = golden_field.logs()
RENEW = "the rules decide a kept field log otherwise; if that is meant: make golden"


def test_there_are_some():
    assert LOGS


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_a_kept_log_is_decided_as_it_was(path):
    assert golden_field.digests(path) == golden_field.kept(path), RENEW


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_micropython_decides_it_so_too(path):
    told = lanes.play_on("micropython", cores.of_tree(), read_log(path), None)
    lines = [f"{one.decided:08x} {one.state:08x}" for one in told]
    assert lines == [line.split(" ", 2)[2] for line in golden_field.kept(path)[:-1]], RENEW


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
def test_a_kept_log_names_nobody(path):
    assert read_log(path).origin.anonymised and path.stat().st_size <= golden_field.BYTES_MAX


def test_only_what_is_anonymous_and_readable_for_long_is_added(tmp_path):
    folder = tmp_path / "golden"
    folder.mkdir()
    with pytest.raises(NoLog, match="wallbox log anonymise"):
        golden_field.add(charging_story().save(tmp_path / "field.zip"), folder)
    assert golden_field.add(LOGS[0], folder).exists()
    with pytest.raises(NoLog, match="exists"):
        golden_field.add(LOGS[0], folder)


@pytest.mark.parametrize("name", ("noext", "with space.zip", ".zip", "-x.zip", "a.ZIP", "a.zip\n"))
def test_a_log_is_added_by_a_name_under_which_it_is_played(tmp_path, name):
    folder = tmp_path / "golden"
    folder.mkdir()
    shutil.copy(LOGS[0], tmp_path / name)
    with pytest.raises(NoLog, match="name the log otherwise"):
        golden_field.add(tmp_path / name, folder)
    assert not list(folder.iterdir())
    shutil.copy(LOGS[0], tmp_path / "a_b-2.c.zip")
    added = golden_field.add(tmp_path / "a_b-2.c.zip", folder)
    assert golden_field.logs(folder) == [added]


def test_renewing_tells_what_changed(tmp_path, capsys):
    shutil.copy(LOGS[0], tmp_path)
    golden_field.renew(tmp_path)
    assert capsys.readouterr().out == f"{LOGS[0].name}: new\n"
    golden_field.renew(tmp_path)
    assert capsys.readouterr().out == f"{LOGS[0].name}: as it was\n"
    stored = tmp_path / "logs.txt"
    stored.write_text(re.sub(r"[0-9a-f]{8}$", "00000000", stored.read_text(), flags=re.M))
    golden_field.renew(tmp_path)
    assert "decided otherwise from record" in capsys.readouterr().out
