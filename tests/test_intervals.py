"""The account at its edges: odd days, odd clocks, odd registers. Not one Wh is lost or invented."""

from collections import Counter
from datetime import datetime, timezone
from zoneinfo import ZoneInfo

import pytest
from wallbox.core import decisions, events, refusals
from wallbox.core.rules import session

from tests.player import PARTS, UTC_S, Player, accounted_wh

COPENHAGEN = ZoneInfo("Europe/Copenhagen")
QUARTER_S = 900


def utc(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=timezone.utc).timestamp())


def at_home(utc_s: int = UTC_S, register_wh: int = 1_000_000) -> Player:
    box = Player()
    box.register_wh = register_wh
    box.boot()
    box.clock(utc_s)
    box.identity()
    box.read()
    return box


def names(box: Player) -> list[str]:
    return refusals.names(box.state.refusals)


@pytest.mark.parametrize(
    ("noon_before", "day", "quarters"),
    [
        ("2026-03-28T12:00", "2026-03-29", 92),
        ("2026-10-24T12:00", "2026-10-25", 100),
        ("2026-11-21T12:00", "2026-11-22", 96),
    ],
)
def test_a_day_at_home_has_92_96_or_100_quarters(noon_before, day, quarters):
    box = at_home(utc(noon_before))
    box.charge()
    box.run(48 * 3600, power_w=1000, read_s=60)
    intervals = [fact for fact in box.of_kind(decisions.INTERVAL) if not fact[7]]
    begins = [fact[4] - QUARTER_S for fact in intervals]
    days = Counter(datetime.fromtimestamp(s, COPENHAGEN).date().isoformat() for s in begins)
    assert days[day] == quarters
    assert begins == list(range(begins[0], begins[-1] + 1, QUARTER_S)), "none missing, none twice"
    assert {fact[3] for fact in intervals} == {250}


@pytest.mark.parametrize("jump_s", [-3600, 3600, -5 * 365 * 86400, 5 * 365 * 86400])
def test_a_clock_that_jumps_costs_a_gap_and_no_energy(jump_s):
    box = at_home()
    box.charge()
    box.run(5000, power_w=11_000)
    before = len(box.of_kind(decisions.INTERVAL))
    box.clock(UTC_S + 5000 + jump_s)
    box.read()
    partial, gap = box.facts[-3], box.facts[-2]
    assert [fact[0] for fact in box.facts[-4:]] == [
        decisions.CLOCK, decisions.INTERVAL, decisions.GAP_BEGIN, decisions.GAP_END,
    ]  # fmt: skip
    assert partial[0] == decisions.INTERVAL and partial[7] == decisions.PARTIAL
    assert gap[3] == UTC_S + 5000, "the gap begins by the old clock"
    box.run(5000, power_w=11_000)
    assert len(box.of_kind(decisions.INTERVAL)) > before + 4
    assert accounted_wh(box.facts) == box.state.accounted_wh - 1_000_000


def test_a_clock_that_is_never_set_makes_one_gap_over_all_boots():
    box = Player()
    box.boot()
    box.identity()
    box.read()
    box.charge()
    box.run(4000, power_w=11_000)
    assert box.state.contactor == 1, "charging waits for no clock"
    for number in (2, 3, 4):
        after = box.survivor()
        after.facts, after.fact_times = box.facts, box.fact_times
        after.boot(number)
        after.pilot("C")
        after.identity()
        after.read(add_wh=1)
        after.run(4000, power_w=11_000)
        box = after
    assert not box.of_kind(decisions.INTERVAL), "no quarter ends by a clock that is not known"
    assert len(box.of_kind(decisions.GAP_BEGIN)) == 1
    box.clock(UTC_S)
    box.read()
    (end,) = box.of_kind(decisions.GAP_END)
    assert end[3] == box.register_wh - 1_000_000
    assert end[4:6] == (0, events.UNKNOWN), "the begin is not known and so not invented"
    assert end[6] == decisions.GAP_CLOCK | decisions.GAP_POWER


