"""The meter driver against a real Modbus server on a real pty, on both interpreters."""

from __future__ import annotations

import json
import os
import termios
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from fractions import Fraction

import pytest
from wallbox.drivers import meter_maps
from wallbox.drivers import meter_reasons as reasons
from wallbox.drivers.meter import IDENTITY, READING, REFUSED, SILENT, SUSPECT, Meter

from hw.sim.meters import SimMeter

DEADLINE_S = 20


def unblock(path: str) -> None:
    """A read from the pty gives what is there, be it nothing."""
    fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
    settings = termios.tcgetattr(fd)
    settings[6][termios.VMIN] = settings[6][termios.VTIME] = 0
    termios.tcsetattr(fd, termios.TCSANOW, settings)
    os.close(fd)


class PtyUart:
    """machine.UART's verbs on a pty."""

    def __init__(self, path: str):
        unblock(path)
        self._fd = os.open(path, os.O_RDWR | os.O_NOCTTY)
        self._held = b""

    def any(self) -> int:
        self._held += os.read(self._fd, 256)
        return len(self._held)

    def readinto(self, buf: bytearray) -> int | None:
        n = min(self.any(), len(buf))
        buf[:n], self._held = self._held[:n], self._held[n:]
        return n or None

    def write(self, data: bytes) -> int:
        return os.write(self._fd, data)

    def close(self) -> None:
        os.close(self._fd)


class Bench:
    """A simulated meter, the driver on it, and real time."""

    def __init__(self, model: str = "em340", **options):
        self.sim = SimMeter(model, paced=False).start()
        self.sim.faults.answer_ms = 10
        self.sim.set(power_w=(3680, 3680, 3680), register_wh=12_345_678)
        self.uart = PtyUart(self.sim.path)
        self.driver = Meter(self.uart, meter_maps.find(model), period_ms=200, **options)

    def until(self, stop: Callable[[int], bool]) -> list[int]:
        """The driver's answers up to the one for which `stop` is true."""
        said: list[int] = []
        end = time.monotonic() + DEADLINE_S
        while time.monotonic() < end:
            now = time.monotonic_ns() // 1_000_000
            code = self.driver.service(now)
            if code:
                said.append(code)
                if stop(code):
                    return said
            time.sleep(max(0, min(self.driver.due - now, 50)) / 1000)
        raise AssertionError(f"not within {DEADLINE_S} s; said {said}, {self.driver.explain()}")

    def readings(self, count: int) -> list[int]:
        left = [count]

        def stop(code: int) -> bool:
            left[0] -= code == READING
            return left[0] == 0

        return self.until(stop)

    def close(self) -> None:
        self.uart.close()
        self.sim.stop()


@pytest.fixture
def bench() -> Iterator[Bench]:
    bench = Bench()
    assert bench.readings(1) == [IDENTITY, READING]
    yield bench
    bench.close()


def test_register_follows_the_meters_own(bench):
    for _ in range(5):
        before = bench.sim.register_wh()
        bench.readings(1)
        assert before <= bench.driver.reading.register_wh <= bench.sim.register_wh()


def test_noise_gaps_and_echo_cost_nothing(bench):
    bench.sim.faults.noise_before = b"\xff\x00"
    bench.sim.faults.noise_after = b"\x00"
    assert bench.readings(3) == [READING] * 3
    bench.sim.faults.gap_ms = 30
    bench.sim.faults.echo = True
    assert bench.readings(3) == [READING] * 3
    assert bench.driver.master.retries == 0


def test_slow_answers_are_waited_for(bench):
    bench.sim.faults.answer_ms = 500
    assert bench.readings(3) == [READING] * 3
    assert bench.driver.master.retries == 0


def test_spoiled_answers_are_read_again(bench):
    bench.sim.faults.wrong_crc = True
    bench.sim.faults.answers = 2
    assert bench.readings(1) == [READING]
    assert bench.driver.master.retries == 2
    bench.sim.faults.cut = 9
    bench.sim.faults.answers = 1
    assert bench.readings(1) == [READING]
    assert bench.driver.master.retries == 3


def test_spike(bench):
    before = bench.driver.reading.register_wh
    bench.sim.faults.words = {0x0112: [50_000, 0]}
    bench.sim.faults.answers = 1
    assert bench.readings(2) == [SUSPECT, READING, READING]
    assert bench.driver.reason == reasons.REGRESS
    assert bench.driver.reading.register_wh - before <= 100


@pytest.mark.parametrize(
    ("fault", "value", "code", "reason"),
    [
        ("wrong_parity", True, SILENT, reasons.SILENT),
        ("silent", True, SILENT, reasons.SILENT),
        ("wrong_unit", 9, REFUSED, reasons.UNIT_MISMATCH),
        ("exception", 4, REFUSED, reasons.EXCEPTION),
        ("chatter", True, REFUSED, reasons.BUS_NOISE),
    ],
)
def test_a_fault_that_stays_is_told_once_and_mended(bench, fault, value, code, reason):
    bench.driver.master.attempts = 1  # silence is waited for once, to save time
    setattr(bench.sim.faults, fault, value)
    assert bench.until(lambda said: said != READING)[-1] == code
    assert bench.driver.reason == reason
    bench.sim.wire.clear_faults()
    assert bench.readings(1)[-2:] == [IDENTITY, READING]


