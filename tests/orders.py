"""The operator who orders: signs and sends as docs/commands.md says, in a hand of its own."""

from __future__ import annotations

import hashlib
import hmac
import json
import queue
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion


def command_key(ledger_key: bytes) -> bytes:
    return hmac.new(ledger_key, b"commands", hashlib.sha256).digest()


def signed(key: bytes, tree: dict, way: bytes = b"command") -> bytes:
    """A message with its MAC in front. key: the command key."""
    text = json.dumps(tree, separators=(",", ":")).encode()
    return hmac.new(key, way + b"\x00" + text, hashlib.sha256).hexdigest().encode() + b" " + text


class Operator:
    """Sends commands through a real broker and waits for their replies."""

    def __init__(self, port: int, serial: str, ledger_key: bytes):
        self.key = command_key(ledger_key)
        self.topic = f"wallbox/{serial}/command"
        self.replies: queue.Queue[dict] = queue.Queue()
        self.traces: queue.Queue[bytes] = queue.Queue()
        self.counter = int(time.time())
        self.last = b""
        self.client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="test-operator")
        self.client.on_message = self._heard
        self.client.connect("127.0.0.1", port)
        self.client.subscribe([(f"wallbox/{serial}/reply", 1), (f"wallbox/{serial}/trace", 1)])
        self.client.loop_start()

    def __enter__(self) -> Operator:
        return self

    def __exit__(self, *_) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def _heard(self, _client, _data, message) -> None:
        if message.topic.endswith("/trace"):
            self.traces.put(message.payload)
            return
        tree = json.loads(message.payload[65:])
        assert message.payload == signed_as_sent(self.key, message.payload[65:])
        self.replies.put(tree)

    def send(self, verb: str, *, timeout_s: float = 20, **arguments: object) -> dict:
        """The reply."""
        self.counter += 1
        now = int(time.time())
        tree = {
            "counter": self.counter,
            "from_utc_s": now - 60,
            "until_utc_s": now + 600,
            "verb": verb,
        }
        if arguments:
            tree["with"] = arguments
        return self.publish(signed(self.key, tree), timeout_s=timeout_s)

    def publish(self, message: bytes, retain: bool = False, timeout_s: float = 20) -> dict:
        """Any message at all; the reply to it."""
        self.last = message
        self.client.publish(self.topic, message, qos=1, retain=retain)
        return self.replies.get(timeout=timeout_s)


def signed_as_sent(key: bytes, text: bytes) -> bytes:
    mac = hmac.new(key, b"reply\x00" + text, hashlib.sha256).hexdigest()
    return mac.encode() + b" " + text
