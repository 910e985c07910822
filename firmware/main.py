# One screen: run the box; whatever ends it opens the contactor, is written down, and resets.
import gc

import machine
from board import CONTACTOR

gc.threshold(4096)  # collect early and often: what lives stays together, and large blocks remain

from wallbox import crash  # noqa: E402

WATCHDOG_MS = 30_000
SERVICE_MS = 3_600_000  # at the REPL nobody feeds the watchdog

watchdog = machine.WDT(timeout=WATCHDOG_MS)
try:
    if crash.latched():
        print("fault: the agent failed %d times in a row; wallbox.crash.clear() starts it again"
              % crash.MOST)
        watchdog = machine.WDT(timeout=SERVICE_MS)
    else:
        from wallbox import box

        box.run(watchdog)
        watchdog = machine.WDT(timeout=SERVICE_MS)
except KeyboardInterrupt:
    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    watchdog = machine.WDT(timeout=SERVICE_MS)
    print("stopped from the keyboard: contactor open; a reset starts the box again")
except BaseException as error:
    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    try:
        crash.record(error)
    finally:
        machine.reset()
