"""A plan in place of another: nothing is offered in between that neither of them offers."""

from types import SimpleNamespace

import pytest
from wallbox.commands import ACCEPTED, REJECTED, plans
from wallbox.core import events, leases
from wallbox.core.rules import limits

from tests.player import Player

HOUR_S = 3600


class Planned:
    """A charging box, and how it takes a plan."""

    def __init__(self) -> None:
        self.player = Player().home()
        self.player.charge()
        self.player.run(60, power_w=11_000)
        self.limits_ma: list[int] = []
        agent = SimpleNamespace(state=self.player.state, halted=False)
        self.box = SimpleNamespace(agent=agent, clock=SimpleNamespace(now=lambda: self.player.now))

    def replace(self, first: int, periods: list) -> tuple:
        def take(_box, kind, values):
            self.player.send(kind, *values)
            self.limits_ma.append(self.player.state.limit_ma)
            return ACCEPTED, ""

        return plans.replace(self.box, first, periods, take)

    def periods(self, count: int, limit_ma: int, begin_s: int = -10) -> list:
        begin = self.player.utc_s + begin_s
        return [
            [begin + hour * HOUR_S, begin + (hour + 1) * HOUR_S, limit_ma]
            for hour in range(count)
        ]

    @property
    def smart(self) -> set[int]:
        lease, found = [0] * 6, set()
        for slot in range(leases.SLOTS):
            taken = leases.get(self.player.state.leases, slot, lease)
            if taken and lease[leases.SOURCE] == limits.SMART:
                found.add(lease[leases.LEASE])
        return found


@pytest.mark.parametrize("first", [100, 101, 112, 500])
def test_sending_a_plan_again_does_not_lift_it_for_a_moment(first):
    box = Planned()
    assert box.replace(100, box.periods(24, 0)) == (ACCEPTED, "")
    box.limits_ma.clear()
    assert box.replace(first, box.periods(24, 0)) == (ACCEPTED, "")
    assert set(box.limits_ma) == {0}
    assert box.smart == set(range(first, first + 24))


def test_no_periods_are_no_plan():
    box = Planned()
    box.replace(100, box.periods(5, 8000))
    assert box.player.state.limit_ma == 8000
    assert box.replace(900, []) == (ACCEPTED, "")
    assert box.smart == set() and box.player.state.limit_ma == 16_000


def test_periods_that_are_over_are_left_out_and_told():
    box = Planned()
    assert box.replace(100, box.periods(4, 8000, -2 * HOUR_S - 600)) == (
        ACCEPTED,
        "2 of the periods are over",
    )
    assert box.smart == {102, 103} and box.player.state.limit_ma == 8000


@pytest.mark.parametrize(
    "wrong",
    [
        [[5, 5, 0]],
        [[5, 9, 0], [8, 12, 0]],
        [[5, 9]],
        [[5, 9, True]],
        [[5, 9, 1 << 24]],
        ["5"],
        [[-1, 9, 0]],
    ],
)
def test_one_wrong_period_leaves_the_plan_as_it_is(wrong):
    box = Planned()
    box.replace(100, box.periods(3, 0))
    status, info = box.replace(200, wrong)
    assert status == REJECTED and "periods" in info and box.smart == {100, 101, 102}


def test_the_number_of_a_limit_is_not_a_periods():
    box = Planned()
    now = box.player.utc_s
    box.player.send(events.LEASE, limits.GRID, 7, 10_000, now, now + HOUR_S, leases.NONE_MA)
    assert box.replace(5, box.periods(4, 0)) == (REJECTED, "lease: 7 is a limit's number")
