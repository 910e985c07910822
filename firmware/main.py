# Run the box; whatever ends it opens the contactor, is written down, and resets.
import gc

import machine
from board import CONTACTOR, PILOT_PWM

gc.threshold(4096)  # collect early and often: what lives stays together, and large blocks remain

from wallbox import crash  # noqa: E402

WATCHDOG_MS = 30_000
SERVICE_MS = 3_600_000  # at the REPL nobody feeds the watchdog


def refuse():
    """Contactor open, pilot at steady +12 V."""
    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    machine.PWM(machine.Pin(PILOT_PWM), freq=1000, duty_u16=65_535)


watchdog = machine.WDT(timeout=WATCHDOG_MS)
spare = bytearray(4096)  # given back when something ends the box, which may be lack of memory
crash.note(machine.reset_cause())
try:
    if crash.latched():
        print("fault: the agent failed %d times in a row; crash.clear() and a reset start it again"
              % crash.MOST)
        watchdog = machine.WDT(timeout=SERVICE_MS)
    else:
        from wallbox import box

        box.run(watchdog)
        watchdog = machine.WDT(timeout=SERVICE_MS)
except KeyboardInterrupt:
    refuse()
    watchdog = machine.WDT(timeout=SERVICE_MS)
    print("stopped from the keyboard: contactor open; a reset starts the box again")
except BaseException as error:
    del spare
    refuse()
    try:
        crash.record(error)
    finally:
        machine.reset()
