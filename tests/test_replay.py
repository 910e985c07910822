"""Replay: a log agrees with the rules that decided it, and shows where others come to."""

import json
import random
import shutil
import subprocess
from pathlib import Path

import pytest
from typer.testing import CliRunner
from wallbox.core import events

from host.cli import app
from host.image import core_hash, firmware_files
from host.replay import cores
from host.replay.detail import explain
from host.replay.fast_lane import FastLane
from host.replay.field_log import FieldLog, Origin, read_log, write_log
from host.replay.lane import DECIDED, Lane
from host.replay.play import Lanes, play, state_digest
from host.replay.segments import read_segments
from host.replay.spread import Task, play_all
from host.replay.year import record
from tests.replay_story import TracedBench, charging_story, with_check

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("replay")


@pytest.fixture(scope="module")
def field(folder):
    """A log of about four hours with a power cut."""
    return charging_story().save(folder / "field.zip")


@pytest.fixture(scope="module")
def planted(folder):
    """Rules with one wrong number: a meter counts as silent after 30 s instead of 150."""
    return plant(folder / "planted", "metering", "const(150_000)", "const(30_000)")


def plant(folder: Path, rule: str, old: str, new: str) -> Path:
    core = folder / "core"
    shutil.copytree(cores.of_tree().folder, core, ignore=shutil.ignore_patterns("__pycache__"))
    path = core / "rules" / f"{rule}.py"
    source = path.read_text()
    assert source.count(old) >= 1
    path.write_text(source.replace(old, new))
    return core


def wallbox(*words: object, code: int = 0):
    done = CliRunner().invoke(app, [str(word) for word in words])
    assert done.exit_code == code, done.output + (done.stderr or "")
    return done


def told(*words: object, code: int = 0) -> dict:
    return json.loads(wallbox(*words, "--json", code=code).stdout)


def test_a_log_agrees_with_the_rules_that_decided_it(field):
    found = told("replay", field)
    checked = found["checked"]
    assert found["differences"] == [] and found["notes"] == []
    assert checked["events"] > 130 and checked["readings"] > 120
    assert checked["decisions"] > 130 and checked["states"] >= 2
    assert checked["holes"] == 1, "the power cut"
    text = wallbox("replay", field).stdout
    assert f"{checked['events']} events in {checked['segments']} segments" in text
    assert "WB-778899" in text


def test_the_image_of_a_ring_is_a_log_too(folder):
    bench = TracedBench()
    bench.known()
    bench.minutes(5)
    (folder / "ring.bin").write_bytes(bench.trace_image())
    assert told("replay", folder / "ring.bin")["checked"]["decisions"] == 3 + 5


def test_a_planted_change_is_found_at_its_first_event_with_both_states(field, planted):
    found = told("replay", field, "--rev", planted, "--any-core", code=1)
    (difference,) = found["differences"]
    assert difference["what"] == "decisions"
    assert difference["steps"][-1]["event"] == "METER_READING", "due earlier than it was"
    assert difference["now_ms"] == 0
    whole = told("replay", field, "--rev", planted, "--any-core", "--all", code=1)
    later = whole["differences"]
    assert len(later) > 1
    agreed = told("replay", field)["checked"]["states"]
    assert whole["checked"]["states"] < agreed, "only states that agree are counted as such"
    both = [one for one in later if one["states"]]
    assert both, "one of them is followed by a snapshot"
    differing = {name for name, pair in both[0]["states"].items() if pair["differs"]}
    assert differing and {"refusals", "session", "limit_ma"} <= set(both[0]["states"])
    written = {fact["decision"] for one in later for fact in one["facts"]}
    assert "INTERVAL" in written, "what the box's ledger has of that time"
    text = wallbox("replay", field, "--rev", planted, "--any-core", "--all", code=1).stdout
    assert "the decisions differ at 2026-09-" in text and "states at" in text


def test_rules_that_fail_are_told_with_the_event(field, folder):
    core = plant(folder / "broken", "metering", "    bits = 0\n", "    bits = nobody\n")
    done = wallbox("replay", field, "--rev", core, "--any-core", code=1)
    assert "the rules fail" in done.stdout and "NameError: name 'nobody'" in done.stdout
    found = told("replay", field, "--against", core, code=1)
    assert any("rules failed in" in note for note in found["notes"])


def test_one_bit_in_the_box_s_memory_is_found_at_the_next_snapshot(field):
    """A fault of the chip that changes no decision for now."""
    log = read_log(field)
    segments = list(read_segments(log.trace))
    at = next(index for index, one in enumerate(segments) if one.follows)
    snapshot = bytearray(segments[at].snapshot)
    layout = log.layouts[segments[at].core]
    names = [row.split(" ") for row in layout.split(",")]
    offset = len(snapshot) - sum(abs(int(width)) for _, width in names)
    for name, width in names:
        if name == "session_begin_wh":
            break
        offset += abs(int(width))
    snapshot[offset] ^= 1
    segments[at].snapshot = bytes(snapshot)
    lanes = Lanes(cores.of_tree().load(), log.layouts)
    (difference,) = play(segments, lanes, on=True).differences[:1]
    assert (difference.what, difference.fields) == ("state", ("session_begin_wh",))


