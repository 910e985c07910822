"""ESP32-WROOM-32 devkit (38 pins, 4 MB flash, no PSRAM) in a three-phase wallbox.

Data only: `PINS` maps a function to its GPIO number and the sentence that tells how to wire
it; `VALUES` holds the numbers that follow from the parts around the chip.  The image builder
writes the numbers alone into the box's `lib/board.py`, as upper-case names.

The control permits, refuses and latches; it is never the last line of protection: electrical
safety is hardware.  The coil's supply runs through the residual-current device's and the
over-temperature contact's own circuit, which opens the contactor whatever the chip does.

Seals.  A loop goes to GND at its far end.  Each loop also sits in the path that enables the
contactor: the gate of a BSS138 at the chip's pin of the loop, which an open loop lets go high;
its drain pulls the input of the coil's gate driver to GND (1 kOhm between that input and the
chip).  So an open lid takes the power away though the chip hangs.  A jumper in the drain's line
is pulled on boxes whose `seals.policy` is `report` or `pause`.

One half of a CD4013 for each loop remembers an opening without power.  Its SET goes to the loop
and through 1 MOhm to the battery, so that an open loop sets it; a Schottky diode (anode at the
chip's pin) keeps the chip without power from holding the loop low.  RESET of both halves goes to
`seal_latch_reset`, 100 kOhm to GND; D and CLOCK to GND; Q to the latch's pin.  An open loop wins
over the reset.  The CD4013 takes less than 1 uA, a closed loop 3 uA: a CR2032 (225 mAh) behind a
Schottky diode lasts for three years without mains, a supercapacitor of 1 F for two days.
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
        "Through its diode to the seal loop of the lid, other end to GND: low while the loop is "
        "closed; the internal pull-up is used.",
    ),
    "seal_terminal_cover": (
        33,
        "Through its diode to the seal loop of the terminal cover, other end to GND: low while the "
        "loop is closed; the internal pull-up is used.",
    ),
    "seal_latch_lid": (
        35,
        "From Q of the lid's flip-flop through 100 kΩ, 1 MΩ to GND, which reads as not set where "
        "no latch is fitted; input-only pin.",
    ),
    "seal_latch_terminal_cover": (
        36,
        "From Q of the terminal cover's flip-flop through 100 kΩ, 1 MΩ to GND, which reads as not "
        "set where no latch is fitted; input-only pin.",
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
