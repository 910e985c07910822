"""Sends commands to one box and waits for its answers, which it believes by their MAC alone."""

from __future__ import annotations

import json
import queue
import re
import secrets
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from host.collect.broker import BrokerSettings, make_client
from host.send.counter import Counter
from host.send.message import (
    COUNTER_MAX,
    WINDOW_S_MAX,
    Arguments,
    NotBelieved,
    Reply,
    read_reply,
    sign_command,
)

CONNECT_TIMEOUT_S = 10.0
EARLY_S = 60  # the box's clock may be so much behind ours
EVENTS_MAX = 4096
STATUS_BYTES_MAX = 16_384
_TOLD_MAX = 3  # replies that were not believed and are told one by one


class BrokerUnreachable(Exception):
    """One line: the broker cannot be reached, does not let us in, or does not take a command."""


class NoAnswer(Exception):
    """The box did not answer in time; the broker may still hand it the command.

    `until_utc_s`: until when the box would take it. `online`: what its status says, or None.
    `forged`: how many replies came that were not believed.
    """

    def __init__(self, until_utc_s: int, online: bool | None, forged: int) -> None:
        super().__init__("no answer")
        self.until_utc_s = until_utc_s
        self.online = online
        self.forged = forged


@dataclass(frozen=True)
class Event:
    """What came: the last part of its topic, its bytes, whether the broker had kept it."""

    topic: str
    payload: bytes
    kept: bool


