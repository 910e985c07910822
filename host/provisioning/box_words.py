"""What the box's self-test says, in the words of firmware/lib/wallbox/selftest/.

The box speaks English. A sentence that is listed here is shown in the partner's language; one that
is not is shown as it came.
"""

from __future__ import annotations

from host.provisioning.texts import N_, _

SENTENCES = {
    N_("a car charges"),
    N_("a person must have seen it"),
    N_("a seal loop is open; close lid and terminal cover"),
    N_("a session runs"),
    N_("an unknown make; a test tap tells whether it works"),
    N_("broker.tls is none-in-tests: for a test bench only"),
    N_("check access point, wifi.ssid and wifi.password"),
    N_("check the coil's supply, and the feedback"),
    N_("check the meter's supply, its bus, meter.model and meter.address"),
    N_("check the network's DNS, and broker.host"),
    N_("check the pilot's wire and driver; without car or plug it has +12 V"),
    N_("close it; check its loop and its plug"),
    N_("closed and opened"),
    N_("compare it with the meter's display"),
    N_("current flows past the open contactor; look for a wire behind the meter"),
    N_("hold a tag flat to the reader; try another one"),
    N_("it is not as commanded; check coil, contactor and feedback"),
    N_("look at the lamp: red, green, blue"),
    N_("look at the reader's cable and its supply"),
    N_("never open"),
    N_("no answer"),
    N_("no attempt has ended yet; check the network"),
    N_("no broker"),
    N_("no loops are fitted"),
    N_("no reader is fitted"),
    N_("no reading"),
    N_("not asked for"),
    N_("not connected"),
    N_("not in service: an opened loop would break the seal"),
    N_("only while the box is commissioned, and not in service"),
    N_("open and closed"),
    N_("put the meter right first"),
    N_("red, green, blue"),
    N_("something is plugged in; only at pilot A"),
    N_("stays closed"),
    N_("stays open"),
    N_("switch off at the breaker: it is welded"),
    N_("the collector does not answer, or does not know this box's key"),
    N_("the contactor is faulty; see why"),
    N_("the contactor reports closed; check contactor and feedback"),
    N_("the network gives no address; check its DHCP server"),
    N_("the time server does not answer; check clock.host and the firewall"),
    N_("weak: move the access point, or set up another one"),
}


def in_words(text: str) -> str:
    """The sentence in the chosen language."""
    return _(text) if text in SENTENCES else text
