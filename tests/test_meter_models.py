"""The simulated meters: exact energy, and registers as the makers' papers have them."""

import os
import pty
import struct
import tty
from fractions import Fraction

import pytest

from hw.sim.meter_models import MODELS, State, encode
from hw.sim.meter_wire import crc16
from hw.sim.meters import SimMeter

REQUEST = bytes.fromhex("010400000006")  # the three voltages of an SDM630


def test_energy_is_exact():
    """A third of a kilowatt for a day in odd steps: not one Wh is lost or found."""
    now_ns = 0
    meter = SimMeter("em340", clock_ns=lambda: now_ns)
    meter.set(power_w=(Fraction(1000, 9), Fraction(1000, 9), Fraction(1000, 9)), register_wh=5)
    for step in range(1, 1001):
        now_ns = 86_400_000_000_000 * step // 1000
        _ = meter.energy_wh
    assert meter.energy_wh == 8005
    assert meter.register_wh() == 8000
    meter.set(power_w=(-3600, 0, 0))
    now_ns += 1_000_000_000
    assert meter.energy_wh == 8005


@pytest.mark.parametrize(
    ("name", "shown_wh", "next_wh"),
    [
        # float32 steps of 1/512 kWh
        ("sdm630", 16_777_217, 16_777_219),
        ("pro380", 16_777_217, 16_777_219),
        ("em340", 16_777_200, 16_777_200),
        ("b23", 16_777_210, 16_777_210),
    ],
)
def test_the_register_shows_what_its_format_can(name, shown_wh, next_wh):
    model = MODELS[name]
    assert model.register_wh(State(import_wh=Fraction(16_777_217))) == shown_wh
    assert model.register_wh(State(import_wh=Fraction(16_777_218))) == next_wh


def test_formats():
    assert encode("f32", Fraction(230)) == [0x4366, 0x0000]
    assert encode("i32l 10", Fraction(-1, 10)) == [0xFFFF, 0xFFFF]
    assert encode("i32l 10 floor", Fraction(123_456_789, 10_000)) == [0xE240, 0x0001]
    assert encode("u64 100 floor", Fraction(1)) == [0, 0, 0, 100]
    assert encode("u16 100", Fraction(50)) == [5000]


def test_only_what_the_paper_lists_can_be_read():
    state = State()
    assert MODELS["sdm630"].words(state, 4, 0x0000, 54) is not None
    assert MODELS["sdm630"].words(state, 4, 0xFC00, 2) is None
    assert MODELS["b23"].words(state, 4, 0x5000, 8) is None
    assert MODELS["em340"].words(state, 4, 0x000B, 1) == [0]
    state.code = 340
    assert MODELS["em340"].words(state, 3, 0x000B, 1) == [340]
    assert MODELS["em340"].words(state, 3, 0x000A, 2) == [0, 0]


def test_a_link_leads_to_the_port_while_the_meter_runs(tmp_path):
    link = tmp_path / "rs485"
    with SimMeter("em340", link=link) as meter:
        assert os.readlink(link) == meter.path
        assert os.path.exists(link)
    assert not link.exists()


def test_a_meter_on_a_port_that_is_there_already():
    """The pty belongs to the simulated box; the meter opens its other end."""
    master, slave = pty.openpty()
    tty.setraw(slave)
    with SimMeter("sdm630", port=os.ttyname(slave), paced=False) as meter:
        meter.set(voltage_v=(230, 231, 232))
        meter.faults.answer_ms = 1
        os.write(master, REQUEST + crc16(REQUEST))
        answer = b""
        while len(answer) < 17:
            answer += os.read(master, 100)
        assert struct.unpack(">3f", answer[3:15]) == (230.0, 231.0, 232.0)
    os.close(master)
    os.close(slave)