def test_every_cause_that_joins_a_gap_survives_the_next_power_cut():
    box = at_home()
    box.charge()
    box.run(100, power_w=11_000)
    box.send(events.METER_SILENT, 0)
    box.now += 2_000_000
    box.tick()
    for number, cause in ((2, 1), (3, 3)):
        after = box.survivor()
        after.facts, after.fact_times, after.now = box.facts, box.fact_times, 0
        after.boot(number, cause=cause)
        box = after
    box = box.survivor()
    assert box.state.gap_cause == (
        decisions.GAP_METER | decisions.GAP_CLOCK | decisions.GAP_POWER | decisions.GAP_RESTART
    )


def test_a_register_that_rolls_over_is_accounted_across_its_end():
    box = at_home(register_wh=99_999_000)
    box.charge()
    box.run(200, power_w=11_000)
    last_wh = box.register_wh
    box.register_wh = 20
    box.read()
    (rolled,) = box.of_kind(decisions.METER_ROLLOVER)
    assert rolled[4] == 100_000_000 and box.state.contactor == 1
    box.run(2000, power_w=11_000)
    box.pilot("A")
    box.read()
    (end,) = box.of_kind(decisions.SESSION_END)
    assert end[4] == 100_000_000 - 99_999_000 + box.register_wh
    taken_wh = 100_000_000 - 99_999_000 + box.state.accounted_wh
    assert accounted_wh(box.facts) == taken_wh
    assert last_wh < 100_000_000


def test_a_session_across_a_rollover_and_a_power_cut_keeps_its_energy():
    box = at_home(register_wh=99_999_990)
    box.charge()
    box.register_wh = 5
    box.read()
    after = box.survivor()
    after.facts, after.fact_times = box.facts, box.fact_times
    after.boot(2)
    after.clock(UTC_S + 100)
    after.identity()
    after.read(add_wh=1)
    after.pilot("A")
    after.read()
    (end,) = after.of_kind(decisions.SESSION_END)
    assert end[4] == 16
    assert accounted_wh(after.facts) == 16


def test_a_rollover_while_the_power_was_off_is_accounted_too():
    box = at_home(register_wh=99_999_990)
    after = box.survivor()
    after.facts, after.fact_times = box.facts, box.fact_times
    after.boot(2)
    after.identity()
    after.clock(UTC_S + 100)
    after.register_wh = 5
    after.read()
    assert after.of_kind(decisions.METER_ROLLOVER)
    assert accounted_wh(after.facts) == 15
    assert after.state.gap_open == 0


@pytest.mark.parametrize("register_wh", [0, 999_000, 999_999])
def test_a_register_that_went_back_is_refused_until_it_is_approved(register_wh):
    box = at_home()
    box.charge()
    box.register_wh = register_wh
    assert box.read()[0] == (decisions.CONTACTOR, 0)
    assert names(box) == ["PowerMeterFailure"]
    box.follow()
    box.approve_meter(42)
    box.identity()
    box.read()
    assert not box.state.refusals & (1 << refusals.METER_REFUSED)
    begin_wh = [fact[1] for fact in box.of_kind(decisions.METER)]
    assert begin_wh == [1_000_000, register_wh]
    box.run(2000, power_w=3600)
    assert accounted_wh(box.facts) == box.state.accounted_wh - register_wh


def test_an_exchanged_meter_begins_a_new_account_once_it_is_approved():
    box = at_home()
    box.charge()
    box.run(500, power_w=11_000)
    old_wh = box.register_wh
    box.identity(77)
    assert names(box) == ["MeterExchanged"] and box.state.contactor == 0
    box.follow()
    box.register_wh = 123
    box.read()
    box.approve_meter(78)
    assert names(box) == ["MeterExchanged"], "only the meter that is there can be approved"
    taken = box.approve_meter(77)
    assert (decisions.METER_ACCEPTED, 1) in taken
    exchange = box.of_kind(decisions.METER_EXCHANGE)[-1]
    assert exchange == (decisions.METER_EXCHANGE, old_wh, 42, 77)
    (end,) = box.of_kind(decisions.SESSION_END)
    assert end[1:5] == (old_wh, 42, 1, old_wh - 1_000_000)
    assert session.STATUS[end[8]] == "X"
    box.identity(77)
    box.read()
    gap = box.of_kind(decisions.GAP_END)[-1]
    assert gap[1:4] == (123, 77, 0) and gap[6] & decisions.GAP_EXCHANGE
    box.run(2000, power_w=11_000)
    parts = [fact for fact in box.facts if fact[0] in PARTS]
    assert sum(part[3] for part in parts if part[2] == 42) == old_wh - 1_000_000
    assert sum(part[3] for part in parts if part[2] == 77) == box.state.accounted_wh - 123


