"""`micropython`, whose `kbd_intr` the simulation knows of; `_start` puts it in that one's place."""

import micropython
from micropython import *

import _wire


def kbd_intr(character):
    """On the chip what was typed before is raised at the next jump; here, at once."""
    pending = _wire.ctrl_c[0] and _wire.interrupt_character == 3
    _wire.interrupt_character = character
    micropython.kbd_intr(character)
    if pending:
        _wire.ctrl_c[0] = 0
        raise KeyboardInterrupt
