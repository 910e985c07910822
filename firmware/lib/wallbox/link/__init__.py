"""The link: from the ledger over MQTT 3.1.1 to the operator, and back."""

from micropython import const

# What the link reports; docs/mqtt.md says what each means and what to do.
LINK_UP = const(1)
DELIVERED = const(2)
NO_WIFI = const(3)
NO_ADDRESS = const(4)
NO_BROKER = const(5)
REFUSED = const(6)
TLS_FAILED = const(7)
LOST = const(8)
LATE_ACK = const(9)
MALFORMED = const(10)
STORE_FAILED = const(11)


class LinkError(Exception):
    """The peer broke the link. args: code as above, detail (text, CONNACK code or errno)."""
