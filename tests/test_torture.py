"""Power cuts at every instant: nothing promised is lost, nothing is invented, the chain holds.

WALLBOX_SEED repeats a run; a failure names its seed, its life and its record. More of them:
`make torture CUTS=1000000`.
"""

import itertools

import pytest
from wallbox.store.ring import Ring

from hw.sim import flash_faults
from hw.sim.flash import Partition
from hw.sim.flash_faults import FaultyFlash, PowerCut
from tests import torture
from tests.interpreter import ROOT

CUTS = 50_000
PARTS = 4  # side by side, if there are cores
CUTS_ON_MICROPYTHON = 2_000


@pytest.mark.parametrize("part", range(PARTS))
def test_many_lives_on_cpython(seed, part):
    counts, _ = torture.run(seed % 1_000_000, CUTS // PARTS)
    named = dict(zip(torture.COUNTS, counts, strict=False))
    print(named)
    assert named["cuts"] == CUTS // PARTS
    assert named["recoveries cut three times in a row or more"] > CUTS // PARTS // 100
    assert all(counts), "a sort of fault did not happen"


def test_the_same_lives_on_micropython(micropython, seed):
    first = seed % 1_000_000
    printed = micropython.run(
        f"""
from tests import torture
print(torture.run({first}, {CUTS_ON_MICROPYTHON}))
""",
        heap="500wK",
        path=[ROOT],
        timeout_s=250,
    )
    assert printed.strip() == str(torture.run(first, CUTS_ON_MICROPYTHON))


@pytest.mark.parametrize("sectors", [4, 8, 12])
def test_a_flash_that_takes_nothing_for_a_while(sectors):
    """And lets go of the power meanwhile. Nothing is lost, and in the end the box writes again."""
    for seed in range(40):
        torture.Torture(seed, sectors=sectors, bad=seed % 2 if sectors > 4 else 0, ill=True).run(60)


class Story:
    """Appends until the power goes off in operation `cut`; `promised` is what came back."""

    def __init__(self, cut, tear=flash_faults.ANY, at=-1, seed=1):
        self.flash = FaultyFlash(4 * 512, seed, 512)
        self.promised = 0
        ring = self.mount()
        self.flash.cut_in(cut, tear, at)
        try:
            for number in range(1, 40):
                ring.append(4, 3, 1, number, 0, b"%d" % number * 3)
                self.promised = number
                ring.acknowledge(number - 8)
        except PowerCut:
            pass
        self.flash.power_on()

    def mount(self):
        device = Partition(self.flash, 0, self.flash.size)
        ring = Ring(device, torture.NAME, torture.KEY, False, torture.LONGEST)
        ring.mount()
        return ring

    def recovery_cut(self, cut, tear=flash_faults.ANY, at=-1):
        """False if the recovery needs fewer operations than `cut`."""
        self.flash.cut_in(cut, tear, at)
        try:
            self.mount()
        except PowerCut:
            return True
        finally:
            self.flash.power_on()
        return False

    def check(self):
        ring = self.mount()
        found = [int(payload[: len(payload) // 3]) for kind, payload in kinds(ring) if kind == 4]
        last = self.promised
        oldest = found[0] if found else 1
        assert oldest <= max(last - 7, 1)
        assert found in (list(range(oldest, last + 1)), list(range(oldest, last + 2)))
        ring.append(4, 3, 2, 0, 0, b"999")
        assert kinds(self.mount())[-1] == (4, b"999")


def kinds(ring):
    return [(one[1], one[6]) for one in ring.records(ring.oldest_sequence)]


TEARS = [
    flash_faults.NOTHING,
    flash_faults.SCATTERED,
    flash_faults.WEAK,
    flash_faults.ASLEEP,
    flash_faults.NEARLY,
    flash_faults.WHOLE,
]


@pytest.mark.parametrize("tear", TEARS)
def test_every_operation_of_a_story_is_cut(tear):
    cut = 0
    while True:
        cut += 1
        story = Story(cut, tear)
        if not story.flash.cuts:
            break
        story.check()
    assert cut > 45


def test_every_length_of_a_torn_record():
    for cut in range(1, 12):
        for at in range(35):
            story = Story(cut, flash_faults.PREFIX, at)
            story.check()


def test_every_length_of_a_torn_recovery():
    """What is programmed again, marks, zeros, and the header of a sector that is entered."""
    torn = 0
    for cut in range(4, 40, 5):
        for operation in itertools.count(1):
            at = 0
            while at < 35:
                story = Story(cut, flash_faults.NEARLY)
                if not story.recovery_cut(operation, flash_faults.PREFIX, at):
                    break
                story.check()
                torn += 1
                at += 1
            if not at:
                break
    assert torn > 8 * 2 * 35


def test_every_operation_of_recoveries_of_recoveries():
    """The power goes off in each operation of a story, in each of the recovery that follows, and
    in each of the recovery of that."""
    nested = 0
    for cut in range(1, 46):
        for second, third in itertools.product(range(1, 7), repeat=2):
            story = Story(cut, seed=100 * cut + 10 * second + third)
            if not story.recovery_cut(second):
                break
            nested += story.recovery_cut(third)
            story.check()
    assert nested > 45 * 2 * 2
