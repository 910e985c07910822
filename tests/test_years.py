"""Simulated years: the real firmware in simulated time, and what must always hold.

Each box is played in a process of its own. SPAN of each box; together they are two box-years.
"""

from __future__ import annotations

import json
from dataclasses import replace
from fractions import Fraction

import pytest
import typer
from typer.testing import CliRunner

from host.years import command, failure, job, proof
from host.years.job import DAY_MS, YEAR_MS, Job, Lane, Result, play
from host.years.mutants import load
from host.years.on_box import meter as meters
from host.years.on_box import plan
from host.years.on_box.chance import Chance
from host.years.on_box.collector import Collector, Wrong
from host.years.shrink import Shrinker
from hw.sim.meter_models import MODELS, State
from tests.interpreter import ROOT

SEED = 2027
BOXES = 4
SPAN_MS = YEAR_MS // 2
MUTANTS = ROOT / "tests" / "mutants"


def proved(result: Result) -> list[str]:
    settings = result.job.plan()[0]
    return proof.findings(settings["serial"], proof.key_of(settings["seed"]), result.records)


@pytest.mark.parametrize("box", range(BOXES))
def test_half_a_year_of_trouble(box):
    result = play(Job(SEED, box, SPAN_MS, records=True))
    told = result.told
    print(told["counts"])
    assert result.wrong is None, result.wrong
    assert proved(result) == []
    assert told["stored"] == len(result.records) > 3000
    assert told["sessions"] > 20 and told["kwh_checked"] > told["sessions"] // 2
    counts = told["counts"]
    assert counts["power cuts"] > 5 and counts["power cut in the flash"] > 5
    assert counts["meter"] > 5 and counts["hostile"] > 20


def test_both_interpreters_live_the_same_life():
    """The digest is of all flash, and of the chain of macs of all that was delivered."""
    told = [play(Job(SEED, 5, 20 * DAY_MS, lane=lane)).told for lane in Lane]
    assert told[0] == told[1]
    assert told[0]["wrong"] is None and told[0]["counts"]["power cuts"] > 0


def test_the_same_seed_is_the_same_life_and_another_is_not():
    first, again, other = [play(Job(seed, 1, 4 * DAY_MS)).told for seed in (7, 7, 8)]
    assert first == again
    assert first["digest"] != other["digest"]


def test_a_plan_without_one_kind_leaves_the_others_as_they_are():
    settings, everything = plan.make(3, 0, YEAR_MS)
    for kind in plan.kinds():
        fewer = plan.make(3, 0, YEAR_MS, (kind,))[1]
        assert fewer == [entry for entry in everything if entry[1] != kind]
        assert len(fewer) < len(everything), "each kind happens"


@pytest.mark.parametrize("model", ["em340", "b23", "sdm630"])
def test_the_meter_has_the_registers_of_the_other_model(model):
    """That of hw/sim is written from the makers' maps, in fractions; this one in integers."""
    other = MODELS[model]
    serial = other.serial
    spans = {
        "em340": [(3, 0x0112, 48), (3, 0x000B, 1), (3, 0x5000, 7)],
        "b23": [(3, 0x5B00, 45), (3, 0x5000, 8), (3, 0x8960, 6), (3, 0x8900, 2)],
        "sdm630": [(4, 0x0000, 54), (4, 0x0046, 6), (3, 0xFC02, 1), (3, 0xFC00, 2)],
    }[model]
    for wh, power_w in ((0, 0), (12_345_670, 3680), (99_999_990, 1380), (89_008_800, 7360)):
        one = meters.Meter(model, serial, wh)
        one.power_w = [power_w, power_w, 0]
        state = State(serial=serial, code=other.code, import_wh=Fraction(wh))
        state.power_w = [Fraction(power_w), Fraction(power_w), Fraction(0)]
        for function, address, count in spans:
            held = other.words(state, function, address, count)
            assert one.registers(one, function, address, count) == held, hex(address)


def test_the_meter_counts_exactly_and_rolls_over():
    one = meters.Meter("b23", "1", 999_999_990)
    one.power_w = [3600, 3600, 3600]
    one.count(3_600_000)
    assert one.true_wh() == 10_790, "10,800 Wh more, and 10 from the end on"


