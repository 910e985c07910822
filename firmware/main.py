# Run the box; whatever ends it opens the contactor, is written down, and resets.
while True:
    try:  # as in boot.py: each script begins with a Ctrl-C that interrupts
        import micropython

        micropython.kbd_intr(-1)
        for _ in range(2):
            pass
        break
    except KeyboardInterrupt:
        pass
import gc  # noqa: E402

import esp32  # noqa: E402
import machine  # noqa: E402

WATCHDOG_MS = 30_000
SERVICE_MS = 3_600_000  # at the REPL nobody feeds the watchdog


def locked():
    """A box in service has no REPL."""
    try:
        return esp32.NVS("wallbox").get_i32("locked") != 0
    except OSError:
        return False


def refuse():
    """Contactor open, pilot at steady +12 V."""
    from board import CONTACTOR, PILOT_PWM

    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    machine.PWM(machine.Pin(PILOT_PWM), freq=1000, duty_u16=65_535)


def run():
    global spare
    crash.note(machine.reset_cause())
    if crash.latched():
        print("fault: the agent failed %d times in a row; crash.clear() and a reset start it again"
              % crash.MOST)
    else:
        from wallbox import box

        box.run(watchdog)
    if locked():
        from wallbox.console import rescue

        rescue.run(watchdog)


if not locked():
    micropython.kbd_intr(3)
watchdog = machine.WDT(timeout=WATCHDOG_MS)
try:
    gc.threshold(4096)  # collect early and often: what lives stays together; large blocks remain
    spare = bytearray(4096)  # given back when something ends the box: it may be lack of memory
    from wallbox import crash

    run()
    watchdog = machine.WDT(timeout=SERVICE_MS)
except KeyboardInterrupt:
    refuse()
    if locked():
        machine.reset()
    watchdog = machine.WDT(timeout=SERVICE_MS)
    print("stopped from the keyboard: contactor open; a reset starts the box again")
except BaseException as error:
    spare = bytearray(0)
    try:
        refuse()
        crash.record(error)
    finally:
        machine.reset()
