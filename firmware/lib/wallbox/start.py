"""Runs the box; whatever ends it opens the contactor, is written down, and resets."""

import asyncio
import gc

import machine
import micropython
from board import CONTACTOR, PILOT_PWM
from micropython import const

from . import crash, lock
from .store import StoreError

_WATCHDOG_MS = const(30_000)
_SPARE = const(4096)
_SERVICE_MS = const(3_600_000)  # at the prompt nobody feeds the watchdog
_STORE_MS = const(300_000)  # until a ledger that cannot be opened is tried again


def run() -> None:
    """Returns, to the prompt, on a box alone that is not in service."""
    locked = lock.locked()
    if not locked:
        micropython.kbd_intr(3)
    watchdog = machine.WDT(timeout=_WATCHDOG_MS)
    try:
        gc.threshold(4096)  # collect early and often: what lives stays together
        _run(watchdog, locked)
        machine.WDT(timeout=_SERVICE_MS)
    except KeyboardInterrupt:
        _refuse()
        if locked:
            machine.reset()
        machine.WDT(timeout=_SERVICE_MS)
        print("stopped from the keyboard: contactor open; a reset starts the box again")
    except BaseException as error:
        _spare.clear()
        _refuse()
        try:
            crash.record(error)
        finally:
            machine.reset()


def _run(watchdog, locked: bool) -> None:
    crash.note(machine.reset_cause())
    if crash.latched():
        print("fault: the agent failed %d times in a row; crash.clear() and a reset start it again"
              % crash.MOST)
    else:
        from . import box

        try:
            box.run(watchdog)
        except StoreError as error:
            if not locked:
                raise
            _store_failed(watchdog, error)
    if lock.locked():
        from .console import rescue

        rescue.run(watchdog)


def _store_failed(watchdog, error: StoreError) -> None:
    """No bug of ours: the flash may be well again after a while, with nobody there."""
    _refuse()
    print("store:", error)
    asyncio.new_event_loop()  # lets go of the tasks
    from .console import rescue

    rescue.run(watchdog, "store failed", _STORE_MS)
    machine.reset()


def _refuse() -> None:
    """Contactor open, pilot at steady +12 V."""
    machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
    machine.PWM(machine.Pin(PILOT_PWM), freq=1000, duty_u16=65_535)


def lend() -> None:
    """The spare memory, for the time that somebody is at the console."""
    _spare.clear()


def keep() -> None:
    """Takes it back, if it can be had."""
    if not _spare:
        gc.collect()
        try:
            _spare.append(bytearray(_SPARE))
        except MemoryError:
            pass


# given back when something ends the box, which may be lack of memory
_spare = [bytearray(_SPARE)]
