"""The partner's day at the console: self-test, into service, out of it, wiped."""

from __future__ import annotations

import json
import os
import signal
import threading
import time

from hw.sim.world import LEDGER_KEY, World
from tests import spec_reader
from tests.consoleline import ConsoleLine
from tests.flashed import facts_in, file_in, names_in, partition_of

READY = "console: ready"
GENESIS = b"wallbox ledger"


def world_with(**config: object) -> World:
    return World(broker=None, meter="sdm630", config={"lifecycle": "commissioned", **config})


def logged_in(world: World) -> ConsoleLine:
    world.box.wait_for(READY, 20)
    line = ConsoleLine(world.box.usb, LEDGER_KEY)
    assert line.login()["status"] == "Accepted"
    return line


def flash(world: World) -> bytes:
    return world.box.flash_path.read_bytes()


def measured(line: ConsoleLine, **arguments: object) -> dict[str, dict]:
    parts, told = line.order("self-test", timeout_s=60, **arguments)
    assert told["status"] == "Accepted"
    return {part["name"]: part for part in parts if part["result"] != "wait"}


def test_the_self_test_of_a_commissioned_box_moves_the_contactor_and_waits_for_people():
    with world_with(reader={"fitted": True}) as world, logged_in(world) as line:
        result = measured(line, only="meter phases contactor reader", contactor=True)
        assert {one["result"] for one in result.values()} == {"pass"}
        assert result["contactor"]["measured"] == "closed and opened"
        assert world.contactor.moves == 2 and not world.contactor.closed
        helper = threading.Thread(target=_help, args=(world,))
        helper.start()
        result = measured(line, only="tap seals-open seals", tap_s=20, open_s=20)
        helper.join()
        assert result["tap"]["measured"] == "7 bytes"
        assert result["seals-open"]["values"] == {"opened": "lid, terminal cover"}
        assert line.ask("health")["refusals"] == ["NotInService"], "no fault was made"


def _help(world: World) -> None:
    world.box.wait_for("hold a tag to the reader", 20)
    world.tag.present(b"\x04abcdef")
    for name in ("lid", "terminal_cover"):
        world.box.wait_for(f"open the {name.replace('_', ' ')}, and close it again", 20)
        world.tag.remove()
        world.seal.open(name)
        time.sleep(0.5)
        world.seal.close(name)


def test_a_self_test_says_what_is_wrong_and_what_to_do():
    with world_with(reader={"fitted": True}) as world, logged_in(world) as line:
        assert measured(line, only="meter")["meter"]["result"] == "pass"
        world.contactor.stick_open()
        result = measured(line, only="contactor", contactor=True)["contactor"]
        assert (result["result"], result["measured"]) == ("fail", "stays open")
        world.contactor.repair()
        world.car.plug()
        world.box.wait_until(lambda: world.car.letter == "B", 10, "plugged in")
        time.sleep(0.3)
        moves = world.contactor.moves
        result = measured(line, only="contactor pilot", contactor=True)
        assert result["contactor"]["result"] == "skip" and world.contactor.moves == moves
        assert result["pilot"]["values"]["letter"] == "B"
        world.car.unplug()
        world.meter.sim.set(voltage_v=[230.0, 120.0, 0.0])
        world.seal.open("lid")
        time.sleep(2.5)
        result = measured(line, only="phases seals tap seals-open", tap_s=1, open_s=1)
        assert "L2, L3" in result["phases"]["do"] and result["phases"]["result"] == "fail"
        assert result["seals"]["measured"] == "open: lid"
        assert result["tap"]["result"] == result["seals-open"]["result"] == "fail"
        world.meter.faults.silent = True
        assert "no answer" in measured(line, only="meter")["meter"]["do"]


