# Contactor off before any other import, pilot at +12 V: what the board's resistors hold in a reset.
import machine
from board import CONTACTOR, PILOT_PWM

machine.Pin(CONTACTOR, machine.Pin.OUT, value=0)
machine.Pin(PILOT_PWM, machine.Pin.OUT, value=1)
