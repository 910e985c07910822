"""The lock of a box in service: no Python prompt. main.py reads it, docs/console.md explains it."""

import esp32
import micropython

_SPACE = "wallbox"
_KEY = "locked"


def locked() -> bool:
    try:
        return esp32.NVS(_SPACE).get_i32(_KEY) != 0
    except OSError:
        return False


def put(value: int) -> None:
    """1: no prompt from now on, over resets too. 0: Ctrl-C interrupts again."""
    if locked() != bool(value):
        store = esp32.NVS(_SPACE)
        store.set_i32(_KEY, value)
        store.commit()
    micropython.kbd_intr(-1 if value else 3)
