"""UTC by SNTP on the real interpreter: two answers must agree, a lie is not believed."""

import json
import struct
import threading
import time

import pytest
from wallbox.drivers import calendar

from hw.sim.hostloop import HostLoop
from hw.sim.timeserver import TimeServer

SCRIPT = """
import json, sys, time
from wallbox.drivers.clock import Clock

class Rtc:
    moment = (2000, 1, 1, 5, 0, 0, 0, 0)
    def datetime(self, moment=None):
        if moment:
            Rtc.moment = moment
        return Rtc.moment

port, wait_ms, remembered = int(sys.argv[1]), int(sys.argv[2]), json.loads(sys.argv[3])
if remembered:
    Rtc.moment = tuple(remembered)
clock = Clock("127.0.0.1", port, Rtc())
recalled = clock.recall(clock.now())
changes = []
while clock.now() < wait_ms and clock.quality < 3:
    if clock.service(clock.now(), True):
        changes.append(clock.quality)
    time.sleep_ms(5)
now = clock.now()
print(json.dumps({"quality": clock.quality, "utc_ms": clock.offset_ms + now, "now": now,
                  "changes": changes, "rtc": Rtc.moment, "recalled": recalled}))
"""


@pytest.fixture
def server():
    host = HostLoop()
    server = TimeServer()
    host.run(server.start())
    yield server
    host.call(server.close)
    host.close()


def run(micropython, server, wait_ms: int = 5000, remembered=None) -> dict:
    told = micropython.run(SCRIPT, str(server.port), str(wait_ms), json.dumps(remembered))
    return json.loads(told)


def test_two_answers_that_agree_are_the_time(micropython, server):
    told = run(micropython, server)
    assert told["quality"] == 3 and told["changes"] == [3]
    assert abs(told["utc_ms"] - time.time() * 1000) < 2000
    year, month, day, _weekday, hour, minute, second, _us = told["rtc"]
    assert abs(calendar.utc_s(year, month, day, hour, minute, second) - time.time()) < 5
    assert server.requests == 2


def test_one_answer_is_not_enough_and_a_changing_one_is_never_believed(micropython, server):
    stop = threading.Event()

    def lie() -> None:
        seen = 0
        while not stop.wait(0.005):
            if server.requests != seen:
                seen = server.requests
                server.offset_s += 100.0

    liar = threading.Thread(target=lie)
    liar.start()
    told = run(micropython, server, wait_ms=3500)
    stop.set()
    liar.join()
    assert server.requests >= 2
    assert told["quality"] == 0 and told["changes"] == []


@pytest.mark.parametrize("stratum", [0, 16])
def test_a_server_without_a_clock_of_its_own_is_not_believed(micropython, server, stratum):
    server.stratum = stratum
    assert run(micropython, server, wait_ms=2500)["quality"] == 0


def test_a_time_before_the_box_was_made_is_not_believed(micropython, server):
    server.offset_s = -2 * 365 * 86_400.0
    assert run(micropython, server, wait_ms=2500)["quality"] == 0


def test_a_silent_server_blocks_nothing(micropython, server):
    server.silent = True
    told = run(micropython, server, wait_ms=2500)
    assert told["quality"] == 0 and told["now"] < 3500


def test_what_the_rtc_remembers_through_a_reset_is_informative(micropython, server):
    server.silent = True
    told = run(micropython, server, 200, [2026, 11, 22, 6, 13, 15, 30, 250_000])
    assert told["recalled"] and told["quality"] == 1
    assert told["utc_ms"] // 1000 == calendar.utc_s(2026, 11, 22, 13, 15, 30)


def test_the_second_ntp_era_is_understood():
    """From 2036 on the seconds begin at 0 again (RFC 4330, 3)."""
    from wallbox.drivers.clock import Clock

    clock = Clock.__new__(Clock)
    clock._token = bytes(8)
    utc_s = calendar.utc_s(2036, 2, 8, 0, 0, 0)
    stamp = struct.pack(">II", (utc_s + 2_208_988_800) & 0xFFFFFFFF, 0)
    answer = bytes([0x24, 2]) + bytes(22) + bytes(8) + bytes(8) + stamp
    assert clock._transmitted_ms(answer) == utc_s * 1000