def test_another_meter_is_mounted(bench):
    bench.driver.master.attempts = 1
    bench.sim.faults.silent = True
    bench.until(lambda said: said == SILENT)
    bench.sim.exchange("KW99999", 5000)
    bench.sim.wire.clear_faults()
    assert bench.until(lambda said: said == REFUSED)[-2:] == [IDENTITY, REFUSED]
    assert bench.driver.blocked == reasons.METER_EXCHANGED
    bench.driver.accept()
    bench.readings(1)
    assert bench.driver.identity.serial == "KW99999"
    assert 5000 <= bench.driver.reading.register_wh <= bench.sim.register_wh()


BOX = """
import gc, json, micropython, sys, time
from wallbox.drivers import meter, meter_maps

class PtyUart:
    def __init__(self, path):
        self.file = open(path, "r+b")
        self.held = bytearray(256)
        self.n = 0

    def any(self):
        if self.n == 0:
            self.n = self.file.readinto(self.held) or 0
        return self.n

    def readinto(self, buf):
        n = min(self.n, len(buf))
        for i in range(n):
            buf[i] = self.held[i]
        for i in range(n, self.n):
            self.held[i - n] = self.held[i]
        self.n -= n
        return n

    def write(self, data):
        return self.file.write(data)

names = sys.argv[1].split(",")
meters = []
for name, path in zip(names, sys.argv[2].split(",")):
    meters.append(meter.Meter(PtyUart(path), meter_maps.find(name), period_ms=400))
count = len(meters)
readings = [0] * count
other = [0] * count
spent_us = [0] * count
longest_us = [0] * count

def serve(wanted):
    end = time.ticks_add(time.ticks_ms(), 15000)
    while min(readings) < wanted:
        now = time.ticks_ms()
        if time.ticks_diff(end, now) < 0:
            return
        for i in range(count):
            driver = meters[i]
            if now < driver.due:
                continue
            start = time.ticks_us()
            code = driver.service(now)
            took = time.ticks_diff(time.ticks_us(), start)
            spent_us[i] += took
            longest_us[i] = max(longest_us[i], took)
            if code == meter.READING:
                readings[i] += 1
            elif code:
                other[i] += 1
        time.sleep_ms(1)

serve(2)
gc.collect()
for i in range(count):
    readings[i] = spent_us[i] = longest_us[i] = 0
used = gc.mem_alloc()
micropython.heap_lock()
serve(4)
micropython.heap_unlock()
grown = gc.mem_alloc() - used
for i in range(count):
    driver = meters[i]
    polls = readings[i]
    print(json.dumps({
        "name": names[i], "readings": polls, "other": other[i], "grown": grown,
        "retries": driver.master.retries, "identity": driver.identity.pack().decode(),
        "meter_id": driver.identity.meter_id, "values": driver.reading.__dict__,
        "poll_us": spent_us[i] // max(1, polls), "longest_us": longest_us[i],
    }))
"""


def test_all_meters_at_once_on_the_real_interpreter_without_allocating(micropython):
    """Six drivers in one loop; after the first readings the heap is locked for four polls each.

    The clocks of the meters stand still, so their registers are known to the Wh.
    """
    with ExitStack() as stack:
        sims = {name: SimMeter(name, paced=False, clock_ns=lambda: 0) for name in meter_maps.NAMES}
        for sim in sims.values():
            stack.enter_context(sim)
            unblock(sim.path)
            sim.faults.answer_ms = 5
            sim.set(
                power_w=(3681, 2302, 1383),
                voltage_v=(Fraction(2301, 10), Fraction(2312, 10), Fraction(2323, 10)),
                register_wh=Fraction(123_456_785, 10),
                export_wh=4_300,
            )
        paths = ",".join(sim.path for sim in sims.values())
        printed = micropython.run(BOX, ",".join(sims), paths, heap="56wK")
        lines = [json.loads(line) for line in printed.splitlines()]
    assert [line["name"] for line in lines] == list(meter_maps.NAMES)
    for line in lines:
        sim = sims[line["name"]]
        read = line["values"]
        assert line["readings"] >= 4
        assert (line["other"], line["retries"], line["grown"]) == (1, 0, 0)
        assert line["identity"].startswith(sim.model.vendor + "|")
        assert line["identity"].endswith("|" + sim.model.serial)
        assert line["meter_id"] > 0
        assert read["register_wh"] == sim.register_wh()
        assert read["export_wh"] == 4_300
        assert [read[f"power_l{n}_w"] for n in (1, 2, 3)] == [3681, 2302, 1383]
        assert read["power_w"] == 7366
        # 3681 W / 230.1 V and so on; the ABB measures to 10 mA
        coarse = 10 if line["name"] == "b23" else 1
        for n, current_ma in ((1, 15_997), (2, 9_957), (3, 5_954)):
            assert abs(read[f"current_l{n}_ma"] - current_ma) <= coarse
        assert [read[f"voltage_l{n}_mv"] for n in (1, 2, 3)] == [230_100, 231_200, 232_300]
        assert read["frequency_mhz"] in (0, 50_000)