def test_a_power_cut_between_approval_and_first_register_forgets_neither():
    box = at_home()
    box.charge()
    box.identity(77)
    box.follow()
    for cut in range(1, 5):
        story = Player()
        story.facts, story.fact_times = list(box.facts), list(box.fact_times)
        story = story.survivor()
        story.facts, story.fact_times = list(box.facts), list(box.fact_times)
        story.boot(2)
        story.identity(77)
        before = len(story.facts)
        story.approve_meter(77)
        del story.facts[before + cut :], story.fact_times[before + cut :]
        after = story.survivor()
        after.facts, after.fact_times = story.facts, story.fact_times
        after.boot(3)
        after.identity(77)
        after.clock(UTC_S + 900)
        after.register_wh = 5
        after.read()
        assert after.state.meter_id == 77
        (end,) = after.of_kind(decisions.SESSION_END)
        assert end[2] == 42 and end[4] == 0
        after.read(add_wh=7)
        after.run(1000)
        assert accounted_wh(after.facts) == 7


def test_a_full_ledger_spends_its_reserve_on_no_idle_quarters():
    box = at_home()
    box.run(1000, read_s=60)
    box.send(events.LEDGER, 970, 1, 0)
    assert box.of_kind(decisions.GAP_BEGIN)[-1][5] == decisions.GAP_STORAGE
    before = len(box.facts)
    box.run(30 * 86400, read_s=3600)
    assert len(box.facts) == before
    box.send(events.LEDGER, 100, 0, 0)
    box.read(add_wh=9)
    end = box.of_kind(decisions.GAP_END)[-1]
    assert end[3] == 9 and end[6] == decisions.GAP_STORAGE
    assert accounted_wh(box.facts) == box.register_wh - 1_000_000


def test_a_full_ledger_still_takes_the_quarters_of_the_running_session():
    box = at_home()
    box.charge()
    box.send(events.LEDGER, 970, 1, 0)
    box.run(4000, power_w=11_000)
    assert len(box.of_kind(decisions.INTERVAL)) == 4 and box.state.contactor == 1


def test_each_firmware_is_a_fact_with_the_register_from_which_it_measured():
    box = at_home()
    (first,) = box.of_kind(decisions.FIRMWARE)
    assert first[3] == b"1.0"
    box.charge()
    box.run(1000, power_w=11_000)
    after = box.survivor()
    after.boot(2)
    assert not after.of_kind(decisions.FIRMWARE)
    newer = box.survivor()
    newer.send(events.BOOT, 2, 1, 0, 0, 0, 0, b"1.1")
    (fact,) = newer.of_kind(decisions.FIRMWARE)
    assert fact == (decisions.FIRMWARE, box.state.accounted_wh, 42, b"1.1")


@pytest.mark.parametrize("first_s, second_s", [(900, 300), (300, 900), (900, 3600)])
def test_another_length_begins_with_the_next_interval(first_s, second_s):
    box = at_home()
    box.configure(interval_s=first_s)
    box.charge()
    box.run(QUARTER_S + first_s, power_w=1000, read_s=10)
    before = len(box.of_kind(decisions.INTERVAL))
    box.run(first_s // 3, power_w=1000, read_s=10)
    box.configure(interval_s=second_s)
    box.run(3 * second_s + first_s, power_w=1000, read_s=10)
    lengths = [fact[6] for fact in box.of_kind(decisions.INTERVAL)[before:]]
    assert lengths[0] == first_s and set(lengths[1:]) == {second_s}
    ends = [fact[4] for fact in box.of_kind(decisions.INTERVAL)[before:]]
    assert ends[0] % first_s == 0 and not [end for end in ends[1:] if end % second_s]
    for fact, begin in zip(box.of_kind(decisions.INTERVAL)[before + 1 :], ends, strict=False):
        partial = fact[7] & decisions.PARTIAL
        assert partial == (fact[4] - begin != second_s), "a short one says so"
    told = [fact for fact in box.facts if fact[0] in PARTS]
    assert accounted_wh(box.facts) == told[-1][1] - 1_000_000
