"""Limits: the least counts; what the operator limits is a lease with an end."""

import pytest
from wallbox.core import codes, decisions, events, leases
from wallbox.core.rules import limits

from tests.player import UTC_S, Player

HOUR_S = 3600


def home(**config: int) -> Player:
    return Player(**config).home()


def charging(**config: int) -> Player:
    box = home(**config)
    box.charge()
    box.run(60, power_w=11_000)
    return box


def grid(box: Player, number: int, limit_ma: int, hours: int = 1, **more: int) -> list[tuple]:
    return box.lease("grid", number, limit_ma, box.utc_s, box.utc_s + hours * HOUR_S, **more)


def watts(box: Player, power_w: int) -> None:
    box.send(events.METER_READING, box.register_wh, power_w, *[0] * 10)


def changes(box: Player) -> list[tuple[str, int]]:
    return [(codes.LIMIT_CHANGES[fact[1]], fact[3]) for fact in box.of_kind(decisions.LIMIT)]


def test_the_least_of_all_sources_wins_and_each_is_known():
    box = home(cable_limit_ma=20_000)
    box.lease("smart", 1, 14_000, UTC_S, UTC_S + HOUR_S)
    grid(box, 2, 12_000)
    box.lease("protection", 3, 13_000, UTC_S, UTC_S + HOUR_S)
    box.local_limit("thermal", 15_000)
    box.remote_start(limit_ma=10_000)
    box.charge()
    assert box.sources == {
        "installation": 16_000,
        "cable": 20_000,
        "tag": 10_000,
        "smart": 14_000,
        "grid": 12_000,
        "protection": 13_000,
        "thermal": 15_000,
    }
    assert box.state.limit_ma == 10_000 and box.state.limit_source == limits.TAG
    box.local_limit("thermal", 9000)
    assert box.state.limit_ma == 9000 and box.state.limit_source == limits.THERMAL
    box.local_limit("thermal", leases.NONE_MA)
    assert box.state.limit_ma == 10_000


@pytest.mark.parametrize("source", ["protection", "thermal"])
def test_a_sensors_zero_is_a_pause_as_a_leases_is(source):
    box = charging()
    assert source not in box.sources, "no sensor has spoken"
    box.local_limit(source, 0)
    assert box.sources[source] == 0
    box.run(10)
    assert not box.powered
    box.local_limit(source, leases.NONE_MA)
    box.run(70)
    assert box.powered and source not in box.sources


@pytest.mark.parametrize("source", codes.LIMIT_SOURCES)
def test_nothing_raises_the_limit_above_the_commissioned_breaker(source):
    box = charging()
    number = codes.LIMIT_SOURCES.index(source)
    box.send(events.LEASE, number, 1, 32_000, UTC_S, UTC_S + HOUR_S, leases.NONE_MA)
    box.send(events.LOCAL_LIMIT, number, 32_000)
    assert box.state.limit_ma == 16_000 and box.powered


@pytest.mark.parametrize("source", ["installation", "cable", "tag", "thermal"])
def test_only_smart_grid_and_protection_are_leased(source):
    box = home()
    assert box.lease(source, 1, 6000, UTC_S, UTC_S + HOUR_S) == []


def test_a_lease_holds_from_one_time_to_another():
    box = charging()
    box.lease("grid", 1, 8000, box.utc_s + 600, box.utc_s + 1200)
    box.run(590, power_w=11_000)
    assert box.state.limit_ma == 16_000
    box.run(15, power_w=11_000)
    assert box.state.limit_ma == 8000
    box.run(600, power_w=5000)
    assert box.state.limit_ma == 16_000
    assert changes(box) == [("set", 1), ("ended", 1)]


@pytest.mark.parametrize(
    "times", [(UTC_S, UTC_S), (UTC_S + 10, UTC_S), (UTC_S - HOUR_S, UTC_S - 1)]
)
def test_a_lease_without_a_future_is_not_taken(times):
    assert home().lease("grid", 1, 8000, *times) == []


def test_a_number_belongs_to_one_source():
    box = charging()
    grid(box, 5, 8000)
    assert box.lease("smart", 5, 16_000, box.utc_s, box.utc_s + HOUR_S) == []
    assert box.state.limit_ma == 8000


def test_a_plan_has_no_fallback_but_its_next_period():
    box = charging()
    times = (box.utc_s, box.utc_s + HOUR_S)
    assert box.lease("smart", 1, 16_000, *times, fallback_ma=6000) == []


def test_a_lease_that_has_not_begun_is_not_over_because_the_box_is_up_for_long():
    box = charging()
    box.lease("grid", 1, 0, box.utc_s + 8 * HOUR_S, box.utc_s + 12 * HOUR_S)
    after = box.survivor()
    after.boot(2)
    after.now += 5 * HOUR_S * 1000
    after.tick()
    assert after.state.limit_ma == 0, "it may hold by now, and no clock tells"
    after.now += 8 * HOUR_S * 1000
    after.tick()
    assert after.state.limit_ma == 16_000, "over whatever the clock would say"


def test_a_lease_needs_a_number():
    assert home().lease("grid", 0, 8000, UTC_S, UTC_S + 10) == []


def test_after_a_lease_its_fallback_holds_until_it_is_taken_back():
    box = charging()
    grid(box, 1, 6000, fallback_ma=10_000)
    box.run(2 * HOUR_S, power_w=4000)
    assert box.state.limit_ma == 10_000
    box.lease_end(1)
    assert box.state.limit_ma == 16_000
    assert changes(box) == [("set", 1), ("ended", 1), ("taken back", 1)]


