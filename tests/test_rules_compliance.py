"""What the ledger tells of a limit: that it was set, how it was obeyed, what took its place."""

import pytest
from wallbox.core import codes, decisions, leases

from tests.player import UTC_S, named
from tests.test_rules_limits import HOUR_S, changes, charging, grid, home, watts

NEVER_REACHED = 0xFFFF


def test_a_lease_with_a_fallback_tells_its_end_once_and_what_it_did():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000, fallback_ma=10_000)
    for _ in range(10 * 361):
        box.now += 10_000
        watts(box, 4100)
    (ended,) = [fact for fact in box.of_kind(decisions.LIMIT) if fact[1] == 1]
    told = named(ended)
    assert (told["limit_ma"], told["fallback_ma"], told["reached_s"]) == (6000, 10_000, 10)
    assert 6800 < told["withheld_wh"] < 7000, "of its hour alone"
    box.lease_end(1)
    told = box.last(decisions.LIMIT)
    assert (told["change"], told["limit_ma"]) == ("taken back", 10_000)
    assert (told["until_utc_s"], told["withheld_wh"]) == (leases.ENDLESS_UTC_S, 0)


@pytest.mark.parametrize("clock", [True, False])
@pytest.mark.parametrize("fallback_ma", [0, 8000, 12_000])
def test_a_fallback_goes_on_through_power_cuts(fallback_ma, clock):
    box = charging()
    grid(box, 1, 10_000, fallback_ma=fallback_ma)
    box.run(HOUR_S + 60, power_w=4000)
    for _ in range(3):
        box = box.resume(seconds=HOUR_S, clock=clock)
        assert box.state.limit_ma == fallback_ma
    box.clock(UTC_S + 10 * HOUR_S)
    box.run(60)
    assert changes(box) == [("set", 1), ("ended", 1)], "its end is told once"
    grid(box, 2, 9000)
    assert box.sources["grid"] == 9000 and changes(box)[2:] == [("set", 2)]


def test_of_grid_and_protection_the_newest_replaces_the_one_before():
    box = home()
    grid(box, 1, 6000)
    box.lease("protection", 9, 7000, box.utc_s, box.utc_s + HOUR_S)
    grid(box, 2, 10_000)
    assert box.sources["grid"] == 10_000
    assert changes(box) == [("set", 1), ("set", 9), ("set", 2)], "one fact a change"
    assert box.resume().sources == box.sources, "and the ledger alone tells the same"


def test_one_that_was_obeyed_tells_so_when_it_is_replaced():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    for _ in range(30):
        box.now += 10_000
        watts(box, 4100)
    grid(box, 2, 10_000)
    assert changes(box) == [("set", 1), ("replaced", 1), ("set", 2)]
    told = named(box.of_kind(decisions.LIMIT)[1])
    assert (told["lease"], told["reached_s"]) == (1, 10) and told["withheld_wh"] > 500
    assert box.resume().sources["grid"] == 10_000


def test_a_power_cut_between_two_facts_leaves_the_old_limit_and_not_none():
    box = charging()
    grid(box, 1, 6000)
    grid(box, 2, 10_000)
    assert codes.LIMIT_CHANGES[box.facts[-2][1]] == "replaced"
    del box.facts[-1], box.fact_times[-1]
    after = box.resume()
    assert after.sources["grid"] == 6000
    assert grid(after, 2, 10_000), "and the command that nobody confirmed comes again"
    assert after.sources["grid"] == 10_000


# compliance


def test_how_fast_a_limit_was_obeyed_and_what_it_held_back_is_told_at_its_end():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    for seconds, power_w in ((5, 11_000), (5, 8000), (10, 4100)):
        box.now += seconds * 1000
        watts(box, power_w)
    for _ in range(358):
        box.now += 10_000
        watts(box, 4100)
    box.now += 10_000
    box.tick()
    told = box.last(decisions.LIMIT)
    assert (told["change"], told["reached_s"]) == ("ended", 20)
    least = (11_000 - 4100) * 3580 // 3600
    assert least <= told["withheld_wh"] <= least + 50


def test_a_limit_that_the_car_ignores_says_so():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    for _ in range(361):
        box.now += 10_000
        watts(box, 11_000)
    told = box.last(decisions.LIMIT)
    assert (told["reached_s"], told["withheld_wh"]) == (NEVER_REACHED, 0)


def test_nothing_is_withheld_from_a_session_that_is_over():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    box.pilot("A")
    box.run(HOUR_S + 60)
    assert box.last(decisions.LIMIT)["withheld_wh"] == 0


def test_two_limits_at_once_do_not_confuse_the_record():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    box.lease("protection", 2, 6000, box.utc_s, box.utc_s + 2 * HOUR_S)
    for _ in range(361):
        box.now += 10_000
        watts(box, 4100)
    told = box.last(decisions.LIMIT)
    assert told["lease"] == 1 and told["reached_s"] == 10 and told["withheld_wh"] > 6000


def test_the_record_of_one_limit_is_not_told_of_another():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    box.lease("protection", 2, 6000, box.utc_s, box.utc_s + 2 * HOUR_S)
    for _ in range(30):
        box.now += 10_000
        watts(box, 4100)
    box.lease_end(2)
    told = box.last(decisions.LIMIT)
    assert (told["lease"], told["reached_s"], told["withheld_wh"]) == (2, 0, 0)
    box.lease_end(1)
    assert box.last(decisions.LIMIT)["withheld_wh"] > 500
