"""ESP32-WROVER devkit (38 pins, PSRAM on the module) in a three-phase wallbox.

As `wroom32`, with whose text on seals and safety it agrees; but GPIO16 and GPIO17 belong to the
module's PSRAM and are led nowhere, so the meter's bus lies on the two pins that were left. GPIO15
is sampled at reset (low: the boot loader prints nothing) and may show pulses meanwhile; nothing
listens to the bus then.
"""

from hw.boards import wroom32

PINS = {
    **wroom32.PINS,
    "meter_tx": (
        15,
        "UART2 transmit, to DI of the RS-485 transceiver with automatic direction; 10 kΩ pull-up, "
        "since the pin is sampled at reset.",
    ),
    "meter_rx": (
        39,
        "UART2 receive, from RO of the RS-485 transceiver, 10 kΩ pull-up; input-only pin.",
    ),
}

VALUES = dict(wroom32.VALUES)
