"""What a box must do on the bench, and does in the simulation: the same tests (docs/hil.md).

`pytest tests/test_hil.py` simulates the box; `pytest tests/test_hil.py --box /dev/ttyUSB0
--bench bench.toml` takes a real one. Times are generous: a real box boots in seconds.
"""

from __future__ import annotations

import pytest

from hw.verbs import Rig

CHARGING = "Charging"
REST_S = 90  # between two charges a box may rest for up to a minute


def state(rig: Rig) -> object:
    return rig.box.health().get("state")


def refusals(rig: Rig) -> list[str]:
    return rig.box.health().get("refusals", [])


def charge(rig: Rig) -> None:
    """A car comes and gets power."""
    rig.world.car.plug(max_current_a=10)
    rig.world.car.request_power()
    rig.wait_until(lambda: rig.world.contactor.closed, REST_S, "the contactor closes")
    rig.wait_until(lambda: state(rig) == CHARGING, 15, "the box says that it charges")


def leave(rig: Rig) -> None:
    rig.world.car.stop()
    rig.world.car.unplug()
    rig.wait_until(lambda: not rig.world.contactor.closed, 15, "the contactor opens")


def newest(rig: Rig) -> int:
    """The number of the newest record that the operator has."""
    return max((entry.sequence for entry in rig.operator.entries()), default=0)


def since(rig: Rig, sequence: int, kind: str) -> list[dict]:
    """The records of a kind that have reached the operator after `sequence`."""
    entries = rig.operator.entries()
    return [one.fields for one in entries if one.sequence > sequence and one.kind == kind]


def told_wh(rig: Rig, sequence: int) -> int:
    """The energy of all intervals and gaps that the operator got after `sequence`."""
    kinds = ("INTERVAL", "GAP_END")
    return sum(one["energy_wh"] for kind in kinds for one in since(rig, sequence, kind))


def delivered(rig: Rig) -> bool:
    """All that the box has written is with the operator."""
    ledger = rig.box.health().get("ledger")
    return bool(ledger) and ledger["sequence"] == ledger["acknowledged"] == newest(rig)


def test_the_box_tells_who_and_how_it_is(rig):
    identity, health = rig.box.identity(), rig.box.health()
    assert identity["protocol"] == 1 and identity["serial"] and identity["key"]
    assert health["agent"] == "runs" and health["configuration"] == ""
    assert health["state"] == "Available" and health["ledger"]["damaged"] == 0


@pytest.mark.needs("car", "contactor", "diode")
@pytest.mark.parametrize("wants_power", [False, True])
def test_a_resistor_is_no_car(rig, wants_power):
    closed = []

    def refused() -> bool:
        closed.append(rig.world.contactor.closed)
        return "EVCommunicationError" in refusals(rig)

    rig.world.car.plug(diode=False)
    if wants_power:
        rig.world.car.request_power()
    rig.wait_until(refused, 30, "the refusal")
    for _ in range(20):  # and it stays
        assert refused()
    assert not any(closed)


@pytest.mark.needs("car", "contactor", "meter", "operator")
def test_a_charge_is_counted_to_the_wh(rig):
    before, began_wh = newest(rig), rig.world.meter.register_wh()
    charge(rig)
    rig.wait_until(lambda: rig.world.meter.register_wh() >= began_wh + 2, 30, "2 Wh")
    leave(rig)
    rig.wait_until(lambda: since(rig, before, "SESSION_END"), 30, "the session's end")
    (session,) = since(rig, before, "SESSION_END")
    assert session["energy_wh"] == rig.world.meter.register_wh() - began_wh
    assert session["reason"] == "EVDisconnected"
    assert rig.operator.quarantined() == 0


