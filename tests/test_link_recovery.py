"""Staged recovery on the real interpreter: look-ups, the radio, the reboot; brokers gone mute."""
# ruff: noqa: F811 - fixtures are imported by name

from __future__ import annotations

import itertools
import json
import socket

import pytest
from wallbox import link as codes
from wallbox.link.recovery import REBOOT, WIFI

from hw.sim.ports import free_port
from tests.interpreter import ROOT
from tests.link_fixtures import delivered, lazy, make_box, operator, proxy  # noqa: F401

# A link whose hours take milliseconds, towards a port at which nobody listens.
ALONE = """
import asyncio, json, socket, sys, time
from wallbox.link import address
from wallbox.link.link import Link
from wallbox.store.ledger import Ledger
from hw.sim.flash import NorFlash, Partition

port, speed, harm, seconds = [int(word) for word in sys.argv[1:5]]
began = time.ticks_ms()
stages, asked = [], []

class Names:
    # the socket module as the look-up of names sees it, counted

    AF_INET, SOCK_STREAM = socket.AF_INET, socket.SOCK_STREAM

    def getaddrinfo(self, *arguments):
        asked.append(clock())
        return socket.getaddrinfo(*arguments)

read = [0]

def clock():
    read[0] = time.ticks_diff(time.ticks_ms(), began) * speed
    return read[0]

def recover(stage):
    if stage == 1 and harm:
        return False
    stages.append((stage, read[0]))  # when it was decided; a ms more is half a minute
    return True

address.socket = Names()
flash = NorFlash(None, 64 * 1024)
ledger = Ledger(Partition(flash, 0, flash.size, "ledger"), bytes(32))
ledger.mount()
config = {"serial": "B", "host": "127.0.0.1", "port": port, "backoff_max_ms": 2,
          "backoff_min_ms": 1}
link = Link(config, ledger, lambda: b"{}", lambda code: None, clock, lambda: True,
            lambda: not harm, recover)

async def run():
    task = asyncio.create_task(link.run())
    await asyncio.sleep(seconds)
    task.cancel()
    print(json.dumps({"stages": stages, "asked": len(asked), "failures": link.recovery.failures}))

asyncio.run(run())
"""
HOUR_MS = 3_600_000


def alone(micropython, speed, charging, seconds):
    numbers = [str(number) for number in (free_port(), speed, int(charging), seconds)]
    return json.loads(micropython.run(ALONE, *numbers, path=[ROOT], heap="400wK").splitlines()[-1])


def test_the_radio_first_and_after_a_day_a_reboot(micropython):
    told = alone(micropython, 36_000, False, 3)  # 30 hours
    assert [stage for stage, _ in told["stages"]].count(REBOOT) == 1
    radio = [at for stage, at in told["stages"] if stage == WIFI]
    assert radio[0] >= HOUR_MS // 6
    assert all(after - before >= HOUR_MS for before, after in itertools.pairwise(radio))
    assert next(at for stage, at in told["stages"] if stage == REBOOT) >= 24 * HOUR_MS
    assert told["asked"] == told["failures"] or told["asked"] == told["failures"] + 1


def test_while_somebody_charges_neither_reboot_nor_look_up(micropython):
    told = alone(micropython, 36_000, True, 3)
    assert REBOOT not in [stage for stage, _ in told["stages"]]
    assert WIFI in [stage for stage, _ in told["stages"]]
    assert told["failures"] > 100
    assert told["asked"] == 1


# brokers that are there and are not


def test_a_broker_that_accepts_and_says_nothing(make_box):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        box = make_box(listener.getsockname()[1]).start(write=1)
        box.wait_report(codes.NO_BROKER)
        assert box.state()["detail"] == "no CONNACK"
        assert box.lines[-1]["ms"] >= 10_000
        box.kill()


def test_a_half_open_connection_is_left_for_a_new_one(make_box, proxy, operator):
    """The old connection stays open on both sides and carries nothing any more."""
    box = make_box(proxy.port).start(write=100)
    operator.wait(100)
    box.wait_report(codes.DELIVERED)
    proxy.mute.add(proxy.connections)
    box.tell("write 50")
    box.wait_report(codes.LATE_ACK)
    operator.wait(150)
    delivered(box, operator)
    assert proxy.connections == 2
    assert [packet.dup for packet in proxy.publishes].count(True) >= 1


@pytest.mark.parametrize("refused_first", [1, 3])
def test_a_broker_that_closes_at_once_is_asked_again(make_box, proxy, operator, refused_first):
    proxy.plan = lambda number: (0, 0) if number <= refused_first else (None, None)
    box = make_box(proxy.port, backoff_min_ms=10).start(write=10)
    operator.wait(10)
    delivered(box, operator)
    assert proxy.connections == refused_first + 1
