"""The simulated box starts, stops, resets and loses power as an ESP32 does."""

from __future__ import annotations

import os

import pytest

from host.image import partitions
from hw.sim.box import Box
from hw.sim.interpreter import SIMULATION_HEAP_BYTES, heap_bytes
from tests.simbox import flash_of, powered, printed

CAUSE = """
    import machine
    print("cause", machine.reset_cause())
"""


def test_boot_py_then_main_py_in_the_chips_own_file_system():
    lines = printed(
        """
        import os, sys
        print("main", here, sys.path, os.getcwd(), sorted(os.listdir("/")))
        """,
        boot="here = 'from boot'\nprint('boot')",
    )
    assert lines == [
        "boot",
        "main from boot ['', '.frozen', '/lib'] / ['boot.py', 'lib', 'main.py']",
    ]


def test_an_error_in_main_py_is_printed_and_leads_to_the_repl():
    with powered("import nothing_of_that_name") as box:
        box.wait_for(r"ImportError: no module named 'nothing_of_that_name'\n(.|\n)*>>> ")


def test_control_c_stops_main_py():
    with powered("print('busy')\nwhile True: pass") as box:
        box.wait_for("busy")
        box.type("\x03")
        box.wait_for(r"KeyboardInterrupt: \n(.|\n)*>>> ")
        box.type("print(6 * 7)\r")
        box.wait_for(r"^42")


def test_control_c_in_mid_collection_leaves_the_heap_usable():
    main = """
        import gc, time
        rounds = 0
        while rounds < 20:
            print("round", rounds)
            try:
                while True:
                    gc.collect()
                    time.sleep_ms(0)
            except KeyboardInterrupt:
                rounds += 1
        print("heap of", len(bytearray(1000)))
    """
    with powered(main) as box:
        for number in range(20):
            box.wait_for(rf"^round {number}\b")
            box.type("\x03")
        box.wait_for("^heap of 1000")


def test_control_c_is_a_character_once_the_firmware_says_so():
    main = """
        import micropython, sys
        micropython.kbd_intr(-1)
        print("deaf")
        print(repr(sys.stdin.read(3)))
    """
    with powered(main) as box:
        box.wait_for("deaf")
        box.type("a\x03b")
        box.wait_for(r"'a\\x03b'")


def test_what_is_typed_while_main_py_runs_reaches_the_repl():
    with powered("import time\nprint('busy')\ntime.sleep_ms(200)") as box:
        box.wait_for("busy")
        box.type("print('typed', 'early')\r")
        box.wait_for(r"^typed early(?!(.|\n)*^typed early)")


def test_reset_causes():
    with powered(CAUSE) as box:
        box.wait_for("cause 1\n(.|\n)*>>> ")
        for verb, cause in (
            ("\x04", 5),
            ("import machine; machine.soft_reset()\r", 5),
            ("import machine; machine.reset()\r", 2),
            ("import machine; machine.WDT(timeout=100)\r", 3),
        ):
            mark = box.log.position
            box.type(verb)
            box.wait_for(f"^cause {cause}\n(.|\n)*>>> ", since=mark)
        mark = box.log.position
        box.power_cut()
        assert not box.running
        box.power_on()
        box.wait_for("^cause 1", since=mark)
        assert box.boots == 6


def test_system_exit_in_main_py_is_a_soft_reset():
    main = """
        import machine, sys
        if machine.reset_cause() == machine.PWRON_RESET:
            sys.exit()
        print("again")
    """
    with powered(main) as box:
        box.wait_for("MPY: soft reboot\nagain")


def test_a_fed_watchdog_is_quiet_and_outlives_a_soft_reset():
    main = """
        import machine, time
        print("cause", machine.reset_cause())
        if machine.reset_cause() == machine.PWRON_RESET:
            dog = machine.WDT(timeout=150)
            for _ in range(10):
                time.sleep_ms(30)
                dog.feed()
            print("alive")
            machine.soft_reset()
    """
    with powered(main) as box:
        box.wait_for("cause 1\nalive\nMPY: soft reboot\ncause 5\n(.|\n)*cause 3\n")


