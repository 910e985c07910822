"""The world around the box: pilot, car, contactor, meter, mains, seals."""

from __future__ import annotations

import time

import pytest

from hw import verbs
from hw.sim.electrics import offered_current_a
from hw.sim.world import World
from tests.simbox import flash_of

BENCH = """
    from machine import ADC, PWM, Pin, UART
    pwm = PWM(Pin(25), freq=1000, duty_u16=65535)
    coil = Pin(26, Pin.OUT, value=0)
    feedback = Pin(27, Pin.IN, Pin.PULL_UP)
    adc = ADC(Pin(34), atten=ADC.ATTN_11DB)
    def pilot():
        reads = [(adc.read_uv() - 200000) * 24 // 2700 - 12000 for _ in range(50)]
        print("pilot", round(max(reads) / 1000), round(min(reads) / 1000))
    print("bench ready")
"""
DUTY_16_A = 17_476


@pytest.fixture
def world():
    """A world whose firmware lets a test drive the pins from the REPL."""
    with World(flash=flash_of(BENCH), broker=None) as running:
        running.box.wait_for("bench ready(.|\n)*>>> ")
        yield running
        assert running.box.failure is None


def do(world: World, line: str) -> None:
    """One line at the box's REPL, done when the prompt is back."""
    mark = world.box.log.position
    world.box.type(line + "\r")
    world.box.wait_for(r"\n>>> $", since=mark)


def pilot(world: World) -> tuple[int, int]:
    """Highest and lowest voltage (V) that the box's ADC sees."""
    mark = world.box.log.position
    world.box.type("pilot()\r")
    found = world.box.wait_for(r"^pilot (-?\d+) (-?\d+)\n", since=mark)
    return int(found[1]), int(found[2])


def until(world: World, condition) -> None:
    world.box.wait_until(condition, timeout_s=5)


def test_the_world_offers_the_verbs_of_the_bench(world):
    bench: verbs.World = world
    for part in ("car", "meter", "seal", "tag", "mains", "net"):
        assert getattr(bench, part) is not None


def test_the_pilot_by_state(world):
    car = world.car
    assert pilot(world) == (12, 12)
    car.plug()
    assert (pilot(world), car.letter) == ((9, 9), "B")
    do(world, f"pwm.duty_u16({DUTY_16_A})")
    assert pilot(world) == (9, -12)
    car.request_power()
    until(world, lambda: car.letter == "C")
    assert pilot(world) == (6, -12)
    car.request_power(ventilation=True)
    until(world, lambda: car.letter == "D")
    assert pilot(world) == (3, -12)
    car.short()
    assert (pilot(world), car.letter) == ((0, 0), "E")
    car.short(False)
    do(world, "pwm.duty_u16(0)")
    assert (pilot(world), car.letter) == ((-12, -12), "F")
    do(world, "pwm.duty_u16(65535)")
    car.unplug()
    assert (pilot(world), car.letter) == ((12, 12), "A")


def test_a_resistor_is_no_car(world):
    do(world, f"pwm.duty_u16({DUTY_16_A})")
    world.car.plug(diode=False)
    assert pilot(world) == (9, -9)


def test_an_old_car_shows_c_without_an_offer_but_draws_nothing(world):
    world.car.plug(waits_for_pilot=False)
    world.car.request_power()
    until(world, lambda: world.car.letter == "C")
    do(world, "coil(1)")
    until(world, lambda: world.contactor.closed)
    assert world.car.power_w == 0


@pytest.mark.parametrize(
    ("max_current_a", "phases", "power_w"),
    [(16, 3, 3 * 3680), (10, 1, 2300), (32, 3, 3 * 3680)],
)
def test_power_is_what_pilot_and_car_allow(world, max_current_a, phases, power_w):
    world.car.plug(max_current_a, phases)
    world.car.request_power()
    do(world, f"pwm.duty_u16({DUTY_16_A})")
    until(world, lambda: world.car.letter == "C")
    assert world.car.power_w == 0
    do(world, "coil(1)")
    until(world, lambda: world.contactor.closed)
    assert world.car.power_w == pytest.approx(power_w, rel=0.003)
    world.car.stop()
    until(world, lambda: world.car.power_w == 0)
    assert world.car.letter == "B"


def test_offers_by_duty_cycle():
    assert [offered_current_a(d) for d in (0, 50, 79, 80, 100)] == [0, 0, 0, 6, 6]
    assert [offered_current_a(d) for d in (267, 533, 850)] == pytest.approx([16.02, 31.98, 51])
    assert [offered_current_a(d) for d in (860, 960, 970, 971, 1000)] == [55, 80, 80, 0, 0]


def test_a_pilot_of_another_frequency_offers_nothing(world):
    world.car.plug()
    do(world, f"pwm.init(freq=500, duty_u16={DUTY_16_A})")
    assert world.car.offered_a == 0
    do(world, "pwm.freq(1000)")
    assert world.car.offered_a == pytest.approx(16, rel=0.01)


def test_the_register_is_the_integral_of_the_power(world):
    meter = world.meter
    meter.sim.set(register_wh=1000)
    begin = time.monotonic_ns()
    meter.set_load((20_000_000, 20_000_000, 20_000_000))
    middle = time.monotonic_ns()
    until(world, lambda: meter.register_wh() > 3000)
    before = time.monotonic_ns()
    meter.set_load(None)
    end = time.monotonic_ns()
    energy_wh = meter.sim.energy_wh - 1000
    least = 60_000_000 * (before - middle) / 3.6e12
    most = 60_000_000 * (end - begin) / 3.6e12
    assert least <= energy_wh <= most
    assert meter.sim.energy_wh - 1000 == energy_wh


