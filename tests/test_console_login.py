"""Who tries keys at the console is slowed down, over power cuts too, and stands in the ledger."""

from __future__ import annotations

import time

import pytest

from hw.sim.world import LEDGER_KEY, World
from tests.consoleline import ConsoleLine, mac
from tests.flashed import facts_in

READY = "console: ready"


def guess(line: ConsoleLine) -> dict:
    challenge = line.ask("challenge")["challenge"]
    return line.ask("login " + line.response(challenge, mac(b"guessed" * 4, b"console")))


@pytest.fixture
def world():
    with World(broker=None, meter="sdm630", speed=5) as running:
        running.box.wait_for(READY, 20)
        yield running
        assert running.box.failure is None


def logins(world: World) -> list[tuple]:
    """(event, count) of the SECURITY facts in the flash."""
    facts = facts_in(world.box.flash_path.read_bytes(), LEDGER_KEY, "SECURITY")
    return [(fact["event"], fact["count"]) for fact in facts]


def test_brute_force_is_slowed_and_every_look_is_a_fact(world):
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        waits = [guess(line)["wait_s"] for _ in range(3)]
        assert waits == [0, 0, 10]
        assert guess(line)["info"] == "too many wrong answers; wait"
        told = line.login()
        assert (told["status"], told["info"]) == ("Rejected", "too many wrong answers; wait")
        assert logins(world) == [("MaintenanceLoginFailed", 1)] * 3, "not looked at, not counted"


def test_the_wait_outlives_a_power_cut_and_grows_and_a_right_answer_ends_it(world):
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        for _ in range(3):
            guess(line)
    mark = world.box.log.position
    world.mains.cut()
    world.mains.restore()
    world.box.wait_for(READY, 20, since=mark)
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        left_s = line.ask("challenge")["wait_s"]
        assert 4 <= left_s <= 10
        while line.ask("challenge")["wait_s"]:
            time.sleep(0.3)
        assert guess(line)["wait_s"] == 30
    mark = world.box.log.position
    world.box.press_reset()
    world.box.wait_for(READY, 20, since=mark)
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        assert 20 <= line.ask("challenge")["wait_s"] <= 30


def test_the_right_key_is_a_fact_too_and_begins_the_count_anew(world):
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        guess(line)
        guess(line)
        assert line.login()["status"] == "Accepted"
        assert [guess(line)["wait_s"] for _ in range(2)] == [0, 0]
        told = [event for event, _ in logins(world)]
    failed, accepted = "MaintenanceLoginFailed", "MaintenanceLoginAccepted"
    assert told == [failed, failed, accepted, failed, failed]


def test_what_is_no_answer_is_none(world):
    with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
        for words in ("login", "login ", "login 00", "login " + "g" * 64, "login " + "0" * 400):
            line.ask("challenge")
            told = line.ask(words)
            assert told["status"] == "Rejected", words
        challenge = line.ask("challenge")["challenge"]
        line.ask("challenge")
        assert line.ask("login " + line.response(challenge))["status"] == "Rejected", "the older"


def test_power_cuts_neither_hide_an_attempt_nor_buy_another_one(world):
    """A cut after each try: the wait begins anew, and what was tried stands in the ledger."""
    tried = 0
    for _ in range(5):
        with ConsoleLine(world.box.usb, LEDGER_KEY) as line:
            for _ in range(4):
                tried += guess(line)["info"] == "wrong answer"
        mark = world.box.log.position
        world.mains.cut()
        world.mains.restore()
        world.box.wait_for(READY, 20, since=mark)
    assert 3 <= tried <= 4, "three are free; the next one is 10 s away, and never comes nearer"
    assert logins(world) == [("MaintenanceLoginFailed", 1)] * tried
