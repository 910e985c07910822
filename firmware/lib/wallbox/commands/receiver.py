"""From a message on the command topic to its reply: believed, taken once, done, answered.

Nothing of a message is looked at before its MAC is right. What it takes to understand and to do it
is imported for it, and forgotten.
"""

from micropython import const

from .. import forget
from ..core import clock as core_clock
from ..core import events
from ..core.rules import commands as rule
from ..link import packets
from . import FAILED, REJECTED, envelope

_ANSWERED_MOST = const(5)  # refusals a minute
_MINUTE_MS = const(60_000)
_UNHEARD_MOST = const(0xFFFF)


class Receiver:
    """box: as box.py. ledger_key: 32 bytes."""

    def __init__(self, box, ledger_key: bytes):
        self._box = box
        self._key = envelope.key_of(ledger_key)
        self._lists: list = []  # who takes lists of tags, once one has come
        self._minute_at = -_MINUTE_MS
        self._refused = 0  # in this minute
        self._unheard = 0  # of them, those that the core was not told of
        self._last_mac = b""  # of the command taken last, and what it was answered
        self._last_reply = b""
        self._doing = (0, "")  # counter and verb of a command that is not answered yet

    def receive(self, payload, flags: int) -> None:
        """payload: memoryview valid during the call, None if it was too long to be kept."""
        try:
            self._receive(payload, flags)
        except envelope.Refused as refused:
            self._refuse(refused.args[0], refused.args[1])
        except MemoryError:
            self._reply(0, "", FAILED, "no memory for it now: send it again")

    def service(self, now: int) -> None:
        """Call now and then."""
        if self._unheard and now - self._minute_at >= _MINUTE_MS:
            self._tell_refused(envelope.WRONG_KEY, self._unheard)
            self._unheard = 0
        if self._box.tags and not self._doing[1] and self._box.tags.tags.blocks:
            self._tag_orders().fold()

    def _receive(self, payload, flags: int) -> None:
        if payload is None:
            raise envelope.Refused(envelope.TOO_LONG, "at most %d bytes" % envelope.LONGEST)
        if flags & packets.RETAIN:
            raise envelope.Refused(envelope.RETAINED, "publish it without the retain flag")
        text = envelope.opened(self._key, payload)
        mac = bytes(payload[:64])
        if flags & packets.DUP and mac == self._last_mac:
            if self._last_reply:
                self._send(self._last_reply)
            return
        try:
            from . import verbs

            counter, from_utc_s, until_utc_s, verb, given = verbs.checked(envelope.parsed(text))
        finally:
            forget("wallbox.commands", "verbs")
        if self._taken(counter, from_utc_s, until_utc_s, verb):
            self._last_mac = mac
            self._last_reply = b""
            self._do(counter, verb, given)

    def _taken(self, counter: int, from_utc_s: int, until_utc_s: int, verb: str) -> bool:
        """The core has the word; otherwise the answer tells why not."""
        agent, now = self._box.agent, self._box.clock.now()
        if agent.halted:
            self._reply(counter, verb, FAILED, "the ledger takes nothing; see the status")
            return False
        if self._doing[1]:
            self._reply(counter, verb, REJECTED, "%s is not done yet" % self._doing[1])
            return False
        last = agent.state.command_counter
        agent.take([events.COMMAND, counter, from_utc_s, until_utc_s, _number(verb)], now)
        answer = agent.state.command_answer
        if answer == rule.TAKEN and not agent.halted:
            return True
        if answer == rule.REPLAYED:
            info = "counter: above %d, which was used" % last
        elif answer == rule.STALE:
            info = "here it is %d" % core_clock.utc_s(agent.state, now)
        else:
            info = "the ledger takes nothing; see the status"
        if self._counted(now):
            self._reply(counter, verb, REJECTED, info)
        return False

    def _do(self, counter: int, verb: str, given: list) -> None:
        self._doing = (counter, verb)
        try:
            answer = self._perform(verb, given)
        except MemoryError:
            answer = FAILED, "no memory for it now: order it again"
        if answer:
            self._answer(answer[0], answer[1])

    def _perform(self, verb: str, given: list):
        if verb.startswith("tags-"):
            if not self._box.tags:
                from . import NOT_SUPPORTED

                return NOT_SUPPORTED, "no tag reader is fitted"
            return getattr(self._tag_orders(), verb.replace("-", "_"))(given)
        try:
            from . import orders

            return getattr(orders, verb.replace("-", "_"))(self._box, given)
        finally:
            for name in ("orders", "plans", "settings"):
                forget("wallbox.commands", name)
            forget("wallbox.core", "codes")

    def _tag_orders(self):
        if not self._lists:
            from . import tag_orders

            orders = tag_orders.TagOrders(self._box.tags, self._answer, self._box.recheck)
            self._lists.append(orders)
        return self._lists[0]

    def _answer(self, status: str, info: str) -> None:
        """Of the command that is being done."""
        counter, verb = self._doing
        self._doing = (0, "")
        self._last_reply = self._reply(counter, verb, status, info)

    def _refuse(self, reason: int, info: str) -> None:
        now = self._box.clock.now()
        if self._counted(now):
            count, self._unheard = self._unheard + 1, 0
            self._tell_refused(reason, count)
            self._reply(0, "", REJECTED, info)
        else:
            self._unheard = min(self._unheard + 1, _UNHEARD_MOST - 1)

    def _counted(self, now: int) -> bool:
        """Whether one more refusal may be answered in this minute."""
        if now - self._minute_at >= _MINUTE_MS:
            self._minute_at = now
            self._refused = 0
        self._refused += 1
        return self._refused <= _ANSWERED_MOST

    def _tell_refused(self, reason: int, count: int) -> None:
        self._box.agent.take([events.MESSAGE_REFUSED, reason, count], self._box.clock.now())

    def _reply(self, counter: int, verb: str, status: str, info: str) -> bytes:
        tree = {"counter": counter, "verb": verb, "status": status, "info": info}
        reply = envelope.closed(self._key, tree)
        self._send(reply)
        return reply

    def _send(self, reply: bytes) -> None:
        publisher = self._box.link.publisher
        publisher.offer(publisher.reply_topic, _Once(reply).build)


class _Once:
    """One message, then no more."""

    def __init__(self, message: bytes):
        self._message = message

    def build(self, buf) -> int:
        message, self._message = self._message, b""
        buf[: len(message)] = message
        return len(message)


def _number(verb: str) -> int:
    """As in codes.py; what changes nothing that lasts is above."""
    from ..core import codes

    try:
        if verb in codes.COMMAND_VERBS:
            return codes.COMMAND_VERBS.index(verb)
        return rule.LIGHT
    finally:
        forget("wallbox.core", "codes")
