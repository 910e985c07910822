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
    assert box.sources["grid"] == 9000 and changes(box)[2:] == [("set", 2), ("replaced", 1)]


def test_of_grid_and_protection_the_newest_replaces_the_one_before():
    box = home()
    grid(box, 1, 6000)
    box.lease("protection", 9, 7000, box.utc_s, box.utc_s + HOUR_S)
    grid(box, 2, 10_000)
    assert box.sources["grid"] == 10_000
    assert changes(box) == [("set", 1), ("set", 9), ("set", 2), ("replaced", 1)]
    assert box.resume().sources == box.sources, "and the ledger alone tells the same"


def test_one_that_was_obeyed_tells_so_when_it_is_replaced():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 6000)
    for _ in range(30):
        box.now += 10_000
        watts(box, 4100)
    grid(box, 2, 10_000)
    assert changes(box) == [("set", 1), ("set", 2), ("replaced", 1)]
    told = named(box.of_kind(decisions.LIMIT)[2])
    assert (told["lease"], told["reached_s"]) == (1, 10) and told["withheld_wh"] > 500
    assert box.resume().sources["grid"] == 10_000


def test_a_power_cut_between_two_facts_leaves_both_limits_and_not_none():
    box = charging()
    grid(box, 1, 6000)
    grid(box, 2, 10_000)
    assert codes.LIMIT_CHANGES[box.facts[-1][1]] == "replaced"
    del box.facts[-1], box.fact_times[-1]
    after = box.resume()
    assert after.sources["grid"] == 6000
    assert grid(after, 3, 10_000), "and the command that nobody confirmed comes again"
    assert after.sources["grid"] == 10_000


@pytest.mark.parametrize("seconds", [0, 60])
def test_a_number_that_is_set_anew_holds_on_after_a_power_cut(seconds):
    box = charging()
    grid(box, 1, 6000)
    box.run(seconds)
    grid(box, 1, 10_000)
    assert changes(box) == [("set", 1), ("set", 1), ("replaced", 1)]
    assert box.sources == box.resume().sources and box.sources["grid"] == 10_000


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
    assert (told["lease"], told["reached_s"]) == (2, 10) and told["withheld_wh"] > 500
    box.lease_end(1)
    assert box.last(decisions.LIMIT)["withheld_wh"] > 500


def test_one_that_is_ignored_says_so_though_another_was_watched_before():
    box = charging()
    watts(box, 11_000)
    grid(box, 1, 10_000, hours=2)
    box.now += 1000
    watts(box, 11_000)
    box.lease("protection", 2, 6000, box.utc_s, box.utc_s + HOUR_S)
    for _ in range(361):
        box.now += 10_000
        watts(box, 11_000)
    told = box.last(decisions.LIMIT)
    assert (told["lease"], told["change"], told["reached_s"]) == (2, "ended", NEVER_REACHED)


def test_without_a_session_nothing_was_observed():
    box = home()
    grid(box, 1, 6000)
    box.run(HOUR_S + 60, read_s=60)
    told = box.last(decisions.LIMIT)
    assert (told["change"], told["reached_s"], told["withheld_wh"]) == ("ended", 0xFFFE, 0)


# several of one source


def later(box, number: int, limit_ma: int, after_h: int, **more: int):
    """A limit of the grid for one hour that begins after_h hours from now."""
    begin = box.utc_s + after_h * HOUR_S
    return box.lease("grid", number, limit_ma, begin, begin + HOUR_S, **more)


def test_one_that_begins_later_waits_beside_the_one_that_holds():
    box = charging()
    grid(box, 1, 6000)
    later(box, 2, 8000, after_h=2)
    assert box.sources["grid"] == box.resume().sources["grid"] == 6000
    box.run(HOUR_S + 60, read_s=60)
    assert "grid" not in box.sources
    box.run(HOUR_S, read_s=60)
    assert box.sources["grid"] == 8000
    box.run(HOUR_S, read_s=60)
    assert changes(box) == [("set", 1), ("set", 2), ("ended", 1), ("ended", 2)]


def test_where_two_overlap_the_lower_counts():
    box = charging()
    grid(box, 1, 10_000, hours=3)
    later(box, 2, 8000, after_h=1)
    later(box, 3, 9000, after_h=1)
    box.run(HOUR_S + 60, read_s=60)
    assert box.sources["grid"] == 8000


def test_one_that_begins_at_once_leaves_those_that_wait():
    box = charging()
    grid(box, 1, 6000)
    later(box, 2, 8000, after_h=2)
    grid(box, 3, 9000)
    assert box.sources["grid"] == 9000
    assert changes(box)[2:] == [("set", 3), ("replaced", 1)]
    box.run(2 * HOUR_S + 60, read_s=60)
    assert box.sources["grid"] == box.resume(seconds=0).sources["grid"] == 8000


def test_a_fallback_holds_until_the_next_of_its_source_begins():
    box = charging()
    grid(box, 1, 10_000, fallback_ma=6000)
    later(box, 2, 12_000, after_h=2)
    box.run(HOUR_S + 60, read_s=60)
    assert box.sources["grid"] == 6000
    box.run(HOUR_S, read_s=60)
    assert box.sources["grid"] == 12_000 and changes(box)[-1] == ("replaced", 1)
    box.run(HOUR_S, read_s=60)
    assert "grid" not in box.sources and box.sources == box.resume(seconds=0).sources


def test_of_one_source_three_hold_or_wait():
    box = charging()
    for number in (1, 2, 3):
        assert later(box, number, 8000, after_h=number)
    assert later(box, 4, 8000, after_h=4) == []
    assert box.lease("protection", 5, 8000, box.utc_s, box.utc_s + HOUR_S), "of another source"
    assert later(box, 3, 9000, after_h=5), "a number that is there is changed"
    box.lease_end(1)
    assert later(box, 4, 8000, after_h=4)
