"""The USB console: who listens, who does not, and what is kept of it."""

from __future__ import annotations

import os
import select
import time

import pytest

from hw.sim.box import Box
from hw.sim.consolelog import FILE_BYTES, KEPT_BYTES, ConsoleLog
from tests.simbox import powered

CHATTER = """
    for n in range(30000):
        print("line %06d with some more text behind it" % n)
    print("all said")
"""


def read_some(descriptor: int, count: int) -> bytes:
    data = b""
    while len(data) < count and select.select([descriptor], [], [], 5)[0]:
        data += os.read(descriptor, count - len(data))
    return data


def test_nobody_has_to_listen():
    with powered(CHATTER) as box:
        box.wait_for("^all said", timeout_s=20)


def test_a_program_that_opens_the_console_and_never_reads_does_not_stop_the_box():
    wait = "    import time\n    print('wait')\n    time.sleep_ms(200)"
    with powered(wait + CHATTER) as box:
        box.wait_for("wait")
        descriptor = os.open(box.usb, os.O_RDWR | os.O_NOCTTY)
        try:
            box.wait_for("^all said", timeout_s=20)
        finally:
            os.close(descriptor)


def test_console_and_laptop_talk_both_ways_again_and_again():
    with powered("while True:\n    print('echo', input())") as box:
        for n in range(3):
            descriptor = os.open(box.usb, os.O_RDWR | os.O_NOCTTY)
            try:
                os.write(descriptor, b"hello %d\r" % n)
                expected = b"hello %d\r\necho hello %d\r\n" % (n, n)
                assert read_some(descriptor, len(expected)) == expected
            finally:
                os.close(descriptor)


def test_what_was_typed_arrives_though_the_laptop_has_gone():
    with powered("while True:\n    print('echo', input())") as box:
        box.host.loop.call_soon_threadsafe(time.sleep, 0.2)  # the world does not look meanwhile
        descriptor = os.open(box.usb, os.O_RDWR | os.O_NOCTTY)
        os.write(descriptor, b"hello\r")
        os.close(descriptor)
        box.wait_for("^echo hello")


def test_a_box_that_is_gone_has_no_ports(tmp_path):
    with Box(tmp_path) as box:
        assert os.path.exists(box.usb) and os.path.exists(box.rs485)
    assert not os.path.lexists(box.usb) and not os.path.lexists(box.rs485)


def test_the_log_keeps_the_end(tmp_path):
    log = ConsoleLog(tmp_path / "console.log")
    line = b"x" * 99 + b"\r\n"
    for _ in range(2 * FILE_BYTES // len(line)):
        log.add(line)
    log.add(b"the end\r\n")
    position = log.position
    assert len(log.text()) <= KEPT_BYTES
    assert log.text().endswith("x\nthe end\n")
    assert log.text(since=position - 9) == "the end\n"
    log.close()
    sizes = [path.stat().st_size for path in tmp_path.iterdir()]
    assert len(sizes) == 2 and max(sizes) <= FILE_BYTES + len(line)


def test_waiting_in_vain_shows_the_end_of_the_log(tmp_path):
    log = ConsoleLog(tmp_path / "console.log")
    log.add(b"something else")
    with pytest.raises(TimeoutError, match="'ready' not printed in 0.05 s; tail:\nsomething else"):
        log.wait_for("ready", 0.05)
    log.close()