def test_a_command_that_comes_twice_is_written_once():
    box = charging()
    times = (box.utc_s, box.utc_s + HOUR_S)
    box.lease("grid", 1, 6000, *times)
    box.run(60)
    assert not [one for one in box.lease("grid", 1, 6000, *times) if one[0] < decisions.LEVELS]
    assert box.state.limit_ma == 6000


def test_a_plan_of_32_periods_fits_and_no_more():
    box = charging()
    begin = box.utc_s
    for number in range(32):
        limit_ma = 6000 + 200 * number
        period = (begin + number * 900, begin + number * 900 + 900)
        assert box.lease("smart", 1 + number, limit_ma, *period)
    assert box.lease("smart", 99, 6000, begin, begin + 900) == []
    seen = set()
    for _ in range(32):
        box.run(900, power_w=4000, read_s=60)
        seen.add(box.state.limit_ma)
    assert seen == {6000 + 200 * number for number in range(1, 32)} | {16_000}
    assert [change for change, _ in changes(box)].count("ended") == 32
    assert box.lease("smart", 99, 6000, box.utc_s, box.utc_s + 900), "there is room again"


def test_a_full_plan_can_still_be_changed():
    box = charging()
    for number in range(1, 33):
        box.lease("smart", number, 10_000, box.utc_s, box.utc_s + HOUR_S)
    for number in (1, 32):
        assert box.lease("smart", number, 7000, box.utc_s, box.utc_s + HOUR_S)
    assert box.sources["smart"] == 7000


def test_a_full_table_still_takes_the_successor_of_a_grid_limit():
    box = charging()
    grid(box, 1, 6000)
    for number in range(2, 33):
        assert box.lease("smart", number, 10_000, UTC_S, UTC_S + HOUR_S)
    grid(box, 50, 9000)
    assert box.sources["grid"] == 9000
    assert box.lease("protection", 51, 9000, UTC_S, UTC_S + HOUR_S) == [], "no room"


def test_leases_outlive_reboots_by_the_ledger_alone():
    box = charging()
    box.lease("smart", 5, 9000, box.utc_s, box.utc_s + HOUR_S)
    grid(box, 6, 7000)
    box.lease_end(6)
    grid(box, 7, 8000, fallback_ma=6000)
    after = box.resume()
    assert after.sources["smart"] == 9000 and after.sources["grid"] == 8000
    after.run(HOUR_S, read_s=60)
    assert "smart" not in after.sources, "of old age"
    assert after.sources["grid"] == 6000


def test_a_lease_that_died_while_the_power_was_off_is_over():
    box = charging()
    grid(box, 1, 7000)
    after = box.resume(seconds=2 * HOUR_S)
    assert "grid" not in after.sources and changes(after)[-1] == ("ended", 1)


def test_while_the_clock_is_unknown_the_lower_of_limit_and_fallback_holds():
    box = charging()
    grid(box, 1, 12_000, fallback_ma=8000)
    box.lease("smart", 2, 7000, box.utc_s, box.utc_s + HOUR_S)
    after = box.resume(clock=False)
    assert after.state.limit_ma == 8000 and "smart" not in after.sources
    after.clock(box.utc_s + 100)
    assert after.state.limit_ma == 7000 and after.sources["grid"] == 12_000


def test_a_lease_dies_of_old_age_without_a_clock_once_the_box_is_up_for_longer():
    box = charging()
    grid(box, 1, 7000)
    after = box.resume(clock=False)
    after.run(HOUR_S - 10, read_s=140)
    assert after.sources["grid"] == 7000
    after.run(11, read_s=140)
    assert "grid" not in after.sources


# the subscriber's wishes


def test_the_subscriber_may_opt_out_of_the_grid_and_of_nothing_else():
    box = charging()
    grid(box, 1, 7000)
    box.lease("protection", 2, 9000, box.utc_s, box.utc_s + HOUR_S)
    box.opt_out()
    assert box.state.limit_ma == 9000 and "grid" not in box.sources
    assert box.last(decisions.PREFERENCE)["opt_out"] == 1
    assert "grid" not in box.resume().sources
    box.opt_out(False)
    assert box.state.limit_ma == 7000


def test_charge_now_overrides_the_plan_for_this_session_and_shows_in_its_end():
    box = home()
    box.lease("smart", 1, 0, UTC_S, UTC_S + 10 * HOUR_S)
    box.charge()
    box.run(60)
    assert not box.powered
    box.charge_now()
    box.run(90, power_w=11_000)
    assert box.powered
    box.pilot("A")
    box.read()
    assert box.last(decisions.SESSION_END)["flags"] == ["smart", "overridden"]
    box.charge()
    box.run(90)
    assert not box.powered, "the next session follows the plan again"
    box.pilot("A")
    box.read()
    assert box.last(decisions.SESSION_END)["flags"] == ["smart"]


def test_a_session_without_a_plan_is_neither_smart_nor_overridden():
    box = charging()
    box.charge_now()
    box.pilot("A")
    box.read()
    assert box.last(decisions.SESSION_END)["flags"] == []


def test_whether_a_session_was_smart_or_overridden_outlives_a_power_cut():
    box = charging()
    box.lease("smart", 1, 10_000, box.utc_s, box.utc_s + HOUR_S)
    box.charge_now()
    after = box.resume(seconds=2 * HOUR_S)
    after.pilot("C")
    after.pilot("A")
    after.read()
    assert after.last(decisions.SESSION_END)["flags"] == ["smart", "overridden"]


def test_charge_now_ends_with_the_car_that_it_was_said_for():
    box = home()
    box.pilot("B")
    box.lifecycle("suspended")
    box.charge_now()
    box.pilot("A")
    assert box.state.session_override == 0
    assert box.resume().state.session_override == 0, "and the ledger knows"
