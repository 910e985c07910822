"""The wire between the world and the simulated chip: packets of eight bytes.

Every packet is `<BBHi`: what, a, b, c.  The other end is `modules/_wire.py`.  The socket is a
`SOCK_SEQPACKET` pair, so a packet is whole or absent, and what a box told before it was killed
is still read.  Longer data (`BYTES`) follow their head packet in packets of eight raw bytes.
"""

from __future__ import annotations

import struct

PACKET = struct.Struct("<BBHi")
PINS = 40
NO_PIN = 255

# world -> chip
LEVEL = 1  # a pin, c level: 0, 1, or 2 when nothing drives the pin
ANALOG_HIGH = 2  # a pin, b output that shapes the signal or NO_PIN, c microvolts while it is high
ANALOG_LOW = 3  # a pin, c microvolts while that output is low
WLAN_STATUS = 4  # c status as `network.WLAN.status()` gives it
WLAN_RSSI = 5  # c dBm
CLOCK_OFFSET = 6  # c seconds to subtract from unix time to get the chip's own time
PORT = 7  # b port that the firmware names, c port on 127.0.0.1; 0: unreachable
HEAD = 8  # a kind, b length; the bytes follow
READY = 9  # everything that the chip must know to go on has been sent
CUT = 10  # c flash operations until the power goes, half-way through one
CAUSE = 11  # c reset cause
RAW = 12  # c 1: skip main.py, a raw REPL follows
SPEED = 13  # c how much faster than the world's the chip's clock runs
NUDGE = 14  # wakes a waiting chip: Ctrl-C was typed

# chip -> world
OUT = 1  # a pin, b mode, c level
PWM = 2  # a pin, b duty of 65536 (65535: always on), c Hz
WDT = 3  # c time-out in ms
FEED = 4
RESET = 5  # a kind: 0 power cut asked for by CUT, else the reset cause that follows
BOOTED = 6  # boot.py and main.py are over; waits for READY, then the REPL begins
UART = 7  # a number, b bits | stop bits << 4 | parity << 8, c baud
FLASH = 8  # a 0 program: b length, c address; a 1 erase: c sector
JOIN = 9  # a 1 connect, 2 leave, 3 scan: NETWORKS are awaited
CLOCK = 10  # c new CLOCK_OFFSET
DROPPED = 11  # a 0 interrupt of pin b, 1 UART characters; c how many
SPI = 12  # a number, b length; the bytes follow, an answer of that length is awaited
MEMORY = 13  # kind of BYTES: RTC memory
HEAP = 14  # c bytes of the heap that the simulation itself takes
BYTES = 15  # a kind, b length; the bytes follow

# kinds of HEAD and BYTES
RTC_MEMORY = 0
UNIQUE_ID = 1
SPI_ANSWER = 2
NETWORKS = 3  # what a scan finds: name with its length before it, BSSID, channel, -dBm, security

FLOATING = 2

PWRON_RESET = 1
HARD_RESET = 2
WDT_RESET = 3
SOFT_RESET = 5
POWER_CUT = 0


def packets(kind: int, data: bytes) -> list[bytes]:
    """Head and body packets of a longer message."""
    body = [data[i : i + 8].ljust(8, b"\0") for i in range(0, len(data), 8)]
    return [PACKET.pack(HEAD, kind, len(data), 0), *body]