def test_a_box_that_was_held_up_looks_at_the_contactor_before_it_says_that_it_failed():
    with world_with() as world, logged_in(world) as line:
        pid, loop = world.box.process_id, world.host.loop
        following = world.box.on_output

        def hold_up(pin, output):
            following(pin, output)
            if pin == world.box.pins["CONTACTOR"] and output.level:
                os.kill(pid, signal.SIGSTOP)
                loop.call_later(0.7, os.kill, pid, signal.SIGCONT)

        world.box.on_output = hold_up
        result = measured(line, only="contactor", contactor=True)["contactor"]
        assert (result["result"], world.contactor.moves) == ("pass", 2)


def test_nobody_in_the_field_closes_the_contactor_twice_or_with_an_open_lid():
    with world_with() as world, logged_in(world) as line:
        world.seal.interlock = False
        world.seal.open("lid")
        time.sleep(0.3)
        assert measured(line, only="contactor", contactor=True)["contactor"]["result"] == "skip"
        assert world.contactor.moves == 0
        assert line.order("lifecycle", after="in service")[1]["status"] == "Rejected"


def test_from_commissioned_into_service_and_out_again_to_a_wiped_box():
    with world_with() as world, logged_in(world) as line:
        assert not line.ask("identity")["locked"]
        line.done("seal", numbers="1001 1002")
        assert line.order("wipe")[1]["status"] == "Rejected"
        line.done("lifecycle", after="in service")
        world.box.wait_until(lambda: line.ask("identity")["locked"], 5, "locked")
        world.box.type("\x03")
        assert line.ask("identity")["lifecycle"] == "in service"
        line.done("decommission", reason="dismounted")
        world.box.wait_until(
            lambda: line.ask("identity")["lifecycle"] == "decommissioned", 20, "decommissioned"
        )
        assert line.ask("identity")["locked"], "until it is wiped"
        assert "deliver the ledger" in line.order("wipe")[1]["info"]
        told = line.order("wipe", sequence=1, mac="00" * 8)[1]
        assert told["status"] == "Rejected"
        assert wiped(line, mac="00" * 8)["status"] == "Rejected"
        while True:
            newest = exported(line)
            evidence = spec_reader.believed(LEDGER_KEY, GENESIS, ring_of(world))
            mark = world.box.log.position
            told = wiped(line, sequence=newest.sequence, mac=newest.mac.hex())
            if told["status"] == "Accepted":
                break
            # a quarter of an hour has ended in between: its record is to be exported, too
            assert told["sequence"] > newest.sequence, told
        world.box.wait_for(r"identity: NVS wallbox/ledger_key is missing(.|\n)*>>> ", 20, mark)
        left = flash(world)
        after = spec_reader.believed(LEDGER_KEY, GENESIS, ring_of(world))
        assert after[: len(evidence)] == evidence and len(after) <= len(evidence) + 2
        assert names_in(left) == ["boot.py", "config.json", "main.py"]
        for secret in (b"correct horse", LEDGER_KEY, b"broker.example"):
            assert secret not in partition_of(left, "vfs"), secret
        assert json.loads(file_in(left, "config.json"))["meter"] == {"model": "sdm630"}
        lives = facts_in(left, LEDGER_KEY, "LIFECYCLE")
        assert [fact["after"] for fact in lives][1:] == ["in service", "decommissioned"]
        assert lives[-1]["by"] == "partner"


def ring_of(world: World) -> bytes:
    return partition_of(flash(world), "ledger")


def exported(line: ConsoleLine) -> spec_reader.Record:
    """The newest record, of an export in which no other one came."""
    for _ in range(5):
        ring, told = line.image("ledger")
        newest = spec_reader.believed(LEDGER_KEY, GENESIS, ring)[-1]
        if newest.sequence == told["sequence"]:
            return newest
    raise AssertionError("records without end")


def wiped(line: ConsoleLine, **arguments: object) -> dict:
    told = line.order("wipe", timeout_s=60, **{"sequence": 0, **arguments})[1]
    assert told["to"] == "wipe"
    return told
