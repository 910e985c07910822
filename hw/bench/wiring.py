"""What each relay of a bench switches: the table from which page, drawings and checks are made.

Pilot resistors as IEC 61851-1, annex A: 2.74 kOhm makes B; 1.30 kOhm beside it (882 Ohm
together) makes C; 270 Ohm beside it (246 Ohm together) makes D; all behind the car's diode.
"""

from __future__ import annotations

from dataclasses import dataclass

NORMALLY_OPEN = "NO"
NORMALLY_CLOSED = "NC"


@dataclass(frozen=True)
class Relay:
    """`contact`: which of the changeover's contacts is used; NC conducts while the coil is off.

    `capability`: what the rig can do once all relays of that name are there. `ends`: the two
    ends of the switched wire. `ohm`: a resistor in series, 0 for none. `pin`: the function of
    the board (`hw/boards`) that it works on, if it reaches one.
    """

    contact: str
    capability: str
    ends: tuple[str, str]
    wiring: str
    ohm: int = 0
    pin: str = ""


RELAYS = {
    "mains": Relay(
        NORMALLY_OPEN,
        "mains",
        ("24 V", "coil of the supply contactor"),
        "24 V to the coil of the contactor that feeds the box. An electrician wires the "
        "contactor's main contacts; the relay switches the coil alone.",
    ),
    "pilot_b": Relay(
        NORMALLY_OPEN,
        "car",
        ("car diode, cathode", "PE"),
        "Through 2.74 kΩ from the cathode of the car's diode to PE: the car is plugged in.",
        2740,
        "pilot_adc",
    ),
    "pilot_c": Relay(
        NORMALLY_OPEN,
        "car",
        ("car diode, cathode", "PE"),
        "Through 1.30 kΩ, beside the first: the car asks for power.",
        1300,
        "pilot_adc",
    ),
    "pilot_d": Relay(
        NORMALLY_OPEN,
        "ventilation",
        ("car diode, cathode", "PE"),
        "Through 270 Ω, beside the first: the car asks for power and ventilation.",
        270,
        "pilot_adc",
    ),
    "diode_bridge": Relay(
        NORMALLY_OPEN,
        "diode",
        ("CP", "car diode, cathode"),
        "Across the car's diode (a signal diode, anode to CP): bridged, it is no car.",
        0,
        "pilot_adc",
    ),
    "pilot_short": Relay(
        NORMALLY_OPEN,
        "short",
        ("CP", "PE"),
        "From CP to PE: the pilot is shorted.",
        0,
        "pilot_adc",
    ),
    "seal_lid": Relay(
        NORMALLY_CLOSED,
        "seal",
        ("seal loop of the lid", "GND of the box"),
        "In series with the seal loop of the lid, which is closed while the bench is off.",
        0,
        "seal_lid",
    ),
    "seal_terminal_cover": Relay(
        NORMALLY_CLOSED,
        "seal_terminal_cover",
        ("seal loop of the terminal cover", "GND of the box"),
        "In series with the seal loop of the terminal cover, closed while the bench is off.",
        0,
        "seal_terminal_cover",
    ),
    "access_point": Relay(
        NORMALLY_CLOSED,
        "net",
        ("supply of the access point, +", "access point, +"),
        "In the low-voltage supply of the access point, which runs while the bench is off.",
    ),
    "tag": Relay(
        NORMALLY_OPEN,
        "tag",
        ("supply of the actuator, +", "actuator, +"),
        "In the supply of a solenoid (or a servo with a two-position controller) that holds the "
        "tag to the reader while it is energised.",
    ),
}

INPUTS = {
    "contactor": Relay(
        NORMALLY_OPEN,
        "contactor",
        ("24 V", "input of the relay board"),
        "24 V through a free auxiliary contact of the box's contactor (NO) to an input of the "
        "relay board: on while the contactor is closed.",
        0,
        "contactor_feedback",
    ),
}

# the pilot first, so that the box ends what runs before its supply goes
ORDER_TO_REST = (
    *("pilot_c", "pilot_d", "pilot_b", "diode_bridge", "pilot_short", "tag"),
    *("seal_lid", "seal_terminal_cover", "access_point", "mains"),
)


def capability_relays(capability: str) -> list[str]:
    """The relays and inputs that a capability needs."""
    table = {**RELAYS, **INPUTS}
    return [name for name, relay in table.items() if relay.capability == capability]
