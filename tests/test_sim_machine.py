"""What the ESP32 refuses, the simulated chip refuses; what it does, it does."""

from __future__ import annotations

import textwrap

import pytest

from tests.simbox import powered, printed

REFUSED = [
    ("Pin(34, Pin.OUT)", "ValueError: pin can only be input"),
    ("Pin(36, Pin.IN, Pin.PULL_UP)", "ValueError: pin 36 has no pull resistor"),
    ("Pin(6, Pin.OUT)", "ValueError: pin 6 drives the flash chip"),
    ("Pin(20)", "ValueError: invalid pin"),
    ("Pin(40)", "ValueError: invalid pin"),
    ("Pin(1, Pin.OUT)", "ValueError: pin 1 belongs to the console"),
    ("Pin(4, 2)", "ValueError: invalid pin mode"),
    ("Pin(4, Pin.IN).irq('handler')", "TypeError: handler must be callable"),
    ("Pin(4, Pin.IN).irq(print, 4)", "ValueError: invalid trigger"),
    ("Pin(4, Pin.IN).irq(print, hard=True)", "TypeError: unexpected keyword argument 'hard'"),
    ("PWM(Pin(35))", "OSError: (-258, 'ESP_ERR_INVALID_ARG')"),
    ("PWM(Pin(4), freq=0)", "ValueError: frequency must be from 1Hz to 40MHz"),
    ("PWM(Pin(4), freq=1000, duty_u16=65536)", "ValueError: duty_u16 must be from 0 to 65536"),
    ("PWM(Pin(4), freq=1000, duty=1024)", "ValueError: duty must be from 0 to 1023"),
    (
        "PWM(Pin(4), duty=1, duty_u16=1)",
        "ValueError: only one of parameters 'duty', 'duty_u16' or 'duty_ns' is allowed",
    ),
    ("p = PWM(Pin(4)); p.deinit(); p.duty()", "RuntimeError: PWM is inactive"),
    ("ADC(Pin(5))", "ValueError: Pin doesn't have ADC capabilities"),
    ("ADC(Pin(34), atten=4)", "ValueError: invalid atten"),
    ("UART(0)", "ValueError: UART(0) is disabled (dedicated to REPL)"),
    ("UART(3)", "ValueError: UART(3) does not exist"),
    ("UART(1)", "ValueError: pin 10 drives the flash chip"),
    ("UART(2, 9600, tx=34, rx=16)", "ValueError: pin can only be input"),
    ("UART(2, 9600); UART(1, 9600, tx=17, rx=4)", "ValueError: pin 17 is used by uart2"),
    ("UART(2, 9600, bits=9)", "ValueError: invalid data bits"),
    ("UART(2, 9600, stop=3)", "ValueError: invalid stop bits"),
    ("UART(2); Pin(17, Pin.OUT)", "ValueError: pin 17 is used by uart2"),
    ("SPI(3)", "ValueError: SPI(3) doesn't exist"),
    ("SPI(1, bits=16)", "ValueError: only 8 bits, MSB first are simulated"),
    ("WDT(1)", "ValueError: WDT(1) doesn't exist"),
    ("WDT(timeout=0)", "ValueError: WDT timeout too short"),
    ("RTC().memory(bytes(2049))", "ValueError: buffer too long"),
    ("machine.freq(1)", "ValueError: frequency must be 20MHz, 40MHz, 80Mhz, 160MHz or 240MHz"),
]


@pytest.fixture(scope="module")
def refusals():
    """Every statement of REFUSED, each in a fresh module of hardware, run on one box."""
    program = """
        import sys
        for line in open("statements"):
            machine = __import__("machine")
            for name in ("Pin", "PWM", "ADC", "UART", "SPI", "WDT", "RTC"):
                globals()[name] = getattr(machine, name)
            try:
                exec(line)
                print("done")
            except Exception as error:
                print(type(error).__name__ + ":", error)
            __import__("_pins").used.clear()
    """
    statements = "\n".join(statement for statement, _ in REFUSED)
    return printed(program, statements=statements)


