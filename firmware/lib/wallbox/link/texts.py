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
    TLS_FAILED: "no trust: ",
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

# how the TLS library says what it holds against the broker's certificate -> what to do
_DISTRUST = (
    ("not correctly signed", "the broker's certificate is not signed by broker.ca"),
    ("does not match", "the broker's certificate is for another name: check broker.host"),
    ("expired", "the broker's certificate has expired: renew it, or the box's clock is wrong"),
    ("in the future", "no time yet to check the broker's certificate: check clock.host"),
)
_ALERT = "-30592"  # a fatal alert of the broker; which one is not told
_NOT_FOUND = 2  # errno of a file


def _no_trust(detail, config):
    said = " ".join(str(detail).split())
    reasons = [reason for sign, reason in _DISTRUST if sign in said]
    own = "psk_identity and broker.psk_key" if config.get("psk_key") else "certificate"
    if reasons:
        text = "; ".join(reasons)
    elif _ALERT in said:
        text = "the broker refuses the box: check broker.%s" % own
    elif isinstance(detail, str) or isinstance(detail, OSError) and detail.errno != _NOT_FOUND:
        text = "no handshake: check broker.%s; does broker.port speak TLS?" % own
    else:
        text = "check broker.tls and what the keys beside it name"
    return "%s (%s: %s)" % (text, type(detail).__name__, said)


def explain(link, code: int) -> str:
    """What `code` means for this link; the records stay in the ledger whatever it is."""
    transport = link.transport
    if code == STORE_FAILED:
        return "store: %s" % link.detail
    text = _TEXTS[code]
    if code == REFUSED:
        text += _REFUSALS.get(link.detail, str(link.detail))
    elif code == TLS_FAILED:
        text += _no_trust(link.detail, transport.config)
    return "link to %s:%d: %s" % (transport.config["host"], transport.port, text)
