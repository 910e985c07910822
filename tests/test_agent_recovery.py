"""When the ledger takes records again, and it was no boot: what only a boot may forget is kept."""

import pytest
from wallbox.core import decisions, events, fields, refusals
from wallbox.core import state as memory
from wallbox.core.rules import limits
from wallbox.store import StoreError

from tests.player import UTC_S
from tests.test_agent import DELIVERED, Bench

HOUR_MS = 3_600_000
NO_WIFI = 3


def home(**config: int) -> Bench:
    bench = Bench(config=config)
    bench.ready()
    bench.pilot("A")
    bench.send(events.LINK, DELIVERED)
    return bench


def back(bench: Bench) -> list[str]:
    """Refusals after the ledger took nothing for a moment, with meter, clock and car told again."""
    bench.agent.halt(StoreError("a program failed"), bench.now)
    bench.recover(events.RESUMED)
    assert not bench.agent.halted
    bench.send(events.CLOCK, (UTC_S + 10_000 * bench.boots) * 1000 + bench.now, 3)
    bench.send(events.METER_IDENTITY, 42, b"a|b|c")
    bench.read()
    bench.pilot("A")
    bench.read()
    return refusals.names(bench.agent.state.refusals)


def test_without_a_fault_nothing_is_refused():
    assert back(home()) == []


def test_a_contactor_that_did_not_follow_stays_out_of_use():
    bench = home()
    bench.send(events.CONTACTOR, 1)
    bench.now += 1000
    bench.send(events.TICK)
    bench.send(events.CONTACTOR, 0)
    assert back(bench) == ["PowerSwitchFailure"]
    told = [fact for fact in bench.facts() if fact[:2] == [decisions.FAULT, refusals.CONTACTOR]]
    assert len(told) == 1, "told once"


def test_current_that_flowed_through_an_open_contactor_does_too():
    bench = home()
    bench.now += 10_000
    for _ in range(2):
        bench.send(events.METER_READING, bench.register_wh, 0, 0, 0, 0, 2000, *[0] * 6)
    assert back(bench) == ["CurrentWithoutContactor"]


def test_the_grace_time_offline_goes_on():
    bench = home(offline_grace_h=3)
    bench.send(events.LINK, NO_WIFI)
    bench.now += 3 * HOUR_MS
    assert back(bench) == ["Offline"]


def test_a_link_that_was_up_is_no_absence():
    bench = home(offline_grace_h=3)
    assert back(bench) == []
    assert bench.agent.state.link == DELIVERED and not bench.agent.state.away


def test_the_hours_among_strangers_go_on():
    bench = Bench(config={"relocate_after_h": 20})
    bench.ready()
    bench.now += 19 * HOUR_MS
    bench.send(events.PLACE, 0, 2)
    assert back(bench) == []
    bench.now += HOUR_MS
    bench.send(events.PLACE, 0, 2)
    assert bench.agent.state.moved == 1


def test_a_box_that_was_at_home_is_not_watched_anew():
    bench = home(relocate_after_h=1)
    back(bench)
    bench.now += 30 * HOUR_MS
    bench.send(events.PLACE, 0, 2)
    assert bench.agent.state.moved == 0


@pytest.mark.parametrize("source", [limits.PROTECTION, limits.THERMAL])
def test_a_limit_of_a_sensor_holds_on(source):
    bench = home()
    bench.send(events.LOCAL_LIMIT, source, 7000)
    back(bench)
    assert bench.agent.state.limit_ma == 7000


def test_a_boot_forgets_all_of_that():
    bench = home()
    bench.send(events.CONTACTOR, 1)
    bench.now += 1000
    bench.send(events.TICK)
    bench.send(events.LOCAL_LIMIT, limits.THERMAL, 7000)
    bench.boot()
    bench.ready()
    assert not bench.agent.state.refusals and bench.agent.state.limit_ma == 16_000


def test_a_decommissioning_that_waited_for_its_register_is_finished():
    bench = home()
    bench.send(events.LIFECYCLE, 5, 2, 8)
    assert back(bench) == ["NotInService"]


def test_the_contactor_has_its_time_to_open():
    """What the feedback said before the halt is told anew, and is no fault."""
    bench = home()
    bench.charge()
    bench.agent.halt(StoreError("a program failed"), bench.now)
    bench.recover(events.RESUMED)
    bench.now += 1000
    bench.send(events.TICK)
    bench.send(events.CONTACTOR, 0)
    assert not bench.agent.state.contactor_failed


def test_what_is_carried_over_is_known_and_comes_from_no_ledger():
    fleeting = fields.names(memory.FLEETING)
    assert set(memory.SENSED.split(" ")) <= set(fleeting)
