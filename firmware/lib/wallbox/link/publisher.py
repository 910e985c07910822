"""What the box tells the operator, and what the operator's acknowledgements mean. No I/O.

The rule of acknowledgement is written down in docs/mqtt.md.
"""

from micropython import const

from . import DELIVERED, LINK_UP, packets
from .session import Session

_SETTLE_MS = const(2000)  # a question is answered only if no progress comes meanwhile
_PATIENCE_MS = const(5000)  # between two answers without progress, doubling
_QUIET_MS = const(60000)  # without any statement before the oldest message goes again, doubling
_LONGEST_MS = const(3600000)
_ECHO_MS = const(5000)  # after a connection with nothing to deliver, doubling
_STATUS_MS = const(1000)
_STATEMENT_LENGTH = const(20)

_OFFERS = const(8)

_OFFLINE = b'{"online":false}'


class Publisher:
    """status: object with build(buf) -> length, or a callable returning JSON bytes.

    report(code) is called with LINK_UP and DELIVERED, each once a connection; on_command(payload,
    flags) for each command, if set; payload is None if it was too long.
    """

    def __init__(self, config, ledger, status, report):
        serial = config["serial"]
        prefix = "wallbox/" + serial
        self.ledger = ledger
        self.build = getattr(status, "build", None) or self._copy
        self.status = status
        self.client_id = packets.field(config.get("client_id") or serial)
        self.user = packets.field(config.get("user") or serial)
        self.password = config.get("password")
        if self.password is not None:
            self.password = packets.field(self.password)
        self.status_topic = packets.field(prefix + "/status")
        self.reply_topic = packets.field(prefix + "/reply")
        self.trace_topic = packets.field(prefix + "/trace")
        self.offers = []  # (topic, build) of what waits to be sent with QoS 0
        self.topics = (packets.field(prefix + "/ack"), packets.field(prefix + "/command"))
        self.session = Session(self, ledger, packets.field(prefix + "/ledger"), config)
        self.report = report
        self.on_command = None
        self.stated = ledger.acknowledged  # by the operator, last
        self.session.cursor = self.stated + 1
        self.asked = False
        self.asked_at = 0
        self.patience_ms = _PATIENCE_MS
        self.rewound_at = None
        self.quiet_ms = _QUIET_MS
        self.quiet_since = 0
        self.echo_ms = _ECHO_MS
        self.probe_last = 0  # last sequence of the message that was sent again, 0 = none
        self.status_wanted = True
        self.status_at = None
        self.subscribed = False
        self.delivered = False  # a statement arrived on this connection
        self.rewinds = 0
        self.probes = 0
        self.ignored = 0  # messages on other topics, commands without a handler
        self.too_long = 0  # statuses that were not published
        self.refused = 0  # statements that are not authentic

    # --- for the session ---

    def hello(self, buf, at):
        return packets.connect(
            buf,
            at,
            self.client_id,
            self.session.keep_alive_ms // 1000,
            self.status_topic,
            packets.field(_OFFLINE),
            self.user,
            self.password,
        )

    def on_connected(self, now):
        self.delivered = self.subscribed = False
        self.status_wanted = True
        self.status_at = None
        self.asked = False
        self.quiet_ms = _QUIET_MS
        self.echo_ms = _ECHO_MS
        self.quiet_since = now

    def on_forgotten(self):
        self._send_from(self.stated + 1)

    def on_subscribed(self):
        self.subscribed = True
        self.report(LINK_UP)
        if self.delivered:
            self.report(DELIVERED)

    def on_publish(self, topic, payload, flags, now):
        if topic == self.topics[0][2:]:
            if payload is None or len(payload) != _STATEMENT_LENGTH:
                self.refused += 1
            else:
                self._statement(bytes(payload), flags, now)
        elif self.on_command and topic == self.topics[1][2:]:
            self.on_command(payload, flags)
        else:
            self.ignored += 1

    # --- what the operator has ---

    def _statement(self, payload, flags, now):
        if not self.ledger.acknowledge_message(payload):
            self.refused += 1
            return
        if not self.delivered:
            self.delivered = True
            if self.subscribed:
                self.report(DELIVERED)
        sequence = int.from_bytes(payload[:4], "little")
        session = self.session
        self.quiet_since = now
        if sequence > self.stated:
            missing = self.probe_last and sequence <= self.probe_last
            self.stated = sequence
            self.asked = False
            self.probe_last = 0
            self.patience_ms = _PATIENCE_MS
            self.quiet_ms = _QUIET_MS
            if missing or session.cursor <= sequence:
                self._send_from(sequence + 1)
        elif not flags & (packets.DUP | packets.RETAIN):
            self.stated = sequence
            if not self.asked and session.cursor > sequence + 1:
                self.asked = True
                self.asked_at = now

    def _send_from(self, sequence):
        self.session.cursor = max(sequence, self.ledger.oldest_sequence)

    def _answer(self, now):
        """The operator asked for what follows its statement."""
        if now - self.asked_at < _SETTLE_MS:
            return
        if self.rewound_at is not None:
            if now - self.rewound_at < self.patience_ms:
                return
            self.patience_ms = min(2 * self.patience_ms, _LONGEST_MS)
        self.asked = False
        self.rewound_at = now
        self.rewinds += 1
        self.session.plain_to = self.session.cursor - 1
        self._send_from(self.stated + 1)

    def _probe(self, now):
        """Everything was sent and nothing is said about it: the oldest message goes again."""
        session = self.session
        cursor = session.cursor
        self.quiet_since = now
        self.quiet_ms = min(2 * self.quiet_ms, _LONGEST_MS)
        session.plain_to = cursor - 1
        self._send_from(self.stated + 1)
        if session.message():
            self.probe_last = session.cursor - 1
            self.probes += 1
        session.cursor = max(cursor, session.cursor)

    def _echo(self, now):
        """Nothing is to be delivered, so nobody says whether it could be: the last record again."""
        session = self.session
        self.quiet_since = now
        self.echo_ms = min(2 * self.echo_ms, _LONGEST_MS)
        if self.stated and self.stated >= self.ledger.oldest_sequence:
            session.plain_to = max(session.plain_to, self.stated)
            session.cursor = self.stated
            session.message()
            session.cursor = max(session.cursor, self.stated + 1)

    # --- time ---

    def service(self, now):
        """What time brings; call before `session.fill`."""
        session = self.session
        if not session.up:
            return
        if self.status_wanted and (
            self.status_at is None or now - self.status_at >= _STATUS_MS
        ):
            if session.publish(self.status_topic, packets.RETAIN, self.build):
                self.status_wanted = False
                self.status_at = now
        if self.offers:
            self._send_offers()
        if self.asked:
            self._answer(now)
        if session.count:
            # what goes out now asks the operator as well as a repetition would
            self.quiet_since = now
        elif session.cursor > self.stated + 1:
            if now - self.quiet_since >= self.quiet_ms:
                self._probe(now)
        elif self.subscribed and not self.delivered and now - self.quiet_since >= self.echo_ms:
            self._echo(now)

    def offer(self, topic, build):
        """Messages of QoS 0, as long as build(buf) -> length writes some. False: too many wait."""
        if len(self.offers) == _OFFERS:
            return False
        self.offers.append((topic, build))
        return True

    def _send_offers(self):
        """In turns, a message each, as far as there is room."""
        session = self.session
        while self.offers:
            offer = self.offers[0]
            before = session.end
            if not session.publish(offer[0], 0, offer[1]):
                return
            self.offers.pop(0)
            if session.end != before:
                self.offers.append(offer)

    def farewell(self):
        """Takes leave: `up` no more, so nothing goes out behind it. False if not connected."""
        session = self.session
        if not session.up:
            return False
        session.publish(self.status_topic, packets.RETAIN, self._offline)
        session.disconnect()
        return True

    def _offline(self, buf):
        buf[: len(_OFFLINE)] = _OFFLINE
        return len(_OFFLINE)

    def _copy(self, buf):
        data = self.status()
        if len(data) > len(buf):
            self.too_long += 1
            return 0
        buf[: len(data)] = data
        return len(data)
