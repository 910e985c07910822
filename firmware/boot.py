# Contactor off before any other import. The board's pull-down does the same while the chip sleeps.
import machine
from board import CONTACTOR

machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
