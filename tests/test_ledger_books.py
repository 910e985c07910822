"""`wallbox ledger verify`: energies that are not the differences of registers are named."""

import random

from wallbox.core import decisions, events

from host.ledger.entries import entry
from host.ledger.verify.books import Books
from host.records import Record
from tests.ledger_story import METER, Story
from tests.player import UTC_S, Player
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
    end = (decisions.SESSION_END, 300, METER, 1, 500, story.utc_s, 3, 1, 0, 0)
    story.fact(*end)
    story.fact(decisions.METER_EXCHANGE, 300, METER, 4712)
    assert report_of(story.image()).whole, told(report_of(story.image()))
    story.interval()
    assert report_of(story.image()).whole
    story.fact(decisions.METER, 7, 4712, b"Eastron|SDM630|4712")
    story.fact(decisions.INTERVAL, 17, 4712, 10, story.utc_s + 900, 3, 900, 0)
    report = report_of(story.image())
    assert report.whole and [one.meter_id for one in report.totals] == [METER, 4712]


def entries_of(facts):
    """What the core decided, as the entries of a ledger."""
    packed = bytearray(256)
    for number, fact in enumerate(facts, 1):
        payload = bytes(packed[: decisions.pack_into(packed, 0, fact)])
        yield entry("", Record(b"", fact[0], 3, number, 1, number, 0, payload))


def something(box, chance):
    """An hour in which anything may go wrong; returns the box, another one after a power cut."""
    choice = chance.randrange(9)
    if choice == 0:
        known, times = box.facts, box.fact_times
        at = chance.randrange(max(0, box.register_wh - 300), box.register_wh + 1)
        box = box.survivor()
        box.facts, box.fact_times = known + box.facts, times + box.fact_times
        heartbeat = (at, UTC_S + chance.randrange(10_000), 3) if chance.random() < 0.7 else None
        box.boot(2, heartbeat, chance.choice([1, 2, 3, 5]))
        if chance.random() < 0.8:
            box.clock(UTC_S + 20_000)
        box.identity(box.state.meter_id)
    elif choice == 1:
        box.clock(UTC_S + box.now // 1000 + chance.randrange(-5000, 5000))
    elif choice == 2:
        box.send(events.METER_SILENT, 1)
    elif choice == 3:
        other = box.state.meter_id + 1
        box.identity(other)
        box.register_wh = chance.randrange(1_000_000)
        box.read()
        box.approve_meter(other)
        box.identity(other)
    elif choice == 4 and box.register_wh < 99_000_000:
        box.read(99_999_500 - box.register_wh)
        box.read(300)
        box.register_wh -= 100_000_000
        box.read(700)
    elif choice < 7:
        box.charge()
    else:
        box.pilot("A")
    box.run(chance.randrange(1, 2000), chance.choice([0, 3700, 11_000]), read_s=60)
    return box


def test_whatever_happens_to_a_box_its_books_are_in_order(seed):
    chance = random.Random(seed)
    kinds = set()
    for _ in range(20):
        box = Player()
        box.ready()
        for _ in range(40):
            box = something(box, chance)
        books = Books(True)
        kinds |= {one.kind for one in books.watch(entries_of(box.facts))}
        assert not books.mismatches, books.mismatches[0]
    assert {"METER_ROLLOVER", "METER_EXCHANGE", "SESSION_END", "GAP_END", "INTERVAL"} <= kinds
