"""ESP32-WROOM-32 devkit (38 pins, 4 MB flash, no PSRAM) in a three-phase wallbox.

Data only: `PINS` maps a function to its GPIO number and the sentence that tells how to wire
it; `VALUES` holds the numbers that follow from the parts around the chip.  The image builder
writes the numbers alone into the box's `lib/board.py`, as upper-case names.

The control permits, refuses and latches; it is never the last line of protection: electrical
safety is hardware.  The coil's supply runs through the residual-current device's and the
over-temperature contact's own circuit, which opens the contactor whatever the chip does.

Seals.  Both loops also sit in the path that enables the contactor: the gate driver of the coil's
relay is an AND of the chip's pin and of both loops closed (74HC11), so that an open lid takes the
power away though the chip hangs.  A jumper over the loops' two inputs of that AND is for boxes
whose `seals.policy` is `report` or `pause`.  One half of a CD4013 for each loop remembers an
opening without power: its SET input goes to the loop, pulled up with 1 MOhm to the battery, so that
an open loop sets it; RESET of both halves to `seal_latch_reset`, 100 kOhm to GND; D and CLOCK to
GND; Q through 100 kOhm to the latch's pin.  A CR1225 (48 mAh) behind a Schottky diode, or a
supercapacitor of 0.1 F for weeks, feeds the CD4013, which takes less than 1 uA, and the closed
loops, 3 uA each.  The loop's pin at the chip is decoupled with a diode from the battery's side.
An open loop wins over the reset.
"""

PINS = {
    "contactor": (
        26,
        "To the gate driver of the coil's relay, active high, with 10 kΩ to GND so that the "
        "contactor stays open while the chip resets.",
    ),
    "contactor_feedback": (
        27,
        "To the contactor's auxiliary normally-open contact, other side to GND: low while the "
        "main contacts are closed; the internal pull-up is used.",
    ),
    "pilot_pwm": (
        25,
        "To the input of the ±12 V pilot driver, 10 kΩ pull-up to 3.3 V: high gives +12 V, low "
        "gives -12 V, both through 1 kΩ to the CP contact; unconfigured means steady +12 V.",
    ),
    "pilot_adc": (
        34,
        "From the CP contact behind the 1 kΩ through the divider 240 kΩ / 38.6 kΩ biased so that "
        "-12 V reads 0.2 V and +12 V reads 2.9 V; 1 nF to GND; input-only pin.",
    ),
    "meter_tx": (17, "UART2 transmit, to DI of the RS-485 transceiver with automatic direction."),
    "meter_rx": (16, "UART2 receive, from RO of the RS-485 transceiver, 10 kΩ pull-up."),
    "seal_lid": (
        32,
        "To the seal loop of the lid, other end to GND: low while the loop is closed; the "
        "internal pull-up is used.",
    ),
    "seal_terminal_cover": (
        33,
        "To the seal loop of the terminal cover, other end to GND: low while the loop is "
        "closed; the internal pull-up is used.",
    ),
    "seal_latch_lid": (
        35,
        "From Q of the lid's flip-flop, 100 kΩ to GND, which reads as not set where no latch is "
        "fitted; input-only pin.",
    ),
    "seal_latch_terminal_cover": (
        36,
        "From Q of the terminal cover's flip-flop, 100 kΩ to GND, which reads as not set where "
        "no latch is fitted; input-only pin.",
    ),
    "seal_latch_reset": (
        21,
        "To RESET of both flip-flops, 100 kΩ to GND: a high pulse begins anew after sealing.",
    ),
    "lamp_red": (4, "To the red part of the status lamp through 330 Ω: high lights it."),
    "lamp_green": (13, "To the green part of the status lamp through 330 Ω: high lights it."),
    "lamp_blue": (14, "To the blue part of the status lamp through 330 Ω: high lights it."),
    "tag_sck": (18, "SPI clock (VSPI) of the MFRC522 tag reader."),
    "tag_mosi": (23, "SPI data to the tag reader."),
    "tag_miso": (19, "SPI data from the tag reader."),
    "tag_select": (5, "Chip select (SDA) of the tag reader, active low."),
    "tag_reset": (22, "Reset (RST) of the tag reader, active low."),
}

VALUES = {
    "meter_uart": 2,
    "tag_spi": 2,
    # what the ADC pin sees, in microvolts, at -12 V and at +12 V on the CP contact
    "pilot_uv_at_minus_12v": 200_000,
    "pilot_uv_at_plus_12v": 2_900_000,
    "contactor_closed_level": 0,
    "seal_closed_level": 0,
}
