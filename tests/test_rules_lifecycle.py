"""The box's life: who may take it from one state to another, and what each state allows."""

import pytest
from wallbox.core import codes, decisions, events
from wallbox.core.rules import lifecycle

from tests.player import Player

# (before, after): who may; written down a second time, so that a change of the rule is noticed
ALLOWED = {
    ("factory", "commissioned"): {"partner"},
    ("commissioned", "factory"): {"partner"},
    ("commissioned", "in service"): {"partner", "operator"},
    ("in service", "suspended"): {"operator"},
    ("suspended", "in service"): {"operator"},
    ("in service", "on hold"): {"operator"},
    ("on hold", "in service"): {"operator"},
    ("suspended", "on hold"): {"operator"},
    ("on hold", "suspended"): {"operator"},
    ("commissioned", "decommissioned"): {"partner", "operator"},
    ("in service", "decommissioned"): {"partner", "operator"},
    ("suspended", "decommissioned"): {"partner", "operator"},
    ("on hold", "decommissioned"): {"partner", "operator"},
    ("decommissioned", "factory"): {"partner"},
}
ARMED = ("in service", "suspended", "on hold")
REFUSAL = {
    "factory": "NotInService",
    "commissioned": "NotInService",
    "in service": None,
    "suspended": "Suspended",
    "on hold": "OnHold",
    "decommissioned": "NotInService",
}


def at(state: str) -> Player:
    """A box in that state, by the shortest way."""
    box = Player(lifecycle=0).home()
    ways = {
        "factory": (),
        "commissioned": ("commissioned",),
        "in service": ("commissioned", "in service"),
        "suspended": ("commissioned", "in service", "suspended"),
        "on hold": ("commissioned", "in service", "on hold"),
        "decommissioned": ("commissioned", "decommissioned"),
    }
    for after in ways[state]:
        box.lifecycle(after, by="partner" if after == "commissioned" else "operator")
        box.read()
    assert now(box) == state
    return box


def now(box: Player) -> str:
    return codes.LIFECYCLES[box.state.lifecycle]


@pytest.mark.parametrize("before", codes.LIFECYCLES)
@pytest.mark.parametrize("after", codes.LIFECYCLES)
@pytest.mark.parametrize("by", codes.LIFECYCLE_BY)
def test_every_move_there_is_and_every_other_changes_nothing(before, after, by):
    box = at(before)
    allowed = by in ALLOWED.get((before, after), set())
    assert lifecycle.may(*(codes.LIFECYCLES.index(one) for one in (before, after)),
                         codes.LIFECYCLE_BY.index(by)) == allowed  # fmt: skip
    count = len(box.facts)
    box.lifecycle(after, by, "hold")
    box.read()
    if not allowed:
        assert len(box.facts) == count and now(box) == before
        return
    told = box.last(decisions.LIFECYCLE)
    assert (told["before"], told["after"], told["by"]) == (before, after, by)
    assert told["reason"] == "hold" and now(box) == now(box.resume()) == after


def test_a_state_that_does_not_exist_is_nobodys():
    box = Player().home()
    for after in (6, 77, 255):
        assert box.send(events.LIFECYCLE, after, lifecycle.OPERATOR, 0) == []


@pytest.mark.parametrize("state", codes.LIFECYCLES)
def test_power_flows_in_service_alone(state):
    box = at(state)
    box.charge()
    assert box.powered == (state == "in service")
    assert box.refused == ([REFUSAL[state]] if REFUSAL[state] else [])


@pytest.mark.parametrize("after", ["suspended", "on hold"])
def test_a_suspension_takes_the_power_at_once_and_gives_it_back(after):
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    assert box.lifecycle(after)[0] == (decisions.CONTACTOR, 0)
    box.run(600)
    assert not box.powered
    box.lifecycle("in service")
    box.run(20)
    assert box.powered and box.state.session == 1, "the same session"


@pytest.mark.parametrize("after", ["suspended", "on hold"])
def test_a_suspension_has_a_final_register_too(after):
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    ordered = box.lifecycle(after, reason="payment")
    assert ordered[0] == (decisions.CONTACTOR, 0) and (decisions.METER_WANTED, 1) in ordered
    assert now(box) == "in service" and box.refused == [REFUSAL[after]]
    box.read(add_wh=7)
    told = box.last(decisions.LIFECYCLE)
    assert (told["after"], told["register_wh"], told["reason"]) == (
        after,
        box.register_wh,
        "payment",
    )
    assert not box.of_kind(decisions.SESSION_END), "the session may go on afterwards"


def test_a_move_between_suspension_and_hold_needs_no_reading():
    box = at("suspended")
    box.lifecycle("on hold")
    assert now(box) == "on hold"