@pytest.mark.parametrize("index", range(len(REFUSED)), ids=[s for s, _ in REFUSED])
def test_refused(refusals, index):
    assert refusals[index] == REFUSED[index][1]


def test_inputs_pulls_and_outputs():
    main = """
        from machine import Pin, Signal
        pin = Pin(32, Pin.IN, Pin.PULL_UP)
        print(pin.value(), Pin(33, Pin.IN, Pin.PULL_DOWN)())
        print("connect")
        while pin():
            pass
        print("low")
        out = Pin(26, Pin.OUT, value=1)
        out.toggle()
        print(out.value(), Signal(Pin(27, Pin.OUT), invert=True).value(0))
        out.on()
    """
    with powered(main) as box:
        box.wait_for("^1 0\nconnect")
        box.set_level(32, 0)
        box.wait_for("^low\n0 None")
        box.wait_until(lambda: 27 in box.outputs and box.outputs[26].level == 1)
        assert box.outputs[27].level == 1


def test_an_input_that_nothing_drives_is_noise():
    lines = printed(
        """
        import time
        from machine import Pin
        pin, seen = Pin(35, Pin.IN), set()
        while len(seen) < 2:
            seen.add(pin())
            time.sleep_us(3)
        print(sorted(seen))
        """
    )
    assert lines == ["[0, 1]"]


def test_an_interrupt_wakes_asyncio_at_once():
    main = """
        import asyncio, time
        from machine import Pin
        flag = asyncio.ThreadSafeFlag()
        pin = Pin(32, Pin.IN, Pin.PULL_UP)
        pin.irq(lambda p: flag.set(), Pin.IRQ_FALLING)
        async def main():
            print("waiting")
            await flag.wait()
            print("seen", pin())
        asyncio.run(main())
    """
    with powered(main) as box:
        box.wait_for("waiting")
        box.set_level(32, 0)
        box.wait_for("seen 0", timeout_s=2)


def test_only_the_asked_edges_interrupt_and_errors_in_handlers_are_printed():
    main = """
        import time
        from machine import Pin
        pin = Pin(32, Pin.IN, Pin.PULL_UP)
        counts = [0, 0]
        def handler(p):
            counts[p.value()] += 1
            if counts[1] == 2:
                raise ValueError("in the handler")
        pin.irq(handler, Pin.IRQ_RISING)
        for edge in range(3):
            print("ready", edge)
            while sum(counts) == edge:
                time.sleep_ms(1)
        print(counts)
    """
    with powered(main) as box:
        for edge in range(3):  # one at a time: a handler that comes late sees the next level
            box.wait_for(f"ready {edge}")
            box.set_level(32, 0)
            box.set_level(32, 1)
        box.wait_for(r"ValueError: in the handler\n(.|\n)*\[0, 3\]")


def test_the_ninth_interrupt_that_waits_is_lost():
    main = """
        import select, time
        from machine import Pin
        pin = Pin(32, Pin.IN, Pin.PULL_UP)
        count = 0
        def handler(p):
            global count
            count += 1
        pin.irq(handler, Pin.IRQ_FALLING)
        print("busy")
        import utime
        utime.sleep_ms(300)  # the simulated chip does not look at its pins meanwhile
        pin.value()
        print("handled", count)
    """
    with powered(main) as box:
        box.wait_for("busy")
        for _ in range(12):
            box.set_level(32, 0)
            box.set_level(32, 1)
        box.wait_for("handled 8")
        box.wait_until(lambda: box.dropped_interrupts == 4)


