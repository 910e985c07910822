# The operator: orders, signed as docs/commands.md has it, and puts right what can be from afar.

from binascii import hexlify

from host.years.on_box.macs import Mac

WINDOW_S = 3600


class Operator:
    """state(): what the status tells, here the core's own state, None while nothing is known."""

    def __init__(self, site, key):
        self.site = site
        self.mac = Mac(Mac(key).digest(b"commands"))
        self.counter = 0
        self.sent = 0
        self.replies = 0
        self.last = b""
        self.seals = 1000

    def order(self, verb, arguments=""):
        self.counter += 1
        self._send(self.signed(self.counter, verb, arguments, 0))

    def signed(self, counter, verb, arguments, shift_s):
        utc_s = self.site.utc_ms() // 1000 + shift_s
        text = '{"counter":%d,"from_utc_s":%d,"until_utc_s":%d,"verb":"%s","with":{%s}}' % (
            counter, utc_s - WINDOW_S, utc_s + WINDOW_S, verb, arguments,
        )  # fmt: skip
        return self._closed(text.encode())

    def _closed(self, text):
        return hexlify(self.mac.digest(b"command\x00" + text)) + b" " + text

    def _send(self, message):
        self.sent += 1
        self.last = message
        self.site.broker.send(b"/command", message)

    def hostile(self, way):
        """What is no order of ours, or no fresh one."""
        site = self.site
        if way == 0 and self.last:
            site.broker.send(b"/command", self.last)
        elif way == 1:
            message = self.signed(self.counter + 5, "opt-out", '"on":true', 0)
            site.broker.send(b"/command", b"0" * 8 + message[8:])
        elif way == 2:
            site.broker.send(b"/command", b"{" * 300)
        elif way == 3:  # of another box
            stranger = Operator(site, b"another key")
            stranger.counter = self.counter + 9
            site.broker.send(b"/command", stranger.signed(stranger.counter, "stop", "", 0))
        elif way == 4:  # in time again, much too late
            self.counter += 1
            self._send(self.signed(self.counter, "reboot", '"force":true', -500_000))
        elif way == 5:
            self.counter += 1
            self._send(self._closed(b'{"counter":%d,"verb":"limit"}' % self.counter))
        elif way == 6:  # statements: forged, an old one, noise
            last, mac = site.broker.seen
            site.broker.send(b"/ack", last.to_bytes(4, "little") + mac + bytes(8))
        elif way == 7:
            site.broker.send(b"/ack", site.old_statement)
        elif way == 8:
            site.broker.send_raw(bytes((0x30, 2, 0, 9)))
        else:
            site.broker.send_raw(bytes((0x40, 2, 0x12, 0x34)))

    def replied(self, message):
        self.replies += 1

    def attend(self, state):
        """What a person at the operator's does who reads the status."""
        self.counter = max(self.counter, state.command_counter)
        if state.meter_exchanged or state.meter_refused and state.meter_seen:
            if self.site.bus.meter.fault == 0:
                self.order("approve-meter", '"meter_id":%d' % state.meter_seen)
        if state.seal_broken and not state.seal_open:
            self.seals += 2
            self.order("seal", '"numbers":"%d %d"' % (self.seals, self.seals + 1))
        if state.moved and not self.site.net.elsewhere:
            self.order("approve-place")
        if state.lifecycle in (3, 4) and not state.leaving:
            self.order("lifecycle", '"after":"in service"')
