"""What the box says, in its own words: self-test, meter, link, configuration, refused orders.

The box speaks English, and so do the lines that the laptop adds to its self-test. A sentence that
is listed here is shown in the partner's language; one that is not is shown as it came.
"""

from __future__ import annotations

import functools
import re

from host.provisioning.texts import N_, chosen, translated

# firmware/lib/wallbox/selftest/; a {name} stands for what is put in
OF_SELF_TEST = (
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
    N_("closed"),
    N_("closed and opened"),
    N_("compare it with the meter's display"),
    N_("current flows past the open contactor; look for a wire behind the meter"),
    N_("hold a tag flat to the reader; try another one"),
    N_("it is not as commanded; check coil, contactor and feedback"),
    N_("lid"),
    N_("look at the lamp: red, green, blue"),
    N_("look at the reader's cable and its supply"),
    N_("never open"),
    N_("no answer"),
    N_("no attempt has ended yet; check the network"),
    N_("no broker"),
    N_("no loops are fitted"),
    N_("no reader is fitted"),
    N_("no reading"),
    N_("no tag"),
    N_("no Wi-Fi"),
    N_("not asked for"),
    N_("not connected"),
    N_("not in service: an opened loop would break the seal"),
    N_("only while the box is commissioned, and not in service"),
    N_("open"),
    N_("open and closed"),
    N_("proved"),
    N_("put the meter right first"),
    N_("red, green, blue"),
    N_("something is plugged in; only at pilot A"),
    N_("stays closed"),
    N_("stays open"),
    N_("switch off at the breaker: it is welded"),
    N_("terminal cover"),
    N_("the collector does not answer, or does not know this box's key"),
    N_("the contactor is faulty; see why"),
    N_("the contactor reports closed; check contactor and feedback"),
    N_("the network gives no address; check its DHCP server"),
    N_("the time server does not answer; check clock.host and the firewall"),
    N_("weak: move the access point, or set up another one"),
    N_("open: {names}"),
    N_("open the {name}, and close it again"),
    N_("{name}: its loop does not open; is it bridged?"),
    N_("{name}: its loop does not close; check loop and plug"),
    N_("hold a tag to the reader within {seconds} s"),
    N_("{phases}: 207 to 253 V are right; check breaker and terminals"),
    N_("no address ({error})"),
    N_("version 0x{version}"),
    N_("{count} bytes"),
    N_("record {number}"),
    N_("{number} of {wanted}"),
    N_("quality {letter}"),
)

# step_test_people.py
OF_PEOPLE = (
    N_("at {position} another voltage is measured: look at the plug, then at the pilot's wire and "
       "driver"),
    N_("box {found}, display {told}"),
    N_("box {found}, meter {told}"),
    N_("look at the lamp's cable and supply"),
    N_("look at the wiring: the box reads another meter"),
    N_("nobody was asked"),
    N_("not asked for; --test-plug asks for it"),
    N_("not seen"),
    N_("read the display again; look at model and address"),
    N_("set the test plug to {position} within {seconds} s"),
    N_("take the test plug out within {seconds} s"),
    N_("take the test plug out, then repeat the command"),
    N_("this meter does not tell its serial"),
)

# drivers/meter_texts.py
OF_METER = (
    N_("no answer: check address, baud rate, parity N/E, and A/B swapped"),
    N_("answers are spoiled on the wire: check A/B, termination, shield, baud rate"),
    N_("another address answers: check the address set on the meter"),
    N_("not the answer that was asked for: two meters with one address?"),
    N_("the meter refuses the request: check that the map is the meter's"),
    N_("bytes without sense on the bus: check A/B, termination, shield"),
    N_("the UART refuses to send: check the board's pins"),
    N_("a value is no number: check that the map is the meter's"),
    N_("a value is physically impossible: check that the map is the meter's"),
    N_("the meter does not measure a value that is needed: check its model"),
    N_("power, current and register do not fit each other: check the map"),
    N_("register went back: meter reset or exchanged? the operator must accept it"),
    N_("register has rolled over: the operator must accept it"),
    N_("register rose more than can be drawn: check the meter, or accept it"),
    N_("register does not follow the power: frozen, or the meter is wired backwards"),
    N_("two readings in a row never agree: check the meter"),
    N_("not the configured model or serial: check meter and configuration"),
    N_("it is not the meter of the ledger: the operator must accept it"),
    N_("meter {model}, address {address}, {baud} baud 8{parity}1: {name}: {text}"),
    N_("exception {number}; {text}"),
    N_("{new} Wh after {old} Wh; {text}"),
    N_("found {vendor} {model} serial {serial}; {text}"),
)

