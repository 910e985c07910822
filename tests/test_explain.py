"""Why a box did or did not give power at a moment of its past."""

import json
import time

import pytest
from typer.testing import CliRunner
from wallbox.core import events

from host.cli import app
from host.replay import cores
from host.replay.explain import parsed
from host.replay.field_log import read_log, write_log
from tests.player import UTC_S
from tests.replay_story import MINUTE_MS, charging_story, with_check
from tests.test_replay import plant

SILENT_MS = 70 * MINUTE_MS + 151_000 + 30_000


@pytest.fixture(scope="module")
def field(tmp_path_factory):
    return charging_story().save(tmp_path_factory.mktemp("explain") / "field.zip")


def explain(field, at: str, *more: str, code: int = 0):
    done = CliRunner().invoke(app, ["explain", str(field), "--at", at, *more])
    assert done.exit_code == code, done.output + (done.stderr or "")
    return done


def told(field, at: str) -> dict:
    return json.loads(explain(field, at, "--json").stdout)


def utc(after_s: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(UTC_S + after_s))


def test_while_it_charged(field):
    found = told(field, utc(20 * 60))
    assert (found["status"], found["why"], found["refusals"]) == ("Charging", "Charging", [])
    assert found["utc"] == utc(20 * 60) and found["contactor"] == "closed"
    assert found["session"]["phase"] == "open" and found["session"]["energy_wh"] == 20 * 180
    assert found["session"]["authority"] == "tag"
    assert found["limits_ma"] == {"installation": 16_000} and found["link"] == "delivered"
    assert found["before"][-1]["event"] == "METER_READING"


def test_while_the_meter_was_silent_in_both_languages(field):
    found = told(field, utc(SILENT_MS // 1000))
    assert found["why"] == "PowerMeterSilent" and found["contactor"] == "open"
    assert found["meter"]["silent"] is True
    (refusal,) = found["refusals"]
    assert "does not answer" in refusal["en"] and "svarer ikke" in refusal["da"]
    assert any(step["event"] == "METER_SILENT" for step in found["before"])
    text = explain(field, utc(SILENT_MS // 1000), "--lang", "da").stdout
    assert "Måleren svarer ikke" in text and "PowerMeterSilent" in text
    assert "METER_SILENT reason=1" in text


def test_a_moment_of_a_boot_by_its_ms(field):
    found = told(field, f"1:{20 * MINUTE_MS}")
    assert found["now_ms"] == 20 * MINUTE_MS and found["why"] == "Charging"
    after = told(field, "2:0")
    assert after["boot"] == 2 and after["before"][-1]["boot"] == 2


def test_danish_time_without_a_zone(field):
    found = told(field, "2026-09-21T16:30")
    assert found["utc"] == "2026-09-21T14:30:00Z" and "16:30:00 CEST" in found["local"]


def test_the_time_since_the_last_event_counts(field):
    """Readings come each minute; half a minute later the answer is of that moment."""
    found = told(field, utc(20 * 60 + 30))
    assert found["utc"] == utc(20 * 60 + 30) and found["meter"]["age_s"] == 30


def test_what_the_log_does_not_tell_of_is_said_and_not_guessed(field):
    assert "the log begins later" in explain(field, "2020-01-01T00:00Z", code=5).stderr
    said = explain(field, "2027-01-01T00:00Z", code=5).stderr
    assert "wrote nothing between" in said and "end of the log" in said
    said = explain(field, utc(8500), code=5).stderr
    assert "without power, or that part of its trace is gone" in said and "boot 2:0" in said
    assert "no time" in explain(field, "yesterday", code=2).stderr
    assert explain(field, "1:0", "--lang", "de", code=2)


def test_what_limits_right_after_a_snapshot_is_known(tmp_path):
    bench = charging_story()
    bench.send(events.LEASE, 4, 9, 8000, 0, UTC_S + 100_000, 6000)
    bench.minutes(70)
    field = bench.save(tmp_path / "leased.zip")
    for minute in (62, 63, 70):
        found = told(field, f"2:{minute * MINUTE_MS + 10}")
        assert found["limits_ma"]["grid"] == 8000, minute
    assert (parsed("3:12").boot, parsed("3:12").now) == (3, 12)


def test_a_log_of_two_firmwares_is_explained_with_the_rules_that_decided_then(field, tmp_path):
    log = read_log(field)
    tree, older = cores.of_tree(), b"of older"
    mine = next(at for at, one in enumerate(log.trace) if at > 0 and tree.hash in one)
    first = [with_check(one.replace(tree.hash, older)) for one in log.trace[:mine]]
    log.trace[:mine] = first
    write_log(tmp_path / "two.zip", log)
    done = explain(tmp_path / "two.zip", "1:60000", code=4)
    assert f"decided by the rules {older.hex()}" in done.stderr and "--any-core" in done.stderr
    assert "1:60" in explain(tmp_path / "two.zip", "1:60000", "--any-core").stdout
    assert explain(tmp_path / "two.zip", "2:60000").stdout


@pytest.mark.parametrize(
    ("new", "says"),
    [
        ("    bits =\n", "cannot be played: invalid syntax"),
        ("    raise RuntimeError('no')\n", "these rules fail: RuntimeError: no"),
        ("    raise OSError('no disk')\n", "these rules fail: OSError: no disk"),
        ("    bits = {}['bits']\n", "these rules fail: KeyError: 'bits'"),
    ],
)
def test_rules_under_work_fail_in_one_line(field, tmp_path, new, says):
    core = plant(tmp_path, "metering", "    bits = 0\n", new)
    done = explain(field, utc(20 * 60), "--rev", str(core), "--any-core", code=4)
    assert says in done.stderr and isinstance(done.exception, SystemExit)
    done = CliRunner().invoke(app, ["replay", str(field), "--against", str(core)])
    assert done.exit_code in (1, 4) and isinstance(done.exception, SystemExit)
    assert says.rpartition(": ")[2] in done.output