def test_interrupts_can_be_held_back():
    main = """
        import machine, time
        pin = machine.Pin(32, machine.Pin.IN, machine.Pin.PULL_UP)
        pin.irq(lambda p: print("interrupt"))
        state = machine.disable_irq()
        print("off")
        while pin():
            pass
        print("on")
        machine.enable_irq(state)
    """
    with powered(main) as box:
        box.wait_for("off")
        box.set_level(32, 0)
        box.wait_for("^on\ninterrupt")


def test_adc2_cannot_be_read_while_the_radio_is_on():
    lines = printed(
        """
        import machine, network
        adc = machine.ADC(machine.Pin(13))
        print(adc.read_uv() > 0)
        network.WLAN().active(True)
        try:
            adc.read_uv()
        except OSError as error:
            print(error)
        """
    )
    assert lines == ["True", "(-263, 'ESP_ERR_TIMEOUT')"]


def test_successive_conversions_sweep_the_waveform():
    """6 V high and -12 V low on the pilot at 26.7 %, divided to 0.2 V .. 2.9 V."""
    main = """
        import machine
        pwm = machine.PWM(machine.Pin(25), freq=1000, duty_u16=17500)
        adc = machine.ADC(machine.Pin(34), atten=machine.ADC.ATTN_11DB)
        input()
        reads = [adc.read_uv() // 1000 for _ in range(1250)]
        print(min(reads), max(reads), sum(r > 1000 for r in reads))
        pwm.duty_u16(65535)
        print(min(adc.read_uv() for _ in range(200)) > 2000000)
        pwm.duty_u16(0)
        print(max(adc.read_uv() for _ in range(200)) < 250000)
        low = machine.ADC(machine.Pin(35))
        print(low.read_uv(), low.read_u16() > 0)
    """
    with powered(textwrap.dedent(main)) as box:
        box.set_analog(34, 2_225_000, 200_000, shaped_by=25)
        box.type("\r")
        box.wait_for(">>> ")
        least, most, high = map(int, box.log.text().split()[:3])
        assert 190 <= least <= 200 and 2225 <= most <= 2235
        assert 0.23 * 1250 < high < 0.29 * 1250  # 80 us steps through 1 ms: 6 or 7 of 25
        assert "True\nTrue\n142000 True" in box.log.text()


def test_spi_speaks_to_what_the_world_puts_there():
    main = """
        import machine
        spi = machine.SPI(2, baudrate=1000000)
        buf = bytearray(3)
        spi.write_readinto(b"abc", buf)
        print(buf, spi.read(2, 0x7E))
        spi.write(b"d")
        big = bytearray(b"x" * 100)
        spi.write_readinto(big, big)
        print(big == b"X" * 100)
    """
    heard = []

    def upper(number: int, data: bytes) -> bytes:
        heard.append((number, data))
        return data.upper()

    with powered("input()\n" + textwrap.dedent(main)) as box:
        box.on_spi = upper
        box.type("\r")
        box.wait_for(r"^bytearray\(b'ABC'\) b'~~'\nTrue")
        assert heard[0] == (2, b"abc") and heard[2] == (2, b"d")


def test_the_chip_has_its_own_identity():
    lines = printed("import machine\nprint(machine.unique_id(), machine.freq())")
    assert lines == ["b'$\\n\\xc4\\x00\\x00\\x01' 160000000"]


def test_the_heaps_figures_are_those_of_the_interpreter():
    lines = printed(
        """
        import esp32, gc
        total, free, largest, least = esp32.idf_heap_info(esp32.HEAP_DATA)[0]
        print(total - free > 20_000, 0 < least <= free, 0.8 * free < largest <= free)
        block = bytearray(largest - 2048)
        _, left, second, _ = esp32.idf_heap_info(esp32.HEAP_DATA)[0]
        print(abs(free - left - len(block)) < 512, second < 20_000)
        print(esp32.idf_heap_info(esp32.HEAP_DATA)[0][3] <= left)
        print(esp32.idf_heap_info(esp32.HEAP_EXEC))
        """
    )
    assert lines == ["True True True", "True True", "True", "[]"]
