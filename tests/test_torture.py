"""Power cuts at every instant: nothing promised is lost, nothing is invented, the chain holds.

WALLBOX_SEED repeats a run; a failure names its seed, its life and its record.
"""

import pytest
from wallbox.store.ring import Ring

from hw.sim import flash_faults
from hw.sim.flash import Partition
from hw.sim.flash_faults import FaultyFlash, PowerCut
from tests import torture
from tests.interpreter import ROOT

CUTS = 4000
CUTS_ON_MICROPYTHON = 400


def test_many_lives_on_cpython(seed):
    cuts, lives, appended = torture.run(seed % 1_000_000, CUTS)
    assert cuts >= CUTS
    print(f"{cuts} cuts in {lives} lives, {appended} records appended")


def test_the_same_lives_on_micropython(micropython, seed):
    printed = micropython.run(
        f"""
from tests import torture
print(*torture.run({seed % 1_000_000}, {CUTS_ON_MICROPYTHON}))
""",
        heap="500wK",
        path=[ROOT],
    )
    assert printed.split() == [
        str(number) for number in torture.run(seed % 1_000_000, CUTS_ON_MICROPYTHON)
    ]


@pytest.mark.parametrize("once_failed", [2121, 100609])
def test_runs_that_once_failed(once_failed):
    torture.run(once_failed, 500)


class Story:
    """Appends until the power goes off in operation `cut`; `promised` is what came back."""

    def __init__(self, cut, tear, at=-1):
        self.flash = FaultyFlash(4 * 512, 1, 512)
        self.promised = []
        ring = self.mount()
        self.flash.cut_in(cut, tear, at)
        try:
            for number in range(1, 40):
                ring.append(4, 3, 1, number, 0, b"%d" % number * 3)
                self.promised.append(number)
                ring.acknowledge(number - 8)
        except PowerCut:
            self.operation = self.flash.operations
        self.flash.power_on()

    def mount(self):
        device = Partition(self.flash, 0, self.flash.size)
        ring = Ring(device, torture.NAME, torture.KEY, False, torture.LONGEST)
        ring.mount()
        return ring

    def check(self):
        ring = self.mount()
        found = [int(payload[: len(payload) // 3]) for kind, payload in kinds(ring) if kind == 4]
        last = len(self.promised)
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
