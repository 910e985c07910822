"""A box as `wallbox send` sees it: believes and answers commands by docs/commands.md, no more."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from tests.mosquitto import Mosquitto
from tests.orders import command_key, signed


def mac(key: bytes, direction: bytes, body: bytes) -> bytes:
    return hmac.new(command_key(key), direction + b"\0" + body, hashlib.sha256).hexdigest().encode()


def reply(key: bytes, counter: int, verb: str, status: str, info: str = "") -> bytes:
    tree = {"counter": counter, "verb": verb, "status": status, "info": info}
    return signed(command_key(key), tree, b"reply")


class AnsweringBox:
    """`taken`: what it believed, as objects. What it answers can be set by verb in `answers`."""

    def __init__(self, broker: Mosquitto, serial: str, key: bytes) -> None:
        self.serial, self.key = serial, key
        self.counter = 0
        self.taken: list[dict] = []
        self.messages: list[bytes] = []
        self.answers: dict[str, tuple[str, str]] = {}
        self.forged: bytes | None = None  # a key: that of somebody else, who answers first
        self.due: list[str] = []  # verbs at which a status happens to go out just before
        self.deaf_to: list[str] = []  # verbs of which one each is not answered
        self.lose: set[int] = set()  # offsets of the trace that get lost, once
        self.trace = bytes(range(256)) * 16 * 16  # 16 sectors
        self.entries = b""
        self.client = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=serial, clean_session=False
        )
        self.client.on_message = self._on_message
        subscribed = threading.Event()
        self.client.on_subscribe = lambda *_: subscribed.set()
        self.client.on_connect = lambda client, *_: client.subscribe(self.topic("command"), 1)
        self.client.connect(broker.host, broker.port)
        self.client.loop_start()
        assert subscribed.wait(10)

    def topic(self, last: str) -> str:
        return f"wallbox/{self.serial}/{last}"

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()

    def publish_status(self, retain: bool = True, **more: object) -> None:
        status = {"online": True, "serial": self.serial, "command": self.counter, **more}
        self.client.publish(self.topic("status"), json.dumps(status), retain=retain)

    def verbs(self) -> list[str]:
        return [command["verb"] for command in self.taken]

    def _on_message(self, _client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        self.messages.append(message.payload)
        digits, _, body = message.payload.partition(b" ")
        assert len(message.payload) <= 1152 and not message.retain and message.qos == 1
        if digits != mac(self.key, b"command", body):
            self._say(reply(self.key, 0, "", "Rejected", "not signed with this box's key"))
            return
        command = json.loads(body)
        counter, verb = command["counter"], command["verb"]
        if verb in self.due:  # as it goes out once a minute, whatever else comes
            self.publish_status(state="Faulted")
        assert command["from_utc_s"] <= time.time() < command["until_utc_s"]
        assert command["until_utc_s"] <= command["from_utc_s"] + 31 * 86_400
        if counter <= self.counter:
            info = f"counter: above {self.counter}, which was used"
            self._say(reply(self.key, counter, verb, "Rejected", info))
            return
        self.counter = counter
        self.taken.append(command)
        self._do(counter, verb, command.get("with", {}))

    def _do(self, counter: int, verb: str, given: dict) -> None:
        if verb in self.deaf_to:
            self.deaf_to.remove(verb)
            return
        if self.forged:
            self._say(reply(self.forged, counter, verb, "Rejected", "forged"))
        if verb == "tags-part":
            self.entries += base64.b64decode(given["entries"])
        self._say(reply(self.key, counter, verb, *self.answers.get(verb, ("Accepted", ""))))
        if verb == "status":
            self.publish_status(state="Available", reader={"list_version": 7, "works": None})
        if verb == "trace":
            self._send_trace(given["first"] * 4096, given["count"] * 4096)

    def _send_trace(self, begin: int, size: int) -> None:
        for at in range(begin, begin + size, 1024):
            if at in self.lose:
                self.lose.remove(at)
                continue
            chunk = at.to_bytes(4, "little") + self.trace[at : at + 1024]
            self.client.publish(self.topic("trace"), chunk)

    def _say(self, payload: bytes) -> None:
        self.client.publish(self.topic("reply"), payload)
