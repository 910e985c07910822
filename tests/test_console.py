"""The service console of a running box: who may say what, and what it does to the box."""

from __future__ import annotations

import json
import random
import time

import pytest
from wallbox.core import codes

from host import image
from hw.sim.world import LEDGER_KEY, World
from tests.consoleline import ConsoleLine, mac
from tests.flashed import file_in

READY = "console: ready"


@pytest.fixture(scope="module")
def world():
    """A box in service, with a car that charges; tests of this module leave it so."""
    with World(broker=None, meter="sdm630") as running:
        running.box.wait_for(READY, 20)
        running.car.plug()
        running.car.request_power()
        running.box.wait_until(lambda: running.car.power_w > 0, 20, "charging")
        running.box.wait_until(lambda: locked(running), 10, "locked")
        yield running
        assert running.box.failure is None and running.box.boots == 1
        assert running.car.power_w > 0, "what was typed stopped the charge"


def locked(world: World) -> bool:
    with ConsoleLine(world.box.usb) as line:
        return line.ask("identity")["locked"]


@pytest.fixture
def line(world):
    with ConsoleLine(world.box.usb, LEDGER_KEY) as opened:
        yield opened
        opened.type(b"\n>logout\n")
        opened.answer()


def test_anybody_may_know_which_box_it_is_and_how_it_is(world, line):
    told = line.ask("identity")
    assert (told["serial"], told["protocol"]) == (world.serial, 1)
    assert (told["lifecycle"], told["key"]) == ("in service", True)
    told = line.ask("health")
    assert (told["agent"], told["state"], told["configuration"]) == ("runs", "Charging", "")
    assert told["ledger"]["sequence"] > 3


def test_whoever_has_the_key_logs_in_and_who_has_it_not_does_not(line):
    assert line.order("status")[1]["info"].startswith("identity, health")
    assert line.login()["status"] == "Accepted"
    assert {"lifecycle": "in service"} in line.done("status")
    challenge = line.ask("challenge")["challenge"]
    told = line.ask("login " + line.response(challenge, mac(b"k" * 32, b"console")))
    assert (told["status"], told["info"]) == ("Rejected", "wrong answer")
    again = line.ask("login " + line.response(challenge))
    assert (again["status"], again["info"]) == ("Rejected", "ask for a challenge first")
    assert line.login()["status"] == "Accepted"


def test_an_order_that_is_not_signed_in_this_login_has_no_effect(line):
    line.login()
    order = line.sign("lifecycle", after="factory")
    forged = bytes([order[0] ^ 1]) + order[1:]
    for wrong in (forged, order.replace(b"factory", b"in servi"), order[:40], b"{}", b"0" * 33):
        line.type(b"\n>" + wrong + b"\n")
        assert line.answer()["info"] == "not signed in this login", wrong
    line.done("why")
    line.type(b"\n>" + order + b"\n")
    assert line.answer()["info"].startswith("n: above"), "an old number"
    old = line.sign("why")
    line.login()
    line.type(b"\n>" + old + b"\n")
    assert line.answer()["info"] == "not signed in this login", "of the login before"


def test_after_a_logout_nothing_is_ordered(line):
    time.sleep(1)
    line.login()
    line.ask("logout")
    assert line.order("why")[1]["status"] == "Rejected"


@pytest.mark.parametrize(
    ("verb", "arguments", "named"),
    [
        ("explode", {}, "verb"),
        ("seal", {}, "numbers: missing"),
        ("seal", {"numbers": 7}, "numbers"),
        ("ledger", {"first": 0, "count": 0}, "count"),
        ("network", {"values": []}, "values"),
        ("restart", {"force": 1}, "true or false"),
        ("why", {"extra": 1}, "an argument that this verb has not"),
        ("self-test", {"only": "meter nonsense"}, "nonsense"),
        ("lifecycle", {"after": "suspended"}, "after"),
        ("lifecycle", {"after": "commissioned"}, "not from where it is"),
        ("decommission", {}, "a session runs"),
        ("wipe", {}, "decommission it first"),
        ("restart", {}, "a session runs"),
        ("seal", {"numbers": "x" * 49}, "numbers"),
    ],
)
def test_what_cannot_be_done_is_named(line, verb, arguments, named):
    line.login()
    told = line.order(verb, **arguments)[1]
    assert told["status"] == "Rejected" and named in told["info"]


def test_status_and_why_come_in_parts(line):
    line.login()
    status: dict = {}
    while not status.get("power_w"):  # until the meter was read after the contactor closed
        status = {key: part[key] for part in line.done("status") for key in part}
    assert status["state"] == "Charging" and status["power_w"] > 0
    why = {key: part[key] for part in line.done("why") for key in part}
    assert why["why"] == "Charging" and "16 A" in why["en"] and why["refusals"] == []
    assert line.done("crash") == [{"crashes": 0}]


def test_new_seals_are_named_and_recorded(world, line):
    line.login()
    line.done("seal", numbers="2001 2002")
    ring, _ = line.image("ledger")
    assert b"2001 2002" in ring


def test_the_exported_rings_are_those_in_the_flash(world, line):
    line.login()
    for name in ("ledger", "trace"):
        part = image.partitions()[name]
        ring, told = line.image(name)
        assert len(ring) == part.size == told["sectors"] * told["size"]
        flash = world.box.flash_path.read_bytes()[part.offset : part.offset + part.size]
        at = ring.find(b"\xff" * 512)
        assert at > 64 and ring[:at] == flash[:at]
    assert line.order("ledger", first=4000)[1]["status"] == "Rejected"
    assert len(line.done("ledger", first=3, count=2)) == 2, "two blank sectors"


SELF = "meter phases register idle-current reader tap seals seals-open pilot contactor lamp wifi"


