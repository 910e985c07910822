"""The same inputs give the same decisions and states on CPython and on MicroPython."""

from pathlib import Path

import pytest

from tests import golden_logs
from tests.lane import play

ROOT = Path(__file__).resolve().parent.parent
LANE = Path(__file__).with_name("lane.py")
STEPS = 3000
HEAP = "224wK"  # compiled there from its sources, which takes more than the box has


@pytest.mark.parametrize("lane_seed", [1, 2, 2026])
def test_both_interpreters_decide_alike(micropython, lane_seed):
    code = f"import sys\nsys.path.insert(0, {str(LANE.parent)!r})\nimport lane\n"
    told = micropython.run(code + f"print(lane.play({lane_seed}, {STEPS}))\n", heap=HEAP)
    assert told.strip() == play(lane_seed, STEPS)


def test_another_story_has_another_digest():
    assert play(1, 50) != play(2, 50)
    assert play(1, 50) != play(1, 51)


RENEW = (
    "the core decides otherwise than when the digests were stored; if that is meant: make golden"
)


def lines_of(story):
    return Path(golden_logs.FOLDER, f"{story}.events").read_text().splitlines()


@pytest.mark.parametrize("story", golden_logs.STORIES)
def test_a_recorded_story_is_decided_as_it_was(story):
    assert golden_logs.replay(story) == golden_logs.kept(story), RENEW


@pytest.mark.parametrize("story", golden_logs.STORIES)
def test_micropython_decides_it_so_too(micropython, story):
    code = f"from tests import golden_logs\nprint('\\n'.join(golden_logs.replay({story!r})))\n"
    told = micropython.run(code, heap=HEAP, path=[ROOT])
    assert told.splitlines() == golden_logs.kept(story), RENEW


def test_the_recorded_stories_hold_power_cuts_and_most_of_what_can_happen():
    kinds = set()
    for story in golden_logs.STORIES:
        lines = lines_of(story)
        replay = golden_logs.Replay()
        assert len(replay.play(lines)) == golden_logs.EVENTS // golden_logs.CHECKPOINT
        assert lines.count("cut") >= 3
        kinds |= replay.kinds
    assert len(kinds) >= 30, "record more, or others: make golden ARGS=--record"


def test_one_event_more_or_less_shows_from_its_place_on():
    lines = lines_of("seed_7")
    whole = golden_logs.Replay().play(lines)
    at = next(index for index, line in enumerate(lines) if index > 220 and line != "cut")
    without = golden_logs.Replay().play(lines[:at] + lines[at + 1 :])
    assert without[:4] == whole[:4] and without[4:] != whole[4 : len(without)]
    assert golden_logs.Replay().play([line for line in lines if line != "cut"]) != whole


def test_renewing_tells_what_changed_and_records_what_cannot_be_read(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr(golden_logs, "FOLDER", f"{tmp_path}/")
    monkeypatch.setattr(golden_logs, "DIGESTS", f"{tmp_path}/digests.txt")
    monkeypatch.setattr(golden_logs, "STORIES", {"seed_7": 7})
    golden_logs.renew(record=False)
    assert "seed_7: recorded anew" in capsys.readouterr().out
    lines = lines_of("seed_7")
    golden_logs.renew(record=False)
    assert capsys.readouterr().out == "seed_7: as it was\n"
    shorter = lines[:75] + lines[76:] + ["9 ff"]
    (tmp_path / "seed_7.events").write_text("\n".join(shorter))
    golden_logs.renew(record=False)
    assert "recorded anew: kind" in capsys.readouterr().out
    assert lines_of("seed_7") == lines, "the same seed, the same story"
    (tmp_path / "seed_7.events").write_text("\n".join(lines[:75] + lines[74:]))
    golden_logs.renew(record=False)
    assert "decided otherwise from events 51 to 100 on" in capsys.readouterr().out
    assert golden_logs.replay("seed_7") == golden_logs.kept("seed_7")
