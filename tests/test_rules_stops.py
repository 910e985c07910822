"""A stop is a stop: no power cut between it and the session's last register undoes it."""

import pytest
from wallbox.core import decisions
from wallbox.core.rules import OPEN, OVER

from tests.player import Player, named


def charging(**config: int) -> Player:
    """A box on which anna charges."""
    box = Player(mode=1, **config).home()
    box.tap("anna")
    box.charge()
    box.run(60, power_w=11_000)
    assert box.powered
    return box


STOPS = {
    "Local": lambda box: box.tap("anna"),
    "Remote": Player.remote_stop,
    "DeAuthorized": lambda box: box.tag_status("anna", "Blocked"),
}


@pytest.mark.parametrize("reason", STOPS)
@pytest.mark.parametrize("cause", [1, 3, 5, 0])
def test_a_stop_outlives_a_power_cut_before_the_last_register(reason, cause):
    box = charging()
    STOPS[reason](box)
    assert not box.powered and not box.of_kind(decisions.SESSION_END)
    after = box.resume(cause=cause)
    assert after.stop_reason() == reason
    after.pilot("C")
    after.run(60)
    assert not after.powered and after.state.session_phase == OVER
    assert after.last(decisions.SESSION_END)["energy_wh"] == after.register_wh - 1_000_000
    assert len(after.of_kind(decisions.SESSION_END)) == 1


def test_it_stays_stopped_though_the_reader_is_free():
    box = charging()
    box.mode("free")
    box.remote_stop()
    after = box.resume()
    after.pilot("C")
    after.run(60)
    assert not after.powered
    after.pilot("A")
    after.charge()
    assert after.powered, "the next car charges"


def test_a_car_that_left_in_the_meantime_was_stopped_all_the_same():
    box = charging()
    box.remote_stop()
    after = box.survivor()
    after.boot(2)
    after.clock(box.utc_s + 60)
    after.pilot("A")
    after.identity()
    after.read()
    assert after.stop_reason() == "Remote" and after.status == "Available"


def test_a_silent_meter_after_the_power_cut_delays_the_end_by_half_a_minute():
    box = charging()
    box.remote_stop()
    after = box.survivor()
    after.boot(2)
    after.clock(box.utc_s + 60)
    after.wait(29)
    assert not after.of_kind(decisions.SESSION_END)
    after.wait(1)
    end = after.last(decisions.SESSION_END)
    assert end["status"] == 1 and end["register_wh"] <= box.register_wh


def test_a_stop_is_in_the_ledger_before_its_end():
    box = charging()
    box.remote_stop()
    assert named(box.facts[-1]) == {"session": 1, "reason": 3}
    box.read()
    assert box.facts[-1][0] == decisions.SESSION_END


def test_a_tap_that_stops_is_told_once():
    box = charging()
    box.tap("anna")
    assert box.last(decisions.TAG)["action"] == "stop"
    assert not box.of_kind(decisions.SESSION_STOP)


def test_a_session_that_nobody_stopped_goes_on():
    after = charging().resume()
    after.pilot("C")
    after.run(60)
    assert after.powered and after.state.session_phase == OPEN


def test_the_next_session_knows_nothing_of_the_stop_before():
    box = charging()
    box.remote_stop()
    box.read()
    box.pilot("A")
    box.tap("anna")
    box.charge()
    box.run(30)
    after = box.resume()
    after.pilot("C")
    after.run(60)
    assert after.powered and after.state.session == 2