@pytest.mark.parametrize("after", ["suspended", "on hold", "decommissioned"])
def test_leaving_service_is_not_undone_by_a_power_cut_before_the_final_register(after):
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    box.lifecycle(after, reason="hold")
    again = box.survivor()
    again.boot(2)
    again.clock(box.utc_s + 60)
    again.pilot("C")
    assert again.refused[-1] == REFUSAL[after] and now(again) == "in service"
    again.identity()
    again.read(add_wh=3)
    told = again.last(decisions.LIFECYCLE)
    assert (told["after"], told["by"], told["reason"]) == (after, "operator", "hold")
    assert told["register_wh"] == again.register_wh
    again.run(60)
    assert now(again) == now(again.resume()) == after and not again.powered


def test_nor_by_a_meter_that_stays_silent_after_the_power_cut():
    box = Player().home()
    box.lifecycle("decommissioned")
    again = box.survivor()
    again.boot(2)
    again.wait(29)
    assert now(again) == "in service" and "NotInService" in again.refused
    again.wait(1)
    assert now(again) == "decommissioned"


def test_leaving_service_takes_the_power_then_reads_then_writes():
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    first = box.lifecycle("decommissioned", reason="dismounted")
    assert first[0] == (decisions.CONTACTOR, 0) and (decisions.METER_WANTED, 1) in first
    assert now(box) == "in service" and box.refused == ["NotInService"]
    box.follow()
    final_wh = box.register_wh + 7
    box.read(add_wh=7)
    told = box.last(decisions.LIFECYCLE)
    assert (told["after"], told["register_wh"]) == ("decommissioned", final_wh)
    end = box.last(decisions.SESSION_END)
    assert end["register_wh"] == final_wh, "the running session has the same final register"
    assert box.stop_reason() == "DeAuthorized"


def test_an_idle_box_is_read_once_more_before_it_leaves():
    box = Player().home()
    assert (decisions.METER_WANTED, 1) in box.lifecycle("decommissioned")
    assert now(box) == "in service"


def test_a_silent_meter_delays_leaving_by_ten_seconds_and_no_more():
    box = Player().home()
    box.send(events.METER_SILENT, 1)
    box.lifecycle("decommissioned")
    box.wait(9)
    assert now(box) == "in service"
    box.wait(1)
    assert now(box) == "decommissioned"
    assert box.last(decisions.LIFECYCLE)["register_wh"] == box.register_wh, "the last one known"


def test_while_the_final_register_is_on_its_way_nothing_else_is_taken():
    box = Player().home()
    box.lifecycle("decommissioned")
    box.now += 5000
    for after in ("suspended", "on hold", "decommissioned"):
        box.lifecycle(after)
    assert box.of_kind(decisions.LIFECYCLE)[-1][4] == lifecycle.IN_SERVICE
    box.now += 5000
    box.tick()
    assert now(box) == "decommissioned", "and nobody prolongs the ten seconds"


def test_a_box_that_comes_new_goes_where_its_configuration_says_once():
    box = Player().home()
    (told,) = box.of_kind(decisions.LIFECYCLE)
    assert told[3:6] == (lifecycle.FACTORY, lifecycle.IN_SERVICE, lifecycle.PARTNER)
    box.lifecycle("suspended")
    box.read()
    assert now(box.resume()) == "suspended", "the ledger tells, not the configuration"


def test_a_used_box_begins_anew():
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    box.pilot("A")
    box.read()
    assert len(box.of_kind(decisions.FIRST_CHARGE)) == 1
    box.lifecycle("decommissioned", reason="dismounted")
    box.read()
    box.lifecycle("factory", by="partner")
    box.lifecycle("commissioned", by="partner", reason="installation")
    box.lifecycle("in service", by="partner")
    box.charge()
    box.run(60, power_w=11_000)
    assert len(box.of_kind(decisions.FIRST_CHARGE)) == 2, "a first charge for who has it now"


def test_a_new_resident_begins_with_a_first_charge_too():
    box = Player().home()
    box.charge()
    box.run(60, power_w=11_000)
    box.pilot("A")
    box.run(20)
    box.lifecycle("on hold")
    box.read()
    box.lifecycle("in service", reason="new resident")
    assert box.survivor().state.charged_a == 0
    box.charge()
    box.run(60, power_w=11_000)
    assert len(box.of_kind(decisions.FIRST_CHARGE)) == 2


def test_a_state_that_there_is_not_changes_nothing():
    box = Player(lifecycle=0).home()
    box.configure(lifecycle=200)
    assert box.state.lifecycle == 0
