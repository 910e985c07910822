"""Planted bugs of core, store and link: each is found by the simulated run that its file names.

A simulation that finds nothing proves nothing. `tests/mutants/` holds them as data.
"""

from __future__ import annotations

from dataclasses import replace

import pytest

from host.years import mutants_table
from host.years.job import Job, play
from host.years.mutants import BadMutant, Mutant, load
from tests.interpreter import ROOT

ALL = load(ROOT / "tests" / "mutants")


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_it_is_found(mutant: Mutant):
    result = mutant.play()
    print(result.wrong)
    assert result.wrong is not None, mutant.why
    assert result.wrong[0] == mutant.found_by


RUNS = {(job.seed, job.number, job.span_ms, job.without): job for job in (m.job for m in ALL)}


@pytest.mark.parametrize("job", RUNS.values(), ids=lambda job: f"seed {job.seed} box {job.number}")
def test_without_them_the_same_runs_hold(job: Job):
    """So it is the bug that is found. Several bugs share a run."""
    assert play(job).wrong is None


def test_core_store_and_link_have_their_share():
    folders = [mutant.file.split("/")[0] for mutant in ALL]
    assert len(ALL) >= 15
    assert min(folders.count(folder) for folder in ("core", "store", "link")) >= 3


def test_a_mutant_that_no_longer_fits_says_so():
    mutant = Mutant("gone", "core/power.py", "no such text", "", "", "rules", 1, 0, 1)
    with pytest.raises(BadMutant, match="0 times"):
        mutant.play()


def test_a_directory_without_mutants_proves_nothing(tmp_path):
    with pytest.raises(BadMutant, match="no mutant in it"):
        load(tmp_path)


def test_a_file_that_is_no_text_has_no_mutants(tmp_path):
    (tmp_path / "photo.toml").write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(BadMutant, match="photo"):
        load(tmp_path)


def test_a_mutant_that_ends_the_process_is_a_row_of_the_table(monkeypatch, capsys):
    ends = replace(ALL[0], name="no Python", new="(")
    monkeypatch.setattr(mutants_table, "load", lambda directory: [ends, ALL[0]])
    assert mutants_table.all_found(ROOT, as_json=False)
    said = capsys.readouterr().err
    assert "no Python: ends SyntaxError" in said and "2 of 2" in said
