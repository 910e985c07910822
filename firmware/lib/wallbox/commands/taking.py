"""From a message to its reply: believed, taken once, done, answered.

Nothing of a message is looked at before its MAC is right. `memory` is the Receiver.
"""

import gc

from micropython import const

from .. import forget
from ..core import clock as core_clock
from ..core import events
from ..core.rules import commands as rule
from ..link import packets
from . import FAILED, NOT_SUPPORTED, REJECTED, envelope

_ANSWERED_MOST = const(5)  # refusals a minute
_MINUTE_MS = const(60_000)
_STRANGERS_MOST = const(3)  # replies that wait
_UNHEARD_MOST = const(0xFFFF)
_HALTED = "the ledger takes nothing; see the status"


def receive(memory, payload, flags: int) -> None:
    """payload: memoryview valid during the call, None if it was too long to be kept."""
    try:
        _receive(memory, payload, flags)
    except envelope.Refused as refused:
        _refuse(memory, refused.args[0], refused.args[1], 0, "")
    except MemoryError:
        _reply(memory, 0, "", FAILED, "no memory for it now: send it again")


def service(memory, now: int, fold: bool) -> None:
    """What waits for a better moment; `fold` the list's blocked tags now."""
    if memory.unheard and now - memory.minute_at >= _MINUTE_MS:
        count, memory.unheard = memory.unheard, 0
        _tell_refused(memory, envelope.WRONG_KEY, count)
    if fold:
        _tag_orders(memory).fold()


def _receive(memory, payload, flags: int) -> None:
    if payload is None:
        raise envelope.Refused(envelope.TOO_LONG, "at most %d bytes" % envelope.LONGEST)
    if flags & packets.RETAIN:
        raise envelope.Refused(envelope.RETAINED, "publish it without the retain flag")
    text = envelope.opened(envelope.key_of(memory.ledger_key), payload)
    gc.collect()  # to understand it takes a few blocks of a kilobyte
    mac = bytes(payload[: envelope.DIGITS])
    memory.used()
    if flags & packets.DUP and mac == memory.last_mac:
        if memory.last_reply and _counted(memory, memory.box.clock.now()):
            _send(memory, memory.last_reply)
        return
    understood = _understood(memory, envelope.parsed(text))
    if not understood:
        return
    head, verb, given = understood
    if flags & packets.DUP and head[0] == memory.box.agent.state.command_counter:
        # taken before a restart that came before the broker heard of it: no attack
        _reply(memory, head[0], verb, REJECTED, "counter: %d was taken; see the ledger" % head[0])
    elif _taken(memory, head, verb):
        memory.last_mac = mac
        memory.last_reply = b""
        memory.doing = (head[0], verb)
        answer = _perform(memory, verb, given)
        if answer:
            _answer(memory, answer[0], answer[1])


def _understood(memory, tree: dict):
    """What verbs.checked() says of a command; None if it was refused."""
    try:
        from . import verbs

        return verbs.checked(tree)
    except envelope.Refused as refused:
        counter, verb = verbs.named(tree)
        _refuse(memory, refused.args[0], refused.args[1], counter, verb)
        return None
    finally:
        forget("wallbox.commands", "verbs")


def _taken(memory, head: list, verb: str) -> bool:
    """The core has the word; otherwise the answer tells why not."""
    agent, now = memory.box.agent, memory.box.clock.now()
    counter = head[0]
    if agent.halted:
        _reply(memory, counter, verb, FAILED, _HALTED)
        return False
    if memory.doing[1]:
        _reply(memory, counter, verb, REJECTED, "%s is not done yet" % memory.doing[1])
        return False
    last = agent.state.command_counter
    agent.take([events.COMMAND] + head, now)
    answer = agent.state.command_answer
    info = _HALTED
    if answer == rule.TAKEN and not agent.halted:
        return True
    if answer == rule.REPLAYED:
        info = "counter: above %d, which was used" % last
    elif answer == rule.STALE:
        info = "here it is %d" % core_clock.utc_s(agent.state, now)
    if _counted(memory, now):
        _reply(memory, counter, verb, REJECTED, info)
    return False


def _perform(memory, verb: str, given: list):
    """(status, info), None if the answer comes later."""
    name = verb.replace("-", "_")
    try:
        if not verb.startswith("tags-"):
            from . import orders

            return getattr(orders, name)(memory.box, given)
        if not memory.box.tags:
            return NOT_SUPPORTED, "no tag reader is fitted"
        return getattr(_tag_orders(memory), name)(given)
    except MemoryError:
        return FAILED, "no memory for it now: order it again"
    finally:
        for module in ("orders", "plans", "settings", "trace_stream"):
            forget("wallbox.commands", module)


def _tag_orders(memory):
    if memory.lists is None:
        from . import tag_orders

        memory.lists = tag_orders.TagOrders(
            memory.box.tags,
            lambda status, info: _answer(memory, status, info),
            memory.box.recheck,
        )
    return memory.lists


def _answer(memory, status: str, info: str) -> None:
    """Of the command that is being done."""
    counter, verb = memory.doing
    memory.doing = (0, "")
    memory.last_reply = _reply(memory, counter, verb, status, info)


def _refuse(memory, reason: int, info: str, counter: int, verb: str) -> None:
    """Answered, unless the places are wanted for who is believed."""
    if _counted(memory, memory.box.clock.now()):
        count, memory.unheard = memory.unheard + 1, 0
        _tell_refused(memory, reason, count)
        status = NOT_SUPPORTED if reason == envelope.UNKNOWN_VERB else REJECTED
        if len(memory.box.link.publisher.offers) < _STRANGERS_MOST:
            _reply(memory, counter, verb, status, info)
    else:
        memory.unheard = min(memory.unheard + 1, _UNHEARD_MOST - 1)


def _counted(memory, now: int) -> bool:
    """Whether one more refusal may be answered in this minute."""
    if now - memory.minute_at >= _MINUTE_MS or not memory.refused:
        memory.minute_at = now
        memory.refused = 0
    memory.refused += 1
    return memory.refused <= _ANSWERED_MOST


def _tell_refused(memory, reason: int, count: int) -> None:
    memory.box.agent.take([events.MESSAGE_REFUSED, reason, count], memory.box.clock.now())


def _reply(memory, counter: int, verb: str, status: str, info: str) -> bytes:
    tree = {"counter": counter, "verb": verb, "status": status, "info": info}
    reply = envelope.closed(envelope.key_of(memory.ledger_key), tree)
    _send(memory, reply)
    return reply


def _send(memory, reply: bytes) -> None:
    publisher = memory.box.link.publisher
    publisher.offer(publisher.reply_topic, _Once(reply).build)


class _Once:
    """One message, then no more."""

    def __init__(self, message: bytes):
        self._message = message

    def build(self, buf) -> int:
        message, self._message = self._message, b""
        buf[: len(message)] = message
        return len(message)