def test_events_that_are_missing_are_told_as_a_hole_and_nothing_is_guessed(field):
    log = read_log(field)
    del log.trace[40:45]
    core = cores.of_tree()
    played = play_all(log.trace, Task(core, log.layouts, on=True), 1)
    assert not played.differences and played.checked.holes == 2
    whole = play_all(read_log(field).trace, Task(core, log.layouts, on=True), 1)
    assert played.checked.events < whole.checked.events - 5


def test_what_lies_before_the_first_snapshot_is_said(folder, field):
    log = read_log(field)
    first = next(read_segments(log.trace)).first.sequence
    del log.trace[: first + 3]
    write_log(folder / "later.zip", log)
    found = told("replay", folder / "later.zip")
    assert "events lie before the first snapshot" in found["notes"][0]
    only = FieldLog(Origin("WB-1"), [one for one in log.trace if b"\xf0" not in one[20:21]])
    write_log(folder / "none.zip", only)
    assert "no snapshot in" in wallbox("replay", folder / "none.zip", code=4).stderr


def test_while_the_ledger_takes_nothing_nothing_is_compared(folder):
    bench = TracedBench(sectors=4)
    bench.known()
    bench.charge()
    while not bench.agent.halted:
        bench.quarter()
    bench.minutes(5)
    bench.acknowledge()
    bench.recover(events.RESUMED)
    bench.minutes(5)
    found = told("replay", bench.save(folder / "halted.zip"))
    assert found["checked"]["frozen"] >= 5 and found["differences"] == []
    assert any("ledger took nothing" in note for note in found["notes"])


def test_rules_that_did_not_decide_it_are_refused_by_name(folder, field, planted):
    log = read_log(field)
    changed = [one.replace(cores.of_tree().hash, b"\x01other!!") for one in log.trace]
    for at, record_ in enumerate(changed):
        changed[at] = with_check(record_)
    write_log(folder / "other.zip", FieldLog(log.origin, changed, [], {}))
    said = wallbox("replay", folder / "other.zip", code=4).stderr
    assert "decided by the rules 016f746865722121" in said and "--any-core" in said
    assert told("replay", folder / "other.zip", "--any-core")["differences"] == []
    said = wallbox("replay", field, "--rev", planted, code=4).stderr
    assert str(planted) in said
    said = wallbox("replay", field, "--rev", "nonsense", code=4).stderr
    assert "no revision that git knows" in said


def test_git_names_the_revision_that_has_the_rules(tmp_path, monkeypatch, field, planted):
    """A clone in which the rules have changed since the box's firmware was built."""
    core = tmp_path / "firmware" / "lib" / "wallbox" / "core"
    revisions = []
    for source in (cores.of_tree().folder, planted):
        shutil.rmtree(core, ignore_errors=True)
        shutil.copytree(source, core, ignore=shutil.ignore_patterns("__pycache__"))
        revisions.append(commit(tmp_path))
    monkeypatch.setattr(cores, "FIRMWARE", tmp_path / "firmware")
    assert cores.find(cores.of_tree().hash) == revisions[0]
    assert cores.find(core_hash(planted)) == revisions[1]
    assert cores.find(bytes(8)) == ""
    said = wallbox("replay", field, "--rev", "HEAD", code=4).stderr
    assert f"git knows them as {revisions[0]}: add --rev {revisions[0]}" in said
    assert told("replay", field, "--rev", revisions[0])["rules"] == revisions[0]
    assert told("replay", field, "--against", "HEAD", code=1)["count"] > 0
    assert told("replay", field, "--rev", "HEAD~1", "--against", "HEAD~1")["count"] == 0


def commit(folder: Path) -> str:
    """Everything in it as a commit; its short name."""
    who = ("-c", "user.name=test", "-c", "user.email=test@example.org")
    for words in (("init", "-q"), ("add", "-A"), (*who, "commit", "-q", "-m", "rules")):
        subprocess.run(["git", "-C", str(folder), *words], check=True, capture_output=True)
    done = subprocess.run(["git", "-C", str(folder), "log", "-1", "--format=%h"], check=True,
                          capture_output=True, text=True)
    return done.stdout.strip()


def test_a_log_of_two_firmwares_is_played_where_the_rules_are_known(folder, field):
    log = read_log(field)
    middle = len(log.trace) // 2
    older = [with_check(one.replace(cores.of_tree().hash, b"\x01other!!"))
             for one in log.trace[:middle]]
    write_log(folder / "two.zip", FieldLog(log.origin, older + log.trace[middle:], [], {}))
    found = told("replay", folder / "two.zip")
    assert any("segments were decided by the rules 016f74" in note for note in found["notes"])
    assert 0 < found["checked"]["segments"] < told("replay", field)["checked"]["segments"]


