"""The collector: MQTT in, database, acknowledgement out.

Order is everything here: a message is judged and committed, then the box's acknowledgement is
published, and only then the broker gets its PUBACK. Whatever stops in between makes the broker or
the box send again, and what comes again is recognised. The broker keeps the session while the
collector is away (fixed client id, clean session off).
"""

from __future__ import annotations

import queue
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import paho.mqtt.client as mqtt
from paho.mqtt.reasoncodes import ReasonCode

from host.collect.broker import BrokerSettings, make_client
from host.collect.database import Database, DatabaseUnusable
from host.collect.intake import Notice
from host.collect.keeper import Keeper, Kept, Message
from host.keys import KeyStore

QUEUE_MESSAGES_MAX = 1000
BATCH_MESSAGES_MAX = 200
_POLL_S = 0.1


@dataclass
class Counters:
    """Since the collector was made."""

    messages: int = 0
    stored: int = 0
    repeated: int = 0
    refused: int = 0
    acknowledged: int = 0
    passed_over: int = 0  # messages of QoS 0 for which there was no time


__all__ = ("BrokerSettings", "Collector", "Counters")


class Collector:
    """Runs in two threads of its own: paho's for the network, one for the database.

    `report` is called with every Notice, from either thread. `retry_s` is how long a database
    that cannot be written is left alone before the next try.
    """

    def __init__(
        self,
        broker: BrokerSettings,
        database: Database,
        keys: KeyStore,
        report: Callable[[Notice], None] = lambda notice: None,
        retry_s: float = 5.0,
    ) -> None:
        """Raises OSError if a TLS file cannot be read."""
        self.broker = broker
        self.counters = Counters()
        self.refusal: str | None = None  # why the broker does not let us in, in one line
        self.login_refused = False
        self.active_at = time.monotonic()  # when the last message came or the connection was made
        self._keeper = Keeper(database, keys)
        self._report = report
        self._retry_s = retry_s
        self._messages: queue.Queue[tuple[int, mqtt.MQTTMessage]] = queue.Queue(QUEUE_MESSAGES_MAX)
        self._connection = 0  # counts them: a PUBACK belongs to the connection of its message
        self._stopping = threading.Event()
        self._connected = threading.Event()
        self._settled = threading.Event()
        self._away = False  # left the broker: messages that still come are not taken
        self._troubled = False  # the database could not be written, and that was said
        self._crash: BaseException | None = None
        self._client = make_client(broker)
        self._client.on_connect = self._on_connect
        self._client.on_subscribe = self._on_subscribe
        self._client.on_connect_fail = self._on_connect_fail
        self._client.on_disconnect = self._on_disconnect
        self._client.on_message = self._on_message
        self._worker = threading.Thread(target=self._work, name="collector", daemon=True)

    def start(self) -> None:
        """Begin to connect; returns at once."""
        self._worker.start()
        self._join()

    def stop(self) -> None:
        """Finish the transaction that runs, then leave; what waits comes again next time.

        Raises what ended the database's thread, if anything did.
        """
        self._stopping.set()
        if self._worker.is_alive():
            self._worker.join()
        self._leave()
        if self._crash is not None:
            crash, self._crash = self._crash, None
            raise crash

    def __enter__(self) -> Collector:
        self.start()
        return self

    def __exit__(self, *_exception: object) -> None:
        self.stop()

    @property
    def connected(self) -> bool:
        return self._connected.is_set()

    @property
    def running(self) -> bool:
        """False once it was stopped or its thread has ended by an error."""
        return not self._stopping.is_set()

    @property
    def idle(self) -> bool:
        """True if nothing waits to be stored."""
        return self._messages.unfinished_tasks == 0

    def wait_settled(self, timeout_s: float) -> bool:
        """True once the first try to connect has an outcome: `connected`, or `refusal` is set."""
        return self._settled.wait(timeout_s)

    def wait_connected(self, timeout_s: float) -> bool:
        """True once the broker has let us in."""
        return self._connected.wait(timeout_s)

    def _join(self) -> None:
        self._client.connect_async(self.broker.host, self.broker.port, self.broker.keep_alive_s)
        self._client.loop_start()

    def _leave(self) -> None:
        self._client.disconnect()
        self._client.loop_stop()
        self._connected.clear()

    # paho's thread

    def _on_connect(
        self, client: mqtt.Client, _data: object, _flags: object, reason: ReasonCode, _more: object
    ) -> None:
        if reason.is_failure:
            self.login_refused = True
            self._cannot_enter(self.broker.refuses(reason))
            return
        self._connection += 1
        client.subscribe([("wallbox/+/ledger", 1), ("wallbox/+/status", 1)])

    def _on_subscribe(
        self,
        _client: mqtt.Client,
        _data: object,
        _message_id: int,
        reasons: list[ReasonCode],
        _more: object,
    ) -> None:
        if any(reason.is_failure for reason in reasons):
            self.login_refused = True
            self._cannot_enter(
                f"the broker at {self.broker.name} lets us in, but not read wallbox/+/ledger and "
                "wallbox/+/status; check its ACL"
            )
            return
        self.refusal = None
        self.login_refused = False
        self.active_at = time.monotonic()
        self._say("info", "connected", f"connected to the broker at {self.broker.name}")
        try:
            # what came while there was no session is asked for, what was stored is acknowledged
            self._acknowledge(self._keeper.acknowledgements())
        except DatabaseUnusable as error:
            self._say("warning", "database", str(error))
        self._connected.set()
        self._settled.set()

    def _on_connect_fail(self, _client: mqtt.Client, _data: object) -> None:
        error = sys.exc_info()[1]  # paho calls this from its except clause
        self._cannot_enter(self.broker.absent(error))

    def _cannot_enter(self, text: str) -> None:
        if text != self.refusal:
            self.refusal = text
            self._say("warning", "refused", text)
        self._settled.set()

    def _on_disconnect(
        self, _client: mqtt.Client, _data: object, _flags: object, _reason: object, _more: object
    ) -> None:
        was_connected = self._connected.is_set()
        self._connected.clear()
        if self._stopping.is_set() or self._away:
            return
        if was_connected:
            self._say("warning", "disconnected", f"lost the broker at {self.broker.name}")
        elif not self.login_refused:
            self._cannot_enter(self.broker.silent())

    def _on_message(self, _client: mqtt.Client, _data: object, message: mqtt.MQTTMessage) -> None:
        self.active_at = time.monotonic()
        while not self._stopping.is_set() and not self._away:
            try:
                self._messages.put((self._connection, message), timeout=_POLL_S * message.qos)
                return
            except queue.Full:
                if not message.qos:  # a status, of which no broker keeps back any; another comes
                    self.counters.passed_over += 1
                    return
                # the network waits for the database

    # the database's thread

    def _work(self) -> None:
        try:
            while not self._stopping.is_set():
                batch = self._take_batch()
                if batch:
                    self._store(batch)
                for _ in batch:
                    self._messages.task_done()
        except BaseException as error:
            self._crash = error
            self._stopping.set()

    def _take_batch(self) -> list[tuple[int, mqtt.MQTTMessage]]:
        batch = []
        try:
            batch.append(self._messages.get(timeout=_POLL_S))
            while len(batch) < BATCH_MESSAGES_MAX:
                batch.append(self._messages.get_nowait())
        except queue.Empty:
            pass
        return batch

    def _store(self, batch: list[tuple[int, mqtt.MQTTMessage]]) -> None:
        messages = [
            Message(message.topic, bytes(message.payload), message.retain) for _, message in batch
        ]
        try:
            kept = self._keeper.keep(messages)
        except DatabaseUnusable as error:
            self._wait_away(error)
            return
        # committed: from here on the boxes and the broker may forget
        if self._troubled:
            self._troubled = False
            self._say("info", "database", "the database takes records again")
        self._acknowledge(kept.acknowledgements)
        for connection, message in batch:
            if connection == self._connection:
                self._client.ack(message.mid, message.qos)
        self.counters.messages += len(batch)
        self._count(kept)

    def _acknowledge(self, payloads: dict[str, bytes]) -> None:
        for serial, payload in payloads.items():
            self._client.publish(f"wallbox/{serial}/ack", payload, qos=1)
        self.counters.acknowledged += len(payloads)

    def _count(self, kept: Kept) -> None:
        self.counters.refused += kept.refused
        for outcome in kept.outcomes:
            self.counters.stored += outcome.stored
            self.counters.repeated += outcome.repeated
            self.counters.refused += outcome.refused
            if outcome.stored:
                text = f"{outcome.stored} stored, up to record {outcome.last_sequence}"
                self._report(Notice("info", "stored", outcome.box, text))
        for notice in kept.notices:
            self._report(notice)

    def _wait_away(self, error: DatabaseUnusable) -> None:
        """Leave the broker, which keeps what it has no PUBACK for, and come back later."""
        if not self._troubled:
            self._troubled = True
            self._say("alarm", "database", f"{error}; nothing is acknowledged until then")
        self._away = True
        self._leave()
        while not self._messages.empty():
            self._messages.get_nowait()
            self._messages.task_done()
        if not self._stopping.wait(self._retry_s):
            self._away = False
            self._join()

    def _say(self, level: str, code: str, text: str) -> None:
        self._report(Notice(level, code, "", text))