class Sender:
    """A connection to the broker for the commands of one box; use it in a `with` block.

    `report` is called with one line about everything that is not as it should be. `trace`, if
    set, gets the payloads of the box's trace topic. `status` is the latest of the box, None before
    the first; `status_live` the latest that the box made with the last command in its hands.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        box: str,
        ledger_key: bytes,
        counter: Counter,
        report: Callable[[str], None] = lambda text: None,
    ) -> None:
        """Raises OSError if a TLS file cannot be read."""
        self.box = box
        self.trace: Callable[[bytes], None] = lambda payload: None
        self.status: dict[str, object] | None = None
        self.status_live: dict[str, object] | None = None
        self._broker = replace(broker, client_id=f"wallbox-send-{secrets.token_hex(6)}")
        self._key = ledger_key
        self._counter = counter
        self._number = 0  # of the last command
        self._report = report
        self._forged = 0
        self._refusal = ""
        self._events: queue.Queue[Event] = queue.Queue(EVENTS_MAX)
        self._ready = threading.Event()  # subscribed, or refused
        self._client = make_client(self._broker, keep_session=False)
        self._client.connect_timeout = CONNECT_TIMEOUT_S
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message

    def __enter__(self) -> Sender:
        """Raises BrokerUnreachable."""
        try:
            self._client.connect(self._broker.host, self._broker.port, self._broker.keep_alive_s)
        except (OSError, ValueError) as error:
            raise BrokerUnreachable(self._broker.absent(error)) from None
        self._client.loop_start()
        in_time = self._ready.wait(CONNECT_TIMEOUT_S)
        if not in_time or self._refusal:
            self._leave()
            raise BrokerUnreachable(self._refusal or self._broker.absent("no answer"))
        return self

    def __exit__(self, *_exception: object) -> None:
        self._leave()

    def order(
        self,
        verb: str,
        arguments: Arguments,
        valid_s: int,
        wait_s: float,
        numbers: int = 1,
        numbered: Callable[[int], Arguments] | None = None,
    ) -> Reply:
        """Send a command and return the box's answer to it.

        `numbers` above 1 reserves so many numbers for it, of which `numbered` makes further
        arguments, given the first. If the box has taken a higher number before, the command goes
        out once more with a number above that. Raises NoAnswer, BrokerUnreachable, MessageWrong,
        KeyStoreError.
        """
        above = 0
        for _ in range(2):
            self._drain()
            self.status_live = None
            began = time.monotonic()
            with self._counter.taken(numbers, above) as first:
                number = self._number = first + numbers - 1
                early_utc_s = int(time.time()) - EARLY_S
                until_utc_s = early_utc_s + min(EARLY_S + valid_s, WINDOW_S_MAX)
                more = numbered(first) if numbered else {}
                payload = sign_command(
                    self._key, number, early_utc_s, until_utc_s, verb, {**arguments, **more}
                )
                self._publish(payload, wait_s, until_utc_s)
            reply = self._answer(number, verb, began + wait_s, until_utc_s)
            above = counter_told(reply)
            if not above:
                break
        return reply

    def wait(self, until: Callable[[], object], wait_s: float) -> bool:
        """Take what comes until `until()` is true; False if it is not within `wait_s`."""
        deadline = time.monotonic() + wait_s
        while not until():
            event = self._next(deadline)
            if event is None:
                return bool(until())
            self._heed(event)
        return True

    def _publish(self, payload: bytes, wait_s: float, until_utc_s: int) -> None:
        sent = self._client.publish(f"wallbox/{self.box}/command", payload, qos=1)
        sent.wait_for_publish(wait_s)
        if not sent.is_published():
            raise BrokerUnreachable(
                f"the broker at {self._broker.name} did not take the command within {wait_s:g} s"
            )

    def _answer(self, number: int, verb: str, deadline: float, until_utc_s: int) -> Reply:
        while (event := self._next(deadline)) is not None:
            reply = self._heed(event)
            if reply is not None and (reply.counter, reply.verb) == (number, verb):
                return reply
        online = self.status.get("online") if self.status else None
        raise NoAnswer(until_utc_s, online if isinstance(online, bool) else None, self._forged)

    def _next(self, deadline: float) -> Event | None:
        try:
            return self._events.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            return None

    def _drain(self) -> None:
        """Takes what came before a command, so that nothing of it looks like its answer."""
        while (event := self._next(0.0)) is not None:
            self._heed(event)

    def _heed(self, event: Event) -> Reply | None:
        if event.topic == "trace":
            self.trace(event.payload)
        elif event.topic == "status":
            self._heed_status(event)
        elif not event.kept:
            return self._heed_reply(event.payload)
        return None

    def _heed_status(self, event: Event) -> None:
        try:
            status = json.loads(event.payload[:STATUS_BYTES_MAX])
        except (ValueError, RecursionError):
            return
        if isinstance(status, dict):
            self.status = status
            taken = status.get("command")
            up_to_date = isinstance(taken, int) and taken >= self._number
            if not event.kept and status.get("online") and up_to_date:
                self.status_live = status

    def _heed_reply(self, payload: bytes) -> Reply | None:
        try:
            reply = read_reply(self._key, payload)
        except NotBelieved as error:
            self._forged += 1
            if self._forged <= _TOLD_MAX:
                self._report(f"a reply in the name of {self.box} is ignored: {error}")
            return None
        if reply.counter == 0:
            self._report(f"{self.box} says of a message that it did not believe: {reply.info}")
        return reply

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()

    # paho's thread

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self._refuse(self._broker.refuses(reason))
            return
        topics = ("reply", "status", "trace")
        client.subscribe([(f"wallbox/{self.box}/{topic}", 1) for topic in topics])

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: object,
        _message_id: int,
        reasons: list[ReasonCode],
        _more: object,
    ) -> None:
        if reasons[0].is_failure:
            self._refuse(
                f"the broker at {self._broker.name} lets us in, but not read "
                f"wallbox/{self.box}/reply; check its ACL"
            )
        self._ready.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, _reason: object, _more: object
    ) -> None:
        if not self._ready.is_set():
            self._refuse(self._broker.silent())

    def _refuse(self, text: str) -> None:
        self._refusal = self._refusal or text
        self._ready.set()

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        event = Event(message.topic.rpartition("/")[2], bytes(message.payload), message.retain)
        try:
            self._events.put_nowait(event)
        except queue.Full:  # whoever waits asks again
            pass


def counter_told(reply: Reply) -> int:
    """The box's own last counter, if the reply refuses ours as too low; 0 if it does not."""
    if reply.status != "Rejected" or "counter" not in reply.info:
        return 0
    last = max((int(digits) for digits in re.findall(r"[0-9]{1,10}", reply.info)), default=0)
    return last if reply.counter <= last < COUNTER_MAX else 0
