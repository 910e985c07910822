"""From the radio to a record that the operator has acknowledged."""

import socket

import network as radio
from micropython import const

from ..core import clock, events
from . import FAIL, PASS, SKIP

_WEAK_DBM = const(-80)
_CONNECT_MS = const(15_000)
_ACKNOWLEDGE_MS = const(20_000)


async def wifi(run) -> tuple:
    driver = run.box.wifi
    if not await run.wait(lambda: driver.up, _CONNECT_MS):
        return FAIL, "not connected", None, "check access point, wifi.ssid and wifi.password"
    dbm = driver.signal_dbm()
    do = "weak: move the access point, or set up another one" if dbm < _WEAK_DBM else ""
    return (FAIL if do else PASS), "%d dBm" % dbm, {"dbm": dbm}, do


async def address(run) -> tuple:
    if not run.box.wifi.up:
        return SKIP, "", None, "no Wi-Fi"
    own = radio.WLAN(radio.WLAN.IF_STA).ifconfig()[0]
    if own == "0.0.0.0":
        return FAIL, own, None, "the network gives no address; check its DHCP server"
    return PASS, own, {"address": own}, ""


async def dns(run) -> tuple:
    """Blocks as long as the DNS server takes, so never while a car charges."""
    box = run.box
    if not box.wifi.up or box.charging():
        return SKIP, "", None, "a car charges" if box.wifi.up else "no Wi-Fi"
    host = box.link.transport.config["host"]
    try:
        found = socket.getaddrinfo(host, box.link.transport.port)[0][-1]
    except OSError as error:
        return FAIL, "no address (%s)" % error, None, "check the network's DNS, and broker.host"
    shown = found[0] if isinstance(found, tuple) else "found"
    return PASS, "%s: %s" % (host, shown), {"address": shown}, ""


async def time(run) -> tuple:
    box = run.box
    state = box.agent.state

    def synchronised() -> bool:
        return state.clock_quality == events.SYNCHRONISED

    if not await run.wait(synchronised, _CONNECT_MS):
        do = "the time server does not answer; check clock.host and the firewall"
        return FAIL, "quality %s" % events.QUALITY[state.clock_quality], None, do
    utc_s = clock.utc_s(state, box.clock.now())
    return PASS, "%d s UTC" % utc_s, {"utc_s": utc_s}, ""


async def tls(run) -> tuple:
    link = run.box.link
    if not link.transport.config["tls"]:
        return SKIP, "", None, "broker.tls is none-in-tests: for a test bench only"
    if await run.wait(lambda: link.up, _CONNECT_MS):
        return PASS, "proved", None, ""
    return FAIL, "not connected", None, _outage(link)


async def broker(run) -> tuple:
    link = run.box.link
    if await run.wait(lambda: link.up, _CONNECT_MS):
        return PASS, "%s:%d" % (link.transport.config["host"], link.transport.port), None, ""
    return FAIL, "not connected", None, _outage(link)


def _outage(link) -> str:
    if not link.outage:
        return "no attempt has ended yet; check the network"
    from .. import forget
    from ..link import texts

    text = texts.explain(link, link.outage)
    forget("wallbox.link", "texts")
    return text


async def acknowledged(run) -> tuple:
    """What was the newest record when the self-test began."""
    ledger = run.box.ledger
    values = {"sequence": run.sequence}
    if not run.box.link.up:
        return SKIP, "", values, "no broker"
    if await run.wait(lambda: ledger.acknowledged >= run.sequence, _ACKNOWLEDGE_MS):
        return PASS, "record %d" % run.sequence, values, ""
    measured = "%d of %d" % (ledger.acknowledged, run.sequence)
    return FAIL, measured, values, "the collector does not answer, or does not know this box's key"
