"""`wallbox ledger verify`: energies that are not the differences of registers are named."""

from wallbox.core import decisions

from tests.ledger_story import METER, Story
from tests.verifying import codes, report_of, told


def test_energies_that_do_not_add_up_are_named():
    story = Story().boot().intervals(2)
    story.register_wh += 30
    story.interval()
    report = report_of(story.image())
    (found,) = report.findings
    assert (found.code, found.sequence, report.chain) == ("books", story.last, "proved")
    assert "0.030 kWh in no interval" in found.text
    assert report.totals[0].difference_wh == 30


def test_an_error_that_another_one_makes_up_for_is_named():
    story = Story().boot()
    story.interval()
    story.register_wh += 30
    story.interval()
    story.register_wh -= 30
    story.interval()
    report = report_of(story.image())
    assert codes(report) == ["books", "books"] and report.totals[0].difference_wh == 0


def test_a_session_must_be_the_difference_of_its_registers():
    story = Story().boot().plug().intervals(2)
    story.session_wh += 5
    story.unplug()
    report = report_of(story.image())
    assert codes(report) == ["books"]
    assert "session 1 took 0.500 kWh by its registers, and tells 0.495 kWh" in told(report)
    story.unplug()
    assert "session 1 ends and has not begun" in told(report_of(story.image()))


def test_a_register_that_rolls_over_and_a_new_meter_are_in_order():
    story = Story()
    story.register_wh = 99_999_800
    story.boot().plug().intervals(0)
    story.fact(decisions.METER_ROLLOVER, 50, METER, 250, 100_000_000, story.utc_s, 3)
    story.register_wh = 50
    story.interval()
    end = (decisions.SESSION_END, 300, METER, 1, 500, story.utc_s, 3, 1, 0)
    story.fact(*end)
    story.fact(decisions.METER_EXCHANGE, 300, METER, 4712)
    assert report_of(story.image()).whole, told(report_of(story.image()))
    story.interval()
    assert report_of(story.image()).whole
    story.fact(decisions.METER, 7, 4712, b"Eastron|SDM630|4712")
    story.fact(decisions.INTERVAL, 17, 4712, 10, story.utc_s + 900, 3, 900, 0)
    report = report_of(story.image())
    assert report.whole and [one.meter_id for one in report.totals] == [METER, 4712]
