"""Seals: opened is broken, whatever comes after, until new seals are on."""

import pytest
from wallbox.core import decisions, refusals
from wallbox.core.rules import seals

from tests.player import Player

LID, TERMINALS = 1, 2


def charging(**config: int) -> Player:
    box = Player(**config).home()
    box.charge()
    box.run(60, power_w=11_000)
    assert box.powered
    return box


def told(box: Player) -> list[tuple]:
    return [(fact[3], fact[4]) for fact in box.of_kind(decisions.SEAL)]


@pytest.mark.parametrize("loops", [LID, TERMINALS, LID | TERMINALS])
def test_an_opened_seal_takes_the_power_before_anything_is_written(loops):
    box = charging()
    kinds = [decision[0] for decision in box.seal(opened=loops)]
    assert kinds[:3] == [decisions.CONTACTOR, decisions.PILOT_DUTY, decisions.SEAL]
    assert box.refused == ["TamperDetectionActivated"] and box.status == "Faulted"
    fact = box.last(decisions.SEAL)
    assert (fact["change"], fact["register_wh"]) == ("opened", box.register_wh)
    assert fact["loops"] == [
        name for bit, name in ((1, "lid"), (2, "terminal cover")) if loops & bit
    ]


def test_closing_it_again_heals_nothing():
    box = charging()
    box.seal(opened=LID)
    box.seal()
    box.run(3600)
    assert box.last(decisions.SEAL)["change"] == "closed"
    assert box.refused == ["TamperDetectionActivated"] and not box.powered


def test_new_seals_need_closed_loops_and_numbers():
    box = charging()
    box.seal(opened=LID)
    assert box.sealed() == [], "the lid is still open"
    box.seal()
    assert box.sealed(b"") == [] and box.sealed(b"1" * (seals.NUMBERS_MAX + 1)) == []
    assert (decisions.SEALS_RESET, 1) in box.sealed(b"A17 A18")
    fact = box.last(decisions.SEAL)
    assert (fact["change"], fact["numbers"]) == ("sealed", b"A17 A18")
    assert not box.refused
    assert (decisions.SEALS_RESET, 1) not in box.tick(), "once"
    box.run(15)
    assert box.powered, "and the car may go on"


def test_nobody_seals_a_box_whose_loops_have_not_been_read():
    box = Player()
    box.ready()
    assert box.sealed() == []


def test_a_broken_seal_outlives_power_cuts():
    box = charging()
    box.seal(opened=LID)
    box.seal()
    for _ in range(3):
        box = box.resume()
        assert box.refused == ["TamperDetectionActivated"]
    assert told(box) == [(0, LID), (2, LID)], "and is told once"
    box.sealed()
    assert not box.resume().refused


def test_a_seal_that_was_opened_without_power_is_told_as_such():
    box = charging()
    after = box.survivor()
    after.facts, after.fact_times = box.facts, box.fact_times
    after.boot(2)
    after.seal(latched=TERMINALS)
    assert after.last(decisions.SEAL)["change"] == "opened without power"
    assert after.last(decisions.SEAL)["loops"] == ["terminal cover"]
    assert "TamperDetectionActivated" in after.refused
    again = after.survivor()
    again.facts, again.fact_times = after.facts, after.fact_times
    again.boot(3)
    again.seal(latched=TERMINALS)
    assert len(again.of_kind(decisions.SEAL)) == 1, "the latch stays set, and is no news"
    assert "TamperDetectionActivated" in again.refused


def test_an_opening_too_short_for_the_level_is_caught_by_the_latch_and_is_evidence():
    box = charging()
    box.seal(latched=LID)
    assert told(box) == [(0, LID)] and not box.powered
    assert box.resume().refused == ["TamperDetectionActivated"]


def test_a_loose_contact_fills_no_ledger_and_the_last_word_is_true():
    box = charging()
    for _ in range(600):
        box.seal(opened=LID)
        box.now += 50
        box.seal()
        box.now += 50
    assert len(told(box)) <= 3
    box.seal(opened=LID)
    box.wait(120)
    assert told(box)[-1] == (0, LID)
    box.seal()
    box.wait(60)
    assert told(box)[-1] == (2, LID)


def test_sealing_waits_for_no_minute():
    box = charging()
    box.seal(opened=LID)
    box.seal()
    box.seal(opened=LID)
    box.seal()
    box.sealed()
    assert [change for change, _ in told(box)][-2:] == [2, 3], "closed, then sealed"


def test_policy_report_writes_and_charges_on():
    box = charging(seal_policy=seals.REPORT)
    box.seal(opened=LID)
    assert told(box) == [(0, LID)] and box.powered and not box.refused
    assert box.state.seal_broken == LID


def test_policy_pause_lets_the_session_finish_and_begins_none():
    box = charging(seal_policy=seals.PAUSE)
    box.seal(opened=LID)
    assert box.powered
    box.run(60, power_w=11_000)
    box.pilot("A")
    box.read()
    box.charge()
    assert not box.powered and box.refused == ["TamperDetectionActivated"]


def test_policy_pause_begins_no_session_by_a_quick_unplugging_either():
    box = charging(seal_policy=seals.PAUSE)
    box.seal(opened=LID)
    box.pilot("A")
    box.follow()
    box.pilot("C")
    box.read()
    box.read()
    assert len(box.of_kind(decisions.SESSION_BEGIN)) == 1
    assert not box.powered


def test_before_the_box_is_in_service_its_lid_may_be_open():
    box = Player(lifecycle=1)
    box.ready()
    box.seal(opened=LID)
    assert not box.state.refusals >> refusals.SEAL & 1
    box.lifecycle("in service", by="partner")
    assert "TamperDetectionActivated" in box.refused, "but not when it goes into service"
    assert told(box)[-1] == (0, LID)
    assert "TamperDetectionActivated" in box.resume().refused


def test_a_closed_lid_goes_into_service():
    box = Player(lifecycle=1)
    box.ready()
    box.seal(opened=LID)
    box.seal()
    box.sealed(b"1 2")
    box.lifecycle("in service", by="partner")
    assert not box.refused


def test_a_broken_seal_stays_broken_through_every_lifecycle():
    box = charging()
    box.seal(opened=LID)
    box.seal()
    for after in ("suspended", "on hold", "decommissioned"):
        box.lifecycle(after)
        box.run(15)
        assert "TamperDetectionActivated" in box.refused