def test_outputs_outlive_a_soft_reset_but_no_other():
    main = """
        import machine
        if machine.reset_cause() == machine.PWRON_RESET:
            machine.Pin(26, machine.Pin.OUT, value=1)
            machine.PWM(machine.Pin(25), freq=1000, duty_u16=20000)
        print("ready")
    """
    with powered(main) as box:
        box.wait_for(">>> ")
        assert box.outputs[26].level == 1
        assert (box.outputs[25].duty, box.outputs[25].frequency_hz) == (20000, 1000)
        mark = box.log.position
        box.type("\x04")
        box.wait_for(r"ready\n(.|\n)*>>> ", since=mark)
        assert box.outputs[26].level == 1
        assert (box.outputs[25].level, box.outputs[25].frequency_hz) == (0, 0)
        box.type("import machine; machine.reset()\r")
        box.wait_for("rst:2")
        assert box.outputs == {}


def test_rtc_and_its_memory_outlive_resets_but_no_power_cut():
    main = """
        import machine, time
        rtc = machine.RTC()
        print(rtc.memory(), rtc.datetime()[:3], time.gmtime()[:3])
        rtc.memory(b"kept over")
        rtc.datetime((2026, 11, 22, 0, 12, 30, 0, 0))
        print(rtc.datetime()[:7], time.time())
        if machine.reset_cause() == machine.PWRON_RESET:
            machine.reset()
    """
    after_setting = "(2026, 11, 22, 6, 12, 30, 0) 848665800"
    with powered(main) as box:
        box.wait_for("rst:2(.|\n)*>>> ")
        assert [line for line in box.log.text().splitlines() if "(20" in line] == [
            "b'' (2000, 1, 1) (2000, 1, 1)",
            after_setting,
            "b'kept over' (2026, 11, 22) (2026, 11, 22)",
            after_setting,
        ]
        mark = box.log.position
        box.power_cut()
        box.power_on()
        box.wait_for(r"^b'' \(2000, 1, 1\)", since=mark)


def test_a_blank_file_system_is_made_and_a_corrupt_one_is_kept():
    with Box() as box:
        image = bytearray(flash_of("print('hello')"))
        vfs = partitions()["vfs"]
        image[vfs.offset : vfs.offset + vfs.size] = b"\xff" * vfs.size
        box.flash(bytes(image))
        box.power_on()
        box.wait_for(r"Performing initial setup\n(.|\n)*>>> ")
        box.type("import os; print(os.listdir('/'))\r")
        box.wait_for(r"^\['boot.py'\]")
        box.power_cut()
        image[vfs.offset : vfs.offset + vfs.size] = b"\x55" * vfs.size
        box.flash(bytes(image))
        box.power_on()
        box.wait_for(r"appears to be corrupted(.|\n)*>>> ")
        assert box.flash_path.read_bytes() == bytes(image)


def test_the_firmware_gets_the_heap_it_is_given():
    main = """
        import gc
        gc.collect()
        print(gc.mem_free())
    """
    with powered(main, heap="56wK") as box:
        box.wait_for(">>> ")
        free = int(box.log.text().split()[0])
        assert SIMULATION_HEAP_BYTES - 4096 < box.simulation_heap_bytes <= SIMULATION_HEAP_BYTES
    # 64 bits: 112 KiB, of which the pools of names take 21 kB, and the interpreter a few
    assert 83 * 1024 < free < 93 * 1024


def test_a_heap_in_another_notation_is_refused():
    assert heap_bytes("2M") == 2 * 1024 * 1024 + SIMULATION_HEAP_BYTES
    with pytest.raises(ValueError, match="heap '56kw'"):
        heap_bytes("56kw")


def test_nothing_is_left_behind():
    before = set(os.listdir("/proc/self/fd"))
    with powered("print('on')\nwhile True: pass") as box:
        box.wait_for("^on")
        process = box.process_id
        directory = box.directory
    assert process is not None and not os.path.exists(f"/proc/{process}")
    assert not directory.exists()
    assert set(os.listdir("/proc/self/fd")) <= before
