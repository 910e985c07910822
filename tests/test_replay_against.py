"""What other rules would have decided otherwise, and what that is worth."""

import json

import pytest
from typer.testing import CliRunner
from wallbox.core import events

from host.cli import app
from host.replay import cores
from host.replay.against import compare
from host.replay.field_log import write_log
from tests.replay_story import TracedBench
from tests.test_replay import plant

# refuses from a register on
STRICTER = ("metering", "bits = 0\n", "bits = 1 if state.register_wh > 1_005_000 else 0\n")


def charged(minutes: int, refused: int) -> TracedBench:
    """So many minutes of charging at 11 kW, then so many with an opened lid."""
    bench = TracedBench(sectors=64)
    bench.known()
    bench.charge()
    for _ in range(minutes):
        bench.now += 60_000
        bench.register_wh += 183
        bench.send(events.METER_READING, bench.register_wh, 11_000, *[0] * 10)
    if refused:
        bench.send(events.SEAL, 1, 1)
        bench.send(events.CONTACTOR, 0)
        bench.pilot("B")
    bench.minutes(refused)
    return bench


def compared(bench: TracedBench, folder, *planted: tuple[str, str, str]):
    log = bench.log()
    core = plant(folder / planted[0][0], *planted[0])
    other = cores.of_folder(core, "planted")
    return compare(log.trace, cores.of_tree(), other, log.layouts, None, 1)


@pytest.mark.parametrize("option", ["--against", "--rev", "--publish"])
def test_an_empty_name_is_not_the_same_as_none(tmp_path, option):
    """Else a script whose variable is not set would hear that nothing differs."""
    done = CliRunner().invoke(app, ["replay", str(tmp_path / "field.zip"), option, ""])
    assert done.exit_code == 2


def test_the_same_rules_decide_the_same(tmp_path):
    planted = ("metering", "    bits = 0\n", "    bits = 0  # as it was\n")
    found = compared(charged(90, 20), tmp_path, planted)
    assert (found.count, found.lost_wh, found.gained_ms) == (0, 0, 0)
    assert found.events > 100


def test_rules_that_refuse_more_lose_what_was_recorded(tmp_path):
    found = compared(charged(60, 0), tmp_path, STRICTER)
    first = found.otherwise[0]
    assert first.event["event"] == "METER_READING" and not first.base_refusals
    assert first.event["register_wh"] == 1_000_000 + 28 * 183, "the first one above"
    assert "ConfigurationInvalid" in first.other_refusals
    assert {"decision": "CONTACTOR", "value": 0} in first.other
    assert found.lost_wh == 32 * 183 and found.lost_ms == 32 * 60_000
    assert found.gained_ms == 0


def test_rules_that_refuse_less_gain_minutes_by_what_the_car_drew_last(tmp_path):
    planted = ("seals", "    return 1 << refusals.SEAL", "    return 0")
    found = compared(charged(30, 40), tmp_path, planted)
    assert any("TamperDetectionActivated" in one.base_refusals and not one.other_refusals
               for one in found.otherwise)
    assert found.gained_ms == pytest.approx(40 * 60_000, abs=61_000)
    assert found.gained_wh == pytest.approx(11_000 * found.gained_ms / 3_600_000, rel=0.06)
    assert found.lost_wh == 0


def test_the_contactor_obeys_the_other_rules_too(tmp_path):
    """Else they would see a contactor that fails, and current through an open one."""
    found = compared(charged(60, 0), tmp_path, STRICTER)
    names = {name for one in found.otherwise for name in one.other_refusals}
    assert names == {"ConfigurationInvalid"}


def test_the_command_lists_them_with_minutes_and_energy(tmp_path):
    field = charged(60, 0).save(tmp_path / "field.zip")
    core = plant(tmp_path / "other", *STRICTER)
    done = CliRunner().invoke(app, ["replay", str(field), "--against", str(core), "--json"])
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert (told["lost_kwh"], told["lost_minutes"]) == (32 * 183 / 1000, 32.0)
    assert told["count"] == len(told["otherwise"]) > 0
    assert told["otherwise"][0]["utc"].startswith("2026-09-2")
    shown = CliRunner().invoke(app, ["replay", str(field), "--against", str(core)])
    assert "lost: 32.0 minutes of charging, 5.856 kWh (recorded)" in shown.stdout
    same = CliRunner().invoke(app, ["replay", str(field), "--against", str(cores.of_tree().folder)])
    assert same.exit_code == 0 and "0 of them otherwise" in same.stdout
    wrong = CliRunner().invoke(app, ["replay", str(field), "--against", "HEAD", "--on", "cpython"])
    assert wrong.exit_code == 2


def test_what_only_the_lamp_shows_is_counted_apart(tmp_path):
    """So that rows that mean power or a record are not lost among them; --json has them all."""
    field = charged(30, 20).save(tmp_path / "field.zip")
    planted = ("../status", "return SEAL_BROKEN", "return SUSPENDED")
    core = plant(tmp_path / "other", *planted)
    shown = CliRunner().invoke(app, ["replay", str(field), "--against", str(core)])
    assert shown.exit_code == 1
    assert "more only in what the lamp shows; --json lists them" in shown.stdout
    assert "decided otherwise" not in shown.stdout, "no table of them"
    done = CliRunner().invoke(app, ["replay", str(field), "--against", str(core), "--json"])
    otherwise = json.loads(done.stdout)["otherwise"]
    assert otherwise and all(
        {taken["decision"] for taken in one["base"] + one["other"]} == {"LAMP"} for one in otherwise
    )


def refused(*words: object, code: int = 4) -> str:
    """What a command says that ends as it should, not with a traceback."""
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert isinstance(done.exception, SystemExit) and done.exit_code == code, done.exception
    return " ".join((done.stdout + done.stderr).split())


def test_rules_from_before_the_snapshots_of_now_are_refused(tmp_path):
    field = charged(3, 0).save(tmp_path / "field.zip")
    old = plant(tmp_path / "old", "../state", "self.watches =", "self.guards =")
    rev = ("--rev", old, "--any-core")
    for words in (("replay", field, "--against", old), ("replay", field, *rev),
                  ("explain", field, "--at", "1:60000", *rev)):
        said = refused(*words)
        assert "too old to take over snapshots" in said and "has no watches" in said


def test_snapshots_that_cannot_be_taken_over_are_told_and_not_compared(tmp_path):
    log = charged(3, 0).log()
    tree = cores.of_tree()
    log.layouts = {tree.hash: tree.layout + ",strange 2"}
    write_log(tmp_path / "field.zip", log)
    said = refused("replay", tmp_path / "field.zip", "--against", tree.folder, code=1)
    assert "rules failed in 1 segments" in said and "the state has" in said
