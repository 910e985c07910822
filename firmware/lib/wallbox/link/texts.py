"""One line for each state of the link: what, where, what to do. Imported when somebody asks."""

from . import (
    DELIVERED,
    LATE_ACK,
    LINK_UP,
    LOST,
    MALFORMED,
    NO_ADDRESS,
    NO_BROKER,
    NO_WIFI,
    REFUSED,
    STORE_FAILED,
    TLS_FAILED,
)

_TEXTS = {
    LINK_UP: "connected",
    DELIVERED: "the operator answers",
    NO_WIFI: "no Wi-Fi: check access point, wifi.ssid and wifi.password",
    NO_ADDRESS: "the name has no address: check DNS and broker.host",
    NO_BROKER: "nobody answers: check broker.host, broker.port and the firewall",
    REFUSED: "refused: ",
    TLS_FAILED: "no trust: check broker.ca, the broker's name and certificate, and the clock",
    LOST: "connection lost: check the network",
    LATE_ACK: "the broker keeps silent, connection dropped: check network and broker",
    MALFORMED: "the broker breaks the protocol, connection dropped: check broker.port",
}

# CONNACK codes of MQTT 3.1.1, 3.2.2.3, and 128 = SUBACK failure
_REFUSALS = {
    1: "it does not speak MQTT 3.1.1",
    2: "client id not allowed: check serial",
    3: "not available now",
    4: "bad user or password: check broker.user and broker.password",
    5: "not authorised: check broker.user, broker.password and the broker's ACL",
    128: "subscription not allowed: check the broker's ACL",
}


def explain(link, code: int) -> str:
    """What `code` means for this link; the records stay in the ledger whatever it is."""
    transport = link.transport
    if code == STORE_FAILED:
        return "store: %s" % link.detail
    text = _TEXTS[code]
    if code == REFUSED:
        text += _REFUSALS.get(link.detail, str(link.detail))
    elif code == TLS_FAILED:
        text += " (%s: %s)" % (type(link.detail).__name__, link.detail)
    return "link to %s:%d: %s" % (transport.config["host"], transport.port, text)