def test_a_snapshot_of_another_lay_out_is_taken_over_by_names(field):
    """As another revision would have it: a field less, a field more, in another order."""
    log = read_log(field)
    core = cores.of_tree().load()
    segment = next(read_segments(log.trace))
    layout = log.layouts[segment.core]
    rows = layout.split(",")
    size = core.fields.size(core.fields.layout(layout))
    head, packed = segment.snapshot[:-size], segment.snapshot[-size:]
    first = core.fields.size(core.fields.layout(rows[0]))
    turned = packed[first:] + packed[:first] + b"\x07\x07"
    other = ",".join([*rows[1:], rows[0], "strange 2"])
    for kind in (Lane, FastLane):
        plain, mapped = kind(core), kind(core, other)
        plain.restore(segment.snapshot)
        mapped.restore(head + turned)
        assert mapped.differing(plain.state) == []
        assert not hasattr(mapped.state, "strange")
        with pytest.raises(ValueError, match="the state has"):
            plain.restore(head + turned)


@pytest.mark.parametrize("kind", [Lane, FastLane])
def test_damage_in_a_snapshot_is_refused_not_played(field, kind):
    segment = next(read_segments(read_log(field).trace))
    lane = kind(cores.of_tree().load())
    for wrong in (b"", b"\x01", segment.snapshot[:100], b"\x02" + segment.snapshot[1:],
                  segment.snapshot + b"\0", segment.snapshot[:80] + b"\xfe" * 40):
        with pytest.raises(ValueError):
            lane.restore(wrong)


def test_the_fast_lane_comes_to_what_the_common_one_does(field):
    core = cores.of_tree().load()
    log = read_log(field)
    digests = []
    for kind in (Lane, FastLane):
        lanes = Lanes(core, {}, kind)
        played = play(read_segments(log.trace), lanes, on=True, digests=True)
        assert not played.differences
        digests.append(played.digests)
    assert digests[0] == digests[1] and len(digests[0]) >= 4
    lane = FastLane(core)
    assert lane.take(0, b"\xe0") == () and lane.take(0, b"\x04\x01") == () and lane.unknown == 2


def test_as_many_processes_as_wanted_come_to_the_same():
    log = record(9010)
    core = cores.of_tree()
    task = Task(core, log.layouts, digests=True)
    one, two = (play_all(log.trace, task, workers) for workers in (1, 2))
    assert vars(one.checked) == vars(two.checked) and one.digests == two.digests
    assert one.checked.readings > 9000 and one.checked.states == one.checked.segments - 1
    entry = next(at for at, data in enumerate(log.trace) if at > 6000 and data[-15] == DECIDED)
    spoilt = bytearray(log.trace[entry])
    spoilt[-11] ^= 1
    log.trace[entry] = with_check(bytes(spoilt))
    found = [play_all(log.trace, task, workers).differences for workers in (1, 2)]
    assert found[0] == found[1] and found[0][0].what == "decisions"


def test_a_state_s_digest_tells_states_apart(field):
    lane = FastLane(cores.of_tree().load())
    lane.restore(next(read_segments(read_log(field).trace)).snapshot)
    before = state_digest(lane)
    lane.state.leases[9] = 1
    assert state_digest(lane) != before


def test_an_image_names_the_core_that_is_in_it():
    files = firmware_files()
    assert cores.of_tree().hash in files["lib/wallbox/version.mpy"]


def test_one_changed_byte_of_a_rule_is_another_core(planted):
    assert core_hash(planted) != cores.of_tree().hash == core_hash()
    other = cores.of_folder(planted, "planted").load()
    assert other.rules.metering.STALE_MS == 30_000
    assert cores.of_tree().load().rules.metering.STALE_MS == 150_000, "both side by side"


def test_no_bytes_in_a_trace_break_the_reader_or_the_player(field, seed):
    """A wrong firmware, not a wrong bit: records are whole, what is in them is anything."""
    chance = random.Random(seed)
    log = read_log(field)
    lanes = Lanes(cores.of_tree().load(), log.layouts)
    for _ in range(60):
        records = list(log.trace)
        for _ in range(chance.randrange(1, 6)):
            at = chance.randrange(len(records))
            data = bytearray(records[at])
            for _ in range(chance.randrange(1, 9)):
                data[chance.randrange(17, len(data) - 10)] = chance.randrange(256)
            records[at] = bytes(data)
        for _ in range(chance.randrange(3)):
            del records[chance.randrange(len(records))]
        found = play(read_segments(records), lanes, on=True)
        for difference in found.differences:
            explain(records, lanes, difference, log.ledger).as_dict()
