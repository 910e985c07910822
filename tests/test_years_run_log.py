"""The log of a long run: what is in it need not be played again."""

from __future__ import annotations

import json

import pytest
from typer.testing import CliRunner

from host.cli import app
from host.years import command
from host.years.job import BoxDied, Job, Result
from host.years.run_log import RunLog

SPAN_MS = 86_400_000
TOLD = {"wrong": None, "at_ms": SPAN_MS}


@pytest.fixture
def log(tmp_path):
    return RunLog(tmp_path / "run.log")


def jobs(count: int, seed: int = 7) -> list[Job]:
    return [Job(seed, number, SPAN_MS) for number in range(count)]


def test_a_box_that_is_there_counts_as_it_was(log):
    assert log.done(jobs(3)) == {}
    log.note(Result(jobs(3)[1], dict(TOLD), 2.5))
    assert log.done(jobs(3)) == {1: log.done(jobs(3))[1]}
    found = log.done(jobs(3))[1]
    assert (found.seconds, found.wrong, found.job.number) == (2.5, None, 1)
    assert found.years == pytest.approx(1 / 365.25)


@pytest.mark.parametrize(
    "other",
    [{"seed": 8}, {"span_ms": 5}, {"firmware": "another"}, {"lane": "micropython"},
     {"without": ["rot"]}, {"wrong": ["rules", "a seal healed"]}, {"box": 4}],
    ids=lambda other: next(iter(other)),
)  # fmt: skip
def test_what_was_played_otherwise_or_failed_is_played_again(log, other):
    log.note(Result(jobs(1)[0], dict(TOLD), 2.5))
    told = json.loads(log.path.read_text())
    log.path.write_text(json.dumps({**told, **other}) + "\n")
    assert log.done(jobs(3)) == {}


def test_a_line_that_was_cut_off_and_ones_of_something_else_are_passed_over(log):
    log.note(Result(jobs(1)[0], dict(TOLD), 2.5))
    line = log.path.read_text()
    log.path.write_text(line[:-30] + "\n[]\n7\n{}\nwords\n" + line)
    assert list(log.done(jobs(3))) == [0]


def test_the_same_command_goes_on(tmp_path):
    path = tmp_path / "run.log"
    words = ["sim", "--seed", "5", "--years", "0.003", "--json", "--log", str(path)]
    first = CliRunner().invoke(app, [*words, "--boxes", "1"])
    again = CliRunner().invoke(app, [*words, "--boxes", "2"])
    whole = CliRunner().invoke(app, [*words[:-2], "--boxes", "2"])
    assert [first.exit_code, again.exit_code, whole.exit_code] == [0, 0, 0]
    assert "1 of 2 boxes are in" in again.stderr.replace("\n", " ")
    assert len(path.read_text().splitlines()) == 2
    figures, same = json.loads(again.stdout), json.loads(whole.stdout)
    for name in ("boxes", "steps", "stored", "happened"):
        assert figures[name] == same[name], name


def test_a_box_whose_process_dies_is_a_failure_and_the_others_are_played(monkeypatch):
    play = command.play

    def dies(job):
        if job.number == 0:
            raise BoxDied("box 0 ended by itself:\nkilled")
        return play(job)

    monkeypatch.setattr(command, "play", dies)
    words = ["sim", "--seed", "5", "--years", "0.003", "--boxes", "2", "--json"]
    done = CliRunner().invoke(app, words)
    assert done.exit_code == command.EXIT_WRONG
    told = json.loads(done.stdout)
    assert told["boxes"] == 1
    assert [(one["box"], one["invariant"]) for one in told["failures"]] == [(0, "ends")]
    assert "seed 5, box 0 ended by itself" in done.stderr


def test_a_line_that_was_cut_off_does_not_swallow_the_next(log):
    log.path.write_text('{"seed": 7, "bo')
    log.note(Result(jobs(1)[0], dict(TOLD), 2.5))
    log.note(Result(jobs(2)[1], dict(TOLD), 2.5))
    assert list(log.done(jobs(3))) == [0, 1]
    assert log.path.read_text().count("\n") == 3


def test_a_file_that_is_no_text_is_no_log(tmp_path):
    (tmp_path / "photo").write_bytes(b"\xff\xd8\xff\xe0")
    done = CliRunner().invoke(app, ["sim", "--years", "0.003", "--log", str(tmp_path / "photo")])
    assert done.exit_code == 4 and "no log of a run" in done.stderr, done.output
