"""In its place, and its own: moved boxes and foreign chips are refused until they are approved."""

import pytest
from wallbox.core import decisions

from tests.player import Player

HOUR_MS = 3_600_000


def after_a_power_cut(**config: int) -> Player:
    """Elsewhere perhaps: nothing known has been seen since."""
    return Player(**config).home().resume()


def strangers_for(box: Player, hours: int) -> None:
    for _ in range(hours):
        box.now += HOUR_MS
        box.scan(known=0, others=3)
        box.read()


def test_a_day_among_strangers_after_a_power_cut_is_a_relocation():
    box = after_a_power_cut()
    strangers_for(box, 23)
    assert "Moved" not in box.refused
    strangers_for(box, 1)
    assert box.refused == ["Moved"]
    assert box.last(decisions.PLACE)["change"] == "moved"
    assert box.last(decisions.PLACE)["register_wh"] == box.register_wh
    strangers_for(box, 10)
    assert len(box.of_kind(decisions.PLACE)) == 1


def test_only_an_approval_ends_it_not_a_power_cut_nor_the_old_network():
    box = after_a_power_cut()
    strangers_for(box, 24)
    again = box.resume()
    assert again.refused == ["Moved"]
    again.scan(known=1, others=3)
    again.link("delivered")
    assert again.refused == ["Moved"]
    again.approve_place()
    assert not again.refused and again.last(decisions.PLACE)["change"] == "approved"
    assert not again.resume().refused


def test_an_approved_place_stays_approved():
    box = after_a_power_cut()
    strangers_for(box, 24)
    box.approve_place()
    strangers_for(box, 100)
    assert "Moved" not in box.refused


def test_an_approval_of_a_box_that_stands_where_it_was_changes_nothing():
    assert Player().home().approve_place() == []


@pytest.mark.parametrize("sign", ["known network", "operator", "nothing in range"])
def test_what_speaks_against_a_relocation(sign):
    box = after_a_power_cut()
    strangers_for(box, 20)
    if sign == "known network":
        box.scan(known=1, others=3)
    elif sign == "operator":
        box.link("delivered")
    else:
        box.scan(known=0, others=0)  # as when the whole street is dark
    strangers_for(box, 20)
    assert "Moved" not in box.refused
    strangers_for(box, 10)
    assert ("Moved" in box.refused) == (sign == "nothing in range"), "there the day begins anew"


@pytest.mark.parametrize("cause", [1, 2, 3, 5])
def test_whatever_reset_it_a_carried_box_is_watched(cause):
    box = after_a_power_cut()
    strangers_for(box, 20)
    again = box.resume(cause=cause)
    strangers_for(again, 23)
    assert "Moved" not in again.refused
    strangers_for(again, 1)
    assert again.refused == ["Moved"]


@pytest.mark.parametrize("cause", [1, 3, 5])
@pytest.mark.parametrize("sign", ["known network", "operator"])
def test_at_home_one_sign_ends_the_watch_for_this_boot(cause, sign):
    box = Player().home().resume(cause=cause)
    if sign == "operator":
        box.link("connected")
        box.link("delivered")
    else:
        box.scan(known=1, others=3)
    box.link("no wifi")
    strangers_for(box, 100)
    assert "Moved" not in box.refused, "the router is broken, and no box was carried"


def test_a_recovery_of_the_store_is_no_boot():
    box = Player().home()
    box.boot(cause=0)
    strangers_for(box, 48)
    assert "Moved" not in box.refused


def test_a_dead_router_without_a_boot_is_no_relocation():
    box = Player().home()
    box.link("no wifi")
    strangers_for(box, 48)
    assert "Moved" not in box.refused


def test_zero_hours_switch_it_off():
    box = after_a_power_cut(relocate_after_h=0)
    strangers_for(box, 100)
    assert "Moved" not in box.refused


def test_a_foreign_chip_never_charges():
    box = Player(chip_foreign=1).home()
    box.charge()
    assert box.refused == ["ChipForeign"] and not box.powered
    box.approve_place()
    assert box.refused == ["ChipForeign"], "that is for a configuration of its own to end"
