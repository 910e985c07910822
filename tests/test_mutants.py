"""Planted bugs of core, store and link: each is found by the simulated run that its file names.

A simulation that finds nothing proves nothing. `tests/mutants/` holds them as data.
"""

from __future__ import annotations

import pytest

from host.years.job import play
from host.years.mutants import BadMutant, Mutant, load
from tests.interpreter import ROOT

ALL = load(ROOT / "tests" / "mutants")


@pytest.mark.parametrize("mutant", ALL, ids=lambda mutant: mutant.name)
def test_it_is_found(mutant: Mutant):
    result = mutant.play()
    print(result.wrong)
    assert result.wrong is not None, mutant.why
    assert result.wrong[0] == mutant.found_by


def test_without_them_the_same_runs_hold():
    """Some of them; the others are years that test_years.py plays."""
    for mutant in ALL[::6]:
        assert play(mutant.job).wrong is None, mutant.name


def test_core_store_and_link_have_their_share():
    folders = [mutant.file.split("/")[0] for mutant in ALL]
    assert len(ALL) >= 15
    assert min(folders.count(folder) for folder in ("core", "store", "link")) >= 3


def test_a_mutant_that_no_longer_fits_says_so():
    mutant = Mutant("gone", "core/power.py", "no such text", "", "", "rules", 1, 0, 1)
    with pytest.raises(BadMutant, match="0 times"):
        mutant.play()