def test_the_self_test_in_service_opens_nothing_and_moves_nothing(world, line):
    line.login()
    moves = world.contactor.moves
    parts, told = line.order("self-test", only=SELF, open_s=5, contactor=True, timeout_s=30)
    assert told["failed"] == 0
    result = {part["name"]: part for part in parts}
    assert result["phases"]["measured"] == "230.0 230.0 230.0 V"
    assert result["meter"]["values"]["model"] and result["register"]["values"]["register_wh"] >= 0
    assert result["idle-current"]["do"] == "a car charges"
    assert result["seals-open"]["result"] == result["contactor"]["result"] == "skip"
    assert result["pilot"]["values"]["letter"] == "C"
    assert world.contactor.moves == moves


def test_another_request_waits_for_the_order_before(line):
    line.login()
    line.type(b"\n>" + line.sign("self-test", only="lamp") + b"\n")
    assert line.answer()["part"]["result"] == "wait"
    assert line.ask("health")["info"] == "the order before is not done yet"
    assert line.answer()["part"]["result"] == "pass"
    assert line.answer()["passed"] == 1


INJECTIONS = [
    {"wifi.ssid": 'x"},"reader":{"fitted":true'},
    {"wifi.password": "\\\"'12345678"},
    {"broker.user": '"\\u0022,}'},
]


@pytest.mark.parametrize("values", INJECTIONS)
def test_quotes_stay_in_their_value(world, line, values):
    line.login()
    before = config_of(world)
    line.done("network", values=values)
    after = config_of(world)
    for key, value in values.items():
        group, name = key.split(".")
        assert after[group][name] == value
        after[group][name] = before[group].get(name)
    without = {group: drop(before[group]) for group in before}
    assert {group: drop(after[group]) for group in after} == without
    line.done("network", values={"wifi.ssid": "depot", "wifi.password": "correct horse"})
    line.done("network", values={"broker.user": None})
    assert config_of(world) == before


def drop(group: object) -> object:
    return {k: v for k, v in group.items() if v is not None} if isinstance(group, dict) else group


def config_of(world: World) -> dict:
    """From the box's flash."""
    return json.loads(file_in(world.box.flash_path.read_bytes(), "config.json"))


@pytest.mark.parametrize(
    ("verb", "values", "field"),
    [
        ("network", {"wifi.ssid": "a\nfault: nothing"}, "wifi.ssid"),
        ("network", {"wifi.ssid": "a", "broker.host": "b\r<00000000 {}"}, "broker.host"),
        ("network", {"wifi.password": "short"}, "wifi.password"),
        ("network", {"broker.port": "1883"}, "broker.port"),
        ("network", {"broker.port": True}, "broker.port"),
        ("network", {"broker.tls": "certificate"}, "broker.ca"),
        ("network", {"lifecycle": "factory"}, "lifecycle"),
        ("network", {"reader.fitted": True}, "reader.fitted"),
        ("network", {"wifi.ssid.x": "a"}, "wifi.ssid.x"),
        ("configure", {"serial": "WB-2"}, "serial"),
        ("configure", {"breaker_a": 10}, "breaker_a"),
        ("configure", {"breaker_a": 16, "installation_limit_a": 20}, "installation_limit_a"),
        ("configure", {"meter.model": "a stranger"}, "meter.model"),
    ],
)
def test_a_wrong_setting_changes_nothing_and_names_its_key(world, line, verb, values, field):
    line.login()
    before = config_of(world)
    told = line.order(verb, values=values)[1]
    assert (told["status"], told["field"]) == ("Rejected", field), told
    assert config_of(world) == before
    assert "short" not in told["info"]


CONTROL = [bytes([code]) for code in range(32)] + [b"\x7f", b"\x03\x03\r\x01", b"\x02\x04\x05A\x01"]


@pytest.mark.parametrize("typed", CONTROL, ids=bytes.hex)
def test_no_control_character_gives_a_prompt_or_stops_the_charge(world, typed):
    box = world.box
    mark, boots = box.log.position, box.boots
    box.type((typed * 3 + b"\r\nprint(123 * 457)\r\x04\n").decode("latin-1"))
    with ConsoleLine(box.usb) as line:
        assert line.ask("health")["state"] == "Charging"
    text = box.log.text(mark)
    assert ">>>" not in text and "raw REPL" not in text and "56211" not in text
    assert box.boots == boots and world.car.power_w > 0


def test_garbage_while_charging_changes_nothing_and_nothing_grows(world, line, seed):
    chance = random.Random(seed)
    line.login()
    before = line.ask("health")["heap_free"]
    for _ in range(15):
        line.type(chance.randbytes(100))
        line.type(b"\n>" + chance.randbytes(chance.randrange(600)).replace(b"\n", b"") + b"\n")
        line.type(b">" * 700 + b"\n")
    time.sleep(1)
    while True:
        try:
            line.answer(0.5)
        except TimeoutError:
            break
    assert line.ask("health")["state"] == "Charging"
    assert line.order("why")[1]["status"] == "Accepted", "still logged in"
    assert line.ask("health")["heap_free"] > before - 1024


def test_what_is_asked_too_fast_is_dropped_and_the_box_answers_again(world):
    with ConsoleLine(world.box.usb) as line:
        time.sleep(2)
        line.type(b"\n" + b">challenge\n" * 60)
        answers = 0
        while True:
            try:
                answers += bool(line.answer(1))
            except TimeoutError:
                break
        assert 8 <= answers < 45, answers
        assert line.ask("health")["state"] == "Charging"


def test_the_codes_of_logins_have_their_names_of_ocpp():
    assert codes.SECURITY_EVENTS[4:] == ("MaintenanceLoginAccepted", "MaintenanceLoginFailed")