def test_a_collector_objects_to_what_an_honest_box_never_sends():
    collector = Collector(bytes(32), lambda sequence, data: None)
    with pytest.raises(Wrong, match="no record"):
        collector.take(b"\x20" * 40)
    with pytest.raises(Wrong, match="packed"):
        collector.take(b"\x01" + bytes(60))


def test_numbers_that_are_drawn_lie_where_they_should():
    chance = Chance(SEED, "test")
    assert {chance.between(3, 5) for _ in range(100)} == {3, 4, 5}
    assert all(50 <= chance.long_tailed(50, 10**9) <= 10**9 for _ in range(500))
    assert max(chance.below(1 << 34) for _ in range(100)) > 1 << 30


def test_a_failure_is_made_small_and_played_again(tmp_path):
    """A planted bug stands for one of ours."""
    mutant = next(one for one in load(MUTANTS) if one.name.startswith("power without"))
    with mutant.planted() as firmware:
        failed = play(replace(mutant.job, firmware=firmware))
        assert failed.wrong
        shrinker = Shrinker(failed, seconds=15)
        small = shrinker.shrink()
        again = play(small.job)
    assert small.wrong and again.wrong and again.wrong[0] == small.wrong[0] == failed.wrong[0]
    assert again.told["steps"] == small.told["steps"] <= failed.told["steps"]
    assert len(small.job.plan()[1]) < len(failed.job.plan()[1]) // 2
    assert play(replace(small.job, firmware=None)).wrong is None, "the firmware itself is sound"


def test_the_command(tmp_path):
    app = typer.Typer()
    app.command()(command.sim)
    run = CliRunner().invoke(app, ["--years", "0.01", "--boxes", "1", "--json"])
    assert run.exit_code == 0, run.output
    told = json.loads(run.stdout[run.stdout.index("{") :])
    assert told["boxes"] == 1 and told["failures"] == [] and told["box_years"] == 0.01
    assert CliRunner().invoke(app, ["--without", "rain"]).exit_code == 2
    empty = json.dumps({"seed": 1, "box": 0, "span_ms": 9, "settings": {}, "entries": []})
    for text in ("{}", "[]", empty):
        (tmp_path / "log.json").write_text(text)
        wrong = CliRunner().invoke(app, ["--replay", str(tmp_path / "log.json")])
        assert wrong.exit_code == 4 and wrong.stderr.count("\n") == 1, wrong.stderr
    assert CliRunner().invoke(app, ["--mutants", str(tmp_path)]).exit_code == 4


def test_what_did_not_hold_is_told_by_the_exit_code(monkeypatch, tmp_path):
    """1, not 4: a planted bug stands for one of ours."""
    mutant = next(one for one in load(MUTANTS) if one.name.startswith("power without"))
    app = typer.Typer()
    app.command()(command.sim)
    words = ["--seed", str(mutant.seed), "--first", str(mutant.box), "--boxes", "1"]
    words += ["--years", str(mutant.days * DAY_MS / YEAR_MS), "--shrink-s", "0"]
    with mutant.planted() as firmware:
        monkeypatch.setattr(job, "_FIRMWARE_LIB", firmware)
        found = CliRunner().invoke(app, [*words, "--save", str(tmp_path)])
        assert found.exit_code == 1 and "rules" in found.stderr, found.output + found.stderr
        (log,) = tmp_path.iterdir()
        again = CliRunner().invoke(app, ["--replay", str(log)])
        assert again.exit_code == 1, again.output


def test_the_log_of_a_failure_tells_how_to_play_it_again(tmp_path, capsys):
    mutant = next(one for one in load(MUTANTS) if one.name.startswith("power without"))
    failed = mutant.play()
    saved, stopped = failure.failed(failed, 0, tmp_path)
    assert not stopped
    log = json.loads((tmp_path / f"seed-{mutant.seed}-box-{mutant.box}.json").read_text())
    assert saved["invariant"] == log["invariant"] == "rules"
    assert log["step"] == failed.told["steps"] and log["last"], "with the last steps before it"
    said = capsys.readouterr().err
    assert f"seed {mutant.seed}, box {mutant.box}: step {log['step']}" in said
    assert "--replay" in said
    app = typer.Typer()
    app.command()(command.sim)
    again = CliRunner().invoke(app, ["--replay", saved["log"]])
    assert again.exit_code == 0 and "all held" in again.output, "on a firmware without that bug"
