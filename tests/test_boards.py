"""The boards: each wires the same functions, to pins that exist, and the firmware runs on it."""

import importlib

import pytest

from host.bench.boards import names
from hw.boards import wroom32
from hw.sim.world import World

CONSOLE_FLASH = {1, 3, 6, 7, 8, 9, 10, 11}
INPUT_ONLY = {34, 35, 36, 39}
OUTPUTS = {"contactor", "pilot_pwm", "meter_tx", "seal_latch_reset", "tag_sck", "tag_mosi",
           "tag_select", "tag_reset", "lamp_red", "lamp_green", "lamp_blue"}


@pytest.mark.parametrize("name", names())
def test_a_board_wires_every_function_once(name):
    board = importlib.import_module(f"hw.boards.{name}")
    assert set(board.PINS) == set(wroom32.PINS) and set(board.VALUES) == set(wroom32.VALUES)
    numbers = {function: pin for function, (pin, _) in board.PINS.items()}
    assert len(set(numbers.values())) == len(numbers)
    assert not set(numbers.values()) & CONSOLE_FLASH
    for function, (pin, sentence) in board.PINS.items():
        assert not (function in OUTPUTS and pin in INPUT_ONLY), function
        assert len(sentence) > 20 and sentence.endswith("."), function


def test_the_psram_of_a_wrover_keeps_its_pins():
    pins = {pin for pin, _ in importlib.import_module("hw.boards.wrover").PINS.values()}
    assert not pins & {16, 17}


def test_the_firmware_charges_on_a_wrover(tmp_path):
    with World(tmp_path, board="wrover", broker=None, speed=3) as world:
        world.car.plug()
        world.car.request_power()
        world.box.wait_until(lambda: world.car.power_w > 0, 60, "charging")
