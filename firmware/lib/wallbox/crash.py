"""Our own bugs: written down, counted, and after three boots in a row a latched fault, no loop."""

import asyncio
import gc
import io
import sys

import esp32
import machine
from micropython import const

MOST = const(3)
_TEXT_MAX = const(1000)
_SPACE = "wallbox"


def note(reset_cause: int) -> None:
    """An agent that the watchdog had to end has failed too."""
    if reset_cause == machine.WDT_RESET:
        _count()


def _count() -> None:
    store = esp32.NVS(_SPACE)
    store.set_i32("crashes", count() + 1)
    store.commit()


def record(error: BaseException) -> None:
    """Counts, and keeps the traceback where `text()` finds it after the reset."""
    asyncio.new_event_loop()  # lets go of the tasks: lack of memory may be why we are here
    gc.collect()
    _count()
    buffer = io.StringIO()
    sys.print_exception(error, buffer)
    text = buffer.getvalue()
    print(text)
    store = esp32.NVS(_SPACE)
    store.set_blob("crash", text[-_TEXT_MAX:].encode())
    store.commit()


def count() -> int:
    """Crashes in a row."""
    try:
        return esp32.NVS(_SPACE).get_i32("crashes")
    except OSError:
        return 0


def text() -> str:
    """The traceback of the last crash, "" if there is none."""
    buf = bytearray(_TEXT_MAX)
    try:
        length = esp32.NVS(_SPACE).get_blob("crash", buf)
    except OSError:
        return ""
    return bytes(buf[:length]).decode()


def latched() -> bool:
    return count() >= MOST


def clear() -> None:
    """Starts counting anew: after a healthy while, or by a person who has seen to it."""
    if count():
        store = esp32.NVS(_SPACE)
        store.set_i32("crashes", 0)
        store.commit()
