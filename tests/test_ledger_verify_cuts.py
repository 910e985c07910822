"""`wallbox ledger verify`: what power cuts leave in the flash is told apart from damage."""

import random

from hw.sim.flash_faults import FaultyFlash, PowerCut
from tests.ledger_story import Story
from tests.verifying import codes, report_of, told

SECTOR = 4096


def test_what_power_cuts_leave_is_no_damage(seed):
    """Cut in any operation, also in the recovery; looked at in the dark, and after the start."""
    chance = random.Random(seed)
    looked = 0
    for _ in range(12):
        story = Story(flash=FaultyFlash(4 * SECTOR, chance.randrange(1 << 30)))
        promised = 0
        for _ in range(25):
            story.flash.cut_in(chance.randrange(1, 30))
            try:
                story.boot()
                promised = story.last
                report = report_of(contents(story.flash))
                assert codes(report) == [], told(report)
                assert (report.chain, report.last_sequence) == ("proved", promised)
                looked += 1
                while True:
                    promised = story.interval()
                    story.ring.acknowledge(story.last - chance.randrange(20, 90))
                    if not chance.randrange(4):
                        story.ring.erase_ahead()
            except PowerCut:
                story.flash.power_on()
            if promised:
                report = report_of(contents(story.flash))
                # one bit of the newest record cannot be told from a flipped one
                assert codes(report) in ([], ["newest"]), told(report)
                assert report.last_sequence >= promised
    assert looked > 100


def contents(flash):
    image = bytearray(flash.size)
    flash.read_into(0, image)
    return image