# link/texts.py
OF_LINK = (
    N_("no Wi-Fi: check access point, wifi.ssid and wifi.password"),
    N_("the name has no address: check DNS and broker.host"),
    N_("nobody answers: check broker.host, broker.port and the firewall"),
    N_("connection lost: check the network"),
    N_("the broker keeps silent, connection dropped: check network and broker"),
    N_("the broker breaks the protocol, connection dropped: check broker.port"),
    N_("it does not speak MQTT 3.1.1"),
    N_("client id not allowed: check serial"),
    N_("not available now"),
    N_("bad user or password: check broker.user and broker.password"),
    N_("not authorised: check broker.user, broker.password and the broker's ACL"),
    N_("subscription not allowed: check the broker's ACL"),
    N_("the broker's certificate is not signed by broker.ca"),
    N_("the broker's certificate is for another name: check broker.host"),
    N_("the broker's certificate has expired: renew it, or the box's clock is wrong"),
    N_("no time yet to check the broker's certificate: check clock.host"),
    N_("the broker refuses the box: check broker.{key}"),
    N_("no handshake: check broker.{key}; does broker.port speak TLS?"),
    N_("check broker.tls and what the keys beside it name"),
    N_("link to {place}: {text}"),
    N_("refused: {text}"),
    N_("no trust: {text} ({error}: {said})"),
)

# config.py
OF_CONFIGURATION = (
    N_("a divisor of 3600, as 900"),
    N_("a text of 8 to 63 characters, or none for an open network"),
    N_("a text without control characters"),
    N_("letters A-Z and a-z, digits and - alone"),
    N_("a text of {least} to {most} characters"),
    N_("a whole number from {least} to {most}"),
    N_("one of {choices}"),
    N_("at most breaker_a, {breaker_a}"),
    N_("{key}: {value} is wrong; right is {right}"),
)

# console/partner.py, console/desk.py
OF_ORDERS = (
    N_("not from where it is; see lifecycle in the identity"),
    N_("the ledger takes nothing; see the status"),
    N_("no memory for it now: order it again"),
    N_("ended by a logout"),
)

_SENTENCES = frozenset(
    (*OF_SELF_TEST, *OF_PEOPLE, *OF_METER, *OF_LINK, *OF_CONFIGURATION, *OF_ORDERS)
)
_DEPTH_MAX = 4  # a link's text holds a refusal's text, and so on


@functools.cache
def _templates() -> tuple[tuple[re.Pattern[str], str], ...]:
    """Patterns of the sentences with values, the longest first: the most exact one counts."""
    found = []
    for message in sorted(_SENTENCES, key=len, reverse=True):
        if "{" in message:
            pattern = re.sub(r"\\{(\w+)\\}", r"(?P<\1>.*?)", re.escape(message))
            found.append((re.compile(pattern), message))
    return tuple(found)


def in_words(text: str, language: str = "", depth: int = 0) -> str:
    """The box's sentence in that language, else in the chosen one; also what is put into it."""
    language = language or chosen()
    if text in _SENTENCES:
        return translated(language, text)
    if depth == _DEPTH_MAX:
        return text
    for pattern, message in _templates():
        found = pattern.fullmatch(text)
        if found:
            values = {name: _value(value, language, depth)
                      for name, value in found.groupdict().items()}
            return translated(language, message, **values)
    return text


def _value(text: str, language: str, depth: int) -> str:
    whole = in_words(text, language, depth + 1)
    if whole != text or ", " not in text:
        return whole
    return ", ".join(in_words(one, language, depth + 1) for one in text.split(", "))
