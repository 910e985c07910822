"""Parts of a bench by themselves: the meter's register, tag, network, port."""

from __future__ import annotations

import json
import os
import pty
import select
import threading

import pytest

from host.provisioning.outcome import Stopped
from hw.bench.config import Meter, Network, Tag
from hw.bench.meter import FIRST_WH, UNSAVED_WH, BenchMeter
from hw.bench.parts import ProgrammedNet
from hw.bench.port import ListeningPort
from hw.bench.relays import RelayBoard
from hw.bench.rig import Bench
from hw.bench.simulated_board import SimulatedBoard
from hw.bench.tag import Actuator, Prompt
from hw.sim.meter_wire import crc16
from tests.benches import COILS, bench_config, silent_port
from tests.mosquitto import wait_until

SDM630 = "sdm630"


def meter_at(port: str, folder, contactor=None) -> BenchMeter:
    return BenchMeter(Meter(port=port, model=SDM630), folder, 16, contactor)


def test_what_the_car_draws_follows_the_contactor(tmp_path):
    closed = threading.Event()
    with silent_port() as port:
        meter = meter_at(port, tmp_path, closed.is_set)
        meter.open()
        try:
            meter.power(True)
            meter.car_draws(10, 3)
            meter.car_asks(True)
            assert meter.power_w == 0
            closed.set()
            wait_until(lambda: meter.power_w == 6900, 10, "it flows")
            meter.power(False)
            assert meter.power_w == 0 and meter.sim.faults.silent
            meter.power(True)
            wait_until(lambda: meter.power_w == 6900, 10, "it flows again")
            closed.clear()
            wait_until(lambda: meter.power_w == 0, 10, "it flows no more")
            meter.set_load((100, 0, 0))
            assert meter.power_w == 100
        finally:
            meter.close()


def test_the_register_goes_on_in_the_next_run(tmp_path):
    with silent_port() as port:
        first = meter_at(port, tmp_path)
        first.open()
        assert first.register_wh() == FIRST_WH
        first.raise_register(FIRST_WH + 500)
        first.close()
        second = meter_at(port, tmp_path)
        second.open()
        assert second.register_wh() == FIRST_WH + 500
        saved = json.loads((tmp_path / "meter.json").read_text())
        second.close()
        (tmp_path / "meter.json").write_text(json.dumps(saved))  # as if it had been killed
        third = meter_at(port, tmp_path)
        third.open()
        assert third.register_wh() == FIRST_WH + 500 + UNSAVED_WH
        third.close()
        (tmp_path / "meter.json").write_text("{}")
        with pytest.raises(Stopped, match="does not tell a register; remove it"):
            broken = meter_at(port, tmp_path)
            try:
                broken.open()
            finally:
                broken.close()


def test_the_meter_answers_on_its_line_and_can_be_silenced(tmp_path):
    master, slave = pty.openpty()
    meter = meter_at(os.ttyname(slave), tmp_path)
    meter.open()
    meter.power(True)
    try:
        request = bytes.fromhex("010400480002")  # import register of an SDM630
        request += crc16(request)
        os.write(master, request)
        assert select.select([master], [], [], 10)[0]
        wait_until(lambda: meter.sim.answers == 1, 10, "the answer")
        assert os.read(master, 64)[:3] == bytes.fromhex("010404")
        meter.silence()
        os.write(master, request)
        wait_until(lambda: meter.sim.requests == 2, 10, "the second request")
        assert not select.select([master], [], [], 0.3)[0]
    finally:
        meter.close()
        os.close(master)
        os.close(slave)


def test_an_adapter_that_is_not_there(tmp_path):
    meter = meter_at(str(tmp_path / "none"), tmp_path)
    with pytest.raises(Stopped, match="there is no such port"):
        meter.open()
    meter.close()


def test_a_person_holds_the_tag_to_the_reader():
    master, slave = pty.openpty()
    tag = Prompt(Tag(kind="prompt", uid="01020304", wait_s=10), os.ttyname(slave))
    os.write(master, b"\n")
    tag.present(b"\x01\x02\x03\x04")
    seen = b""
    while b"Hold the tag 01020304" not in seen:  # the key's echo comes in a read of its own
        assert select.select([master], [], [], 10)[0], seen
        seen += os.read(master, 400)
    os.write(master, b"\n")
    tag.remove()
    tag.remove()  # nobody is asked again
    impatient = Prompt(Tag(kind="prompt", uid="01020304", wait_s=0.1), os.ttyname(slave))
    with pytest.raises(Stopped, match="nobody pressed Enter"):
        impatient.present(b"\x01\x02\x03\x04")
    os.close(master)
    os.close(slave)
    with pytest.raises(Stopped, match="nobody can be asked"):
        Prompt(Tag(kind="prompt", uid="01020304"), "/nonexistent").present(b"1234")


def test_an_actuator_holds_its_own_tag_alone(tmp_path):
    with SimulatedBoard() as simulated:
        config = bench_config(tmp_path, simulated.path)
        relays = RelayBoard(config.relays)
        tag = Actuator(Tag(kind="actuator", uid="01020304"), relays)
        tag.present(b"\x01\x02\x03\x04")
        assert simulated.coils[COILS["tag"]]
        tag.remove()
        with pytest.raises(Stopped, match="its actuator holds another one"):
            tag.present(b"\xff\xff\xff\xff")
        assert not any(simulated.coils)
        relays.close()


def test_a_network_that_programs_switch(tmp_path):
    mark = tmp_path / "gone"
    net = ProgrammedNet(Network(drop=["/bin/touch", str(mark)], restore=["/bin/rm", str(mark)]))
    net.drop()
    assert mark.exists()
    net.restore()
    assert not mark.exists()
    with pytest.raises(Stopped, match=r"network.restore ended with 1: .*No such file"):
        net.restore()
    slow = ProgrammedNet(
        Network(drop=["/bin/sleep", "30"], restore=["/none"], timeout_s=0.1)
    )
    with pytest.raises(Stopped, match="network.drop did not end"):
        slow.drop()
    with pytest.raises(Stopped, match="network.restore does not run"):
        slow.restore()


def test_a_port_keeps_what_it_heard_and_comes_back(tmp_path):
    first, first_slave = pty.openpty()
    second, second_slave = pty.openpty()
    link = tmp_path / "usb"
    link.symlink_to(os.ttyname(first_slave))
    port = ListeningPort(str(link))
    os.write(first, b"before\n")
    wait_until(lambda: b"before\n" in port.heard, 10, "what came")
    assert port.read(100) == b"before\n"
    link.unlink()
    os.close(first_slave)
    os.close(first)  # the device has gone
    link.symlink_to(os.ttyname(second_slave))

    def again() -> bool:
        os.write(second, b"after\n")
        return b"after\n" in port.heard

    wait_until(again, 10, "what came after it was back")
    port.close()
    for descriptor in (second, second_slave):
        os.close(descriptor)


def test_a_part_that_the_bench_lacks_is_refused_by_name(tmp_path):
    with SimulatedBoard() as simulated, silent_port() as usb:
        config = bench_config(tmp_path, simulated.path)
        with Bench(config, usb) as bench:
            for part in ("meter", "broker", "tag"):
                with pytest.raises(Stopped, match=f"this bench has no {part}: {part} is missing"):
                    getattr(bench.world, part)
            with pytest.raises(Stopped, match="no relay access_point"):
                bench.world.net.drop()
            with pytest.raises(Stopped, match="no operator"):
                bench.operator.entries()
            with pytest.raises(Stopped, match="its key is not known"):
                bench.box.order("status")
            assert bench.box.health() == {}