@pytest.mark.needs("car", "contactor", "seal", "key", "operator")
def test_an_opened_seal_ends_the_charge_and_stays_broken(rig):
    before = newest(rig)
    charge(rig)
    rig.world.seal.open("lid")
    rig.wait_until(lambda: not rig.world.contactor.closed, 5, "the contactor opens")
    rig.world.seal.close("lid")
    rig.wait_until(lambda: "TamperDetectionActivated" in refusals(rig), 10, "the refusal")
    rig.wait_until(lambda: since(rig, before, "SEAL"), 20, "the operator is told")
    assert since(rig, before, "SEAL")[0]["loops"] == ["lid"]
    assert not rig.world.contactor.closed


@pytest.mark.needs("tag", "operator")
def test_a_tag_at_the_reader_is_told_without_its_number(rig):
    before = newest(rig)
    rig.world.tag.present(rig.tag_uid)
    rig.wait_until(lambda: since(rig, before, "TAG"), 20, "the tag is told")
    rig.world.tag.remove()
    (tag,) = since(rig, before, "TAG")
    assert tag["verdict"] and rig.tag_uid.hex() not in str(tag)


@pytest.mark.needs("car", "contactor", "mains", "meter", "operator")
def test_a_cut_of_the_mains_costs_no_record_and_no_wh(rig):
    before, began_wh = newest(rig), rig.world.meter.register_wh()
    charge(rig)
    rig.wait_until(lambda: rig.world.meter.register_wh() >= began_wh + 2, 30, "2 Wh")
    boot = rig.box.health()["boot"]
    rig.world.mains.cut()
    rig.wait_until(lambda: not rig.box.health(), 15, "the box is dark")
    assert not rig.world.contactor.closed
    rig.world.mains.restore()
    rig.wait_until(lambda: rig.box.health().get("boot") == boot + 1, 40, "the next boot")
    rig.wait_until(lambda: rig.world.contactor.closed, REST_S, "it charges again")
    leave(rig)
    rig.wait_until(lambda: since(rig, before, "SESSION_END"), 40, "the session's end")
    counted_wh = rig.world.meter.register_wh() - began_wh
    rig.wait_until(lambda: told_wh(rig, before) >= counted_wh, 30, "every Wh told")
    rig.wait_until(lambda: delivered(rig), 30, "all delivered")
    assert told_wh(rig, before) == counted_wh == rig.world.meter.register_wh() - began_wh
    assert rig.operator.lost() == rig.operator.quarantined() == 0


@pytest.mark.needs("car", "contactor", "net", "operator")
def test_what_happens_without_network_is_delivered_afterwards(rig):
    before = newest(rig)
    rig.world.net.drop()
    rig.wait_until(lambda: rig.box.health().get("wifi_dbm") == 0, 30, "the radio is gone")
    charge(rig)
    leave(rig)
    assert since(rig, before, "SESSION_BEGIN") == []
    rig.world.net.restore()
    rig.wait_until(lambda: since(rig, before, "SESSION_END"), 90, "the session is delivered")
    rig.wait_until(lambda: delivered(rig), 30, "all delivered")
    assert rig.operator.lost() == 0


@pytest.mark.needs("broker", "operator")
def test_a_broker_that_comes_back_gets_everything(rig):
    before = newest(rig)
    rig.world.broker.stop()
    rig.wait_until(lambda: not rig.box.health().get("link", True), 30, "the link is down")
    rig.world.broker.start()
    rig.wait_until(lambda: rig.box.health().get("link"), 60, "the link is up")
    rig.wait_until(lambda: newest(rig) > before and delivered(rig), 30, "all delivered")
    assert rig.operator.lost() == 0


@pytest.mark.needs("car", "contactor", "meter")
def test_without_a_meter_nobody_charges(rig):
    charge(rig)
    rig.world.meter.silence()
    rig.wait_until(lambda: not rig.world.contactor.closed, 40, "the contactor opens")
    assert "PowerMeterSilent" in refusals(rig)
    rig.world.meter.silence(False)
    rig.wait_until(lambda: rig.world.contactor.closed, REST_S, "it charges again")