def test_the_contactor_follows_its_coil_and_tells_it(world):
    contactor = world.contactor
    do(world, "print('open', feedback())")
    world.box.wait_for("^open 1")
    do(world, "coil(1)")
    until(world, lambda: contactor.closed)
    do(world, "print('closed', feedback())")
    world.box.wait_for("^closed 0")
    contactor.weld()
    do(world, "coil(0)")
    do(world, "import time; time.sleep_ms(50); print('welded', feedback())")
    world.box.wait_for("^welded 0")
    contactor.repair()
    until(world, lambda: not contactor.closed)
    contactor.stick_open()
    do(world, "coil(1)")
    do(world, "time.sleep_ms(50); print('stuck', feedback())")
    world.box.wait_for("^stuck 1")
    assert contactor.moves == 2


def test_with_the_mains_everything_goes_and_comes(world):
    world.car.plug()
    world.car.request_power()
    do(world, f"pwm.duty_u16({DUTY_16_A}); coil(1)")
    until(world, lambda: world.car.power_w > 0)
    world.meter.faults.answer_ms = 7
    world.mains.cut()
    assert not world.contactor.closed
    assert world.car.power_w == 0
    assert not world.box.running
    register = world.meter.sim.energy_wh
    assert world.meter.sim.energy_wh == register > 0
    mark = world.box.log.position
    world.mains.restore()
    world.mains.restore()
    world.box.wait_for("bench ready(.|\n)*>>> ", since=mark)
    assert world.meter.faults.answer_ms == 7
    assert pilot(world) == (9, 9)
    assert world.box.boots == 2


def test_the_box_can_cut_its_own_power_in_the_flash(world):
    world.box.cut_at_flash_operation(0)
    do_not_wait = "open('file', 'w').write('x' * 5000)\r"
    world.box.type(do_not_wait)
    until(world, lambda: not world.box.running)
    assert not world.electrics.mains
    mark = world.box.log.position
    world.mains.restore()
    world.box.wait_for("bench ready", since=mark)


def test_seal_loops_open_and_close(world):
    do(world, "lid = Pin(32, Pin.IN, Pin.PULL_UP); cover = Pin(33, Pin.IN, Pin.PULL_UP)")
    do(world, "print('loops', lid(), cover())")
    world.box.wait_for("^loops 0 0")
    world.seal.open("lid")
    do(world, "print('loops', lid(), cover())")
    world.box.wait_for("^loops 1 0")
    world.seal.open("terminal_cover")
    world.seal.close("lid")
    do(world, "print('loops', lid(), cover())")
    world.box.wait_for("^loops 0 1")
    with pytest.raises(ValueError, match="seal 'door'"):
        world.seal.open("door")


def latches(world: World) -> str:
    mark = world.box.log.position
    do(world, "print('latches', Pin(35, Pin.IN)(), Pin(36, Pin.IN)())")
    return world.box.wait_for(r"^latches (\d \d)", since=mark)[1]


def test_a_seals_latch_is_set_without_power_and_reset_by_a_pulse_once_its_loop_is_closed(world):
    assert latches(world) == "0 0"
    world.mains.cut()
    world.seal.open("terminal_cover")
    world.seal.close("terminal_cover")
    mark = world.box.log.position
    world.mains.restore()
    world.box.wait_for("bench ready(.|\n)*>>> ", since=mark)
    assert latches(world) == "0 1" and world.seal.latched == {"terminal_cover"}
    world.seal.open("lid")
    assert latches(world) == "1 1"
    do(world, "reset = Pin(21, Pin.OUT, value=1); reset(0)")
    until(world, lambda: world.seal.latched == {"lid"})
    world.seal.close("lid")
    do(world, "reset(1); reset(0)")
    until(world, lambda: not world.seal.latched)
    assert latches(world) == "0 0"


def test_an_open_loop_opens_the_contactor_whatever_its_coil_says_unless_the_jumper_is_pulled(world):
    do(world, "coil(1)")
    until(world, lambda: world.contactor.closed)
    world.seal.open("lid")
    until(world, lambda: not world.contactor.closed)
    world.seal.interlock = False
    until(world, lambda: world.contactor.closed)
    world.seal.interlock = True
    until(world, lambda: not world.contactor.closed)
    world.seal.close("lid")
    until(world, lambda: world.contactor.closed)


def test_the_meter_answers_on_the_bus(world):
    """A request for two registers from address 1: the answer is a Modbus frame of nine bytes."""
    do(world, "uart = UART(2, 9600, tx=17, rx=16)")
    do(world, "n = uart.write(bytes.fromhex('0104003400023005'))")
    do(world, "print('sent', n, uart.txdone()); uart.flush(); print(uart.txdone())")
    world.box.wait_for("^sent 8 (True|False)\nTrue")
    do(world, "import time; time.sleep_ms(200); print('got', uart.any(), uart.read()[:3])")
    world.box.wait_for(r"^got 9 b'\\x01\\x04\\x04'")
    world.mains.cut()


def test_two_worlds_at_once_do_not_disturb_each_other(world):
    with World(flash=flash_of(BENCH), broker=None) as other:
        other.box.wait_for("bench ready")
        other.car.plug()
        assert (world.car.letter, other.car.letter) == ("A", "B")
        assert other.net.proxy.port != world.net.proxy.port


def test_the_firmware_charges_from_rom_in_a_heap_too_small_for_its_byte_code():
    with World(broker=None) as world:
        world.car.plug()
        world.car.request_power()
        world.box.wait_until(lambda: world.car.power_w > 0, 20, what="charging")
        assert world.box.boots == 1
