"""The balance sheet finds what is missing and what is told twice."""

import pytest
from wallbox.core import decisions

from host.demo.balance import NothingToBalance, doubled, draw_up, lost
from host.ledger.entries import entry
from host.records import split
from tests.boxes import BOOT_UTC_S, Ledger

METER, OTHER_METER = 4711, 4712
AT = BOOT_UTC_S


def interval(register_wh, energy_wh=250, meter=METER, end_utc_s=AT + 900):
    return (decisions.INTERVAL, register_wh, meter, energy_wh, end_utc_s, 3, 900, 0)


def gap(register_wh, energy_wh=40, meter=METER, from_utc_s=AT):
    return (decisions.GAP_END, register_wh, meter, energy_wh, from_utc_s, 3, decisions.GAP_POWER)


def session_begin(number):
    return (decisions.SESSION_BEGIN, 1000, METER, number, 1, 0, 0, b"")


def session_end(number):
    return (decisions.SESSION_END, 1000, METER, number, 0, AT, 3, 1, 0, 0)


def entries_of(*facts):
    ledger = Ledger(bytes(32))
    stored = b"".join(ledger.fact(*fact) for fact in facts)
    return [entry("WB-000001", record) for record in split(stored)]


def test_different_facts_are_not_doubled():
    entries = entries_of(
        session_begin(1),
        interval(1250),
        interval(1500, end_utc_s=AT + 1800),
        interval(1500, end_utc_s=AT + 1800, meter=OTHER_METER),
        gap(1540),
        gap(1580, from_utc_s=AT + 60),
        session_end(1),
        session_begin(2),
        session_end(2),
    )
    assert doubled(entries) == 0


@pytest.mark.parametrize(
    "fact", [interval(1250), gap(1290), session_begin(7), session_end(7)], ids=lambda fact: fact[0]
)
def test_a_fact_in_two_records_is_doubled(fact):
    assert doubled(entries_of(fact, interval(5000), fact)) == 1
    assert doubled(entries_of(fact, fact, fact)) == 2


def test_the_same_interval_with_another_energy_is_doubled_all_the_same():
    assert doubled(entries_of(interval(1250, energy_wh=250), interval(1250, energy_wh=125))) == 1


def test_parts_without_energy_cannot_count_it_twice():
    assert doubled(entries_of(gap(1290), gap(1290, energy_wh=0), gap(1290, energy_wh=0))) == 0


def test_holes_are_lost_records():
    entries = entries_of(*(interval(1000 + 250 * n, end_utc_s=AT + n) for n in range(6)))
    assert lost(entries, written=6) == 0
    assert lost(entries[:2] + entries[4:], written=6) == 2
    assert lost(entries, written=9) == 3
    assert lost(entries, written=4) == 0  # the box's number is older than what came since
    assert lost(entries[1:], written=0) == 1
    assert lost([], written=0) == 0 and lost([], written=3) == 3


def test_without_a_first_status_there_is_no_balance(scene):
    with pytest.raises(NothingToBalance, match="not online"):
        draw_up(scene)
