"""A mosquitto with the very files of host/broker: only paths and ports are put in their place."""

from __future__ import annotations

import os
import re
import ssl
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from hw.sim.ports import free_port
from tests.certificates import ADDRESS, Authority, der
from tests.interpreter import ROOT
from tests.mosquitto import Mosquitto, wait_until

SHIPPED = ROOT / "host" / "broker"
CERTIFICATE, PSK, OPERATOR = "8883", "8884", "8885"  # the listeners
OTHER_KEY = "22" * 32


class ShippedBroker(Mosquitto):
    """`ports` by the port in the file. Boxes in `keys` (identity -> hex) have a shared key."""

    def __init__(self, directory: Path, keys: dict[str, str]) -> None:
        self.keys = keys
        self.ports = {port: free_port() for port in (CERTIFICATE, PSK, OPERATOR)}
        directory.mkdir()
        self.authority = Authority(directory, "ca")
        super().__init__(directory, self.ports[OPERATOR])

    def configure(self, *_: object, **__: object) -> None:
        """Puts the shipped files where mosquitto is to find them."""
        text = (SHIPPED / "mosquitto.conf").read_text()
        for place in ("/etc/mosquitto/", "/var/lib/mosquitto/"):
            assert place in text
            text = text.replace(place, f"{self.directory}/")
        text = re.sub(
            r"^listener (\d+).*", lambda line: f"listener {self.ports[line[1]]} {ADDRESS}", text,
            flags=re.MULTILINE,
        )  # fmt: skip
        user = ["user root"] if os.geteuid() == 0 else []
        self._lines = [*text.splitlines(), "log_dest stderr", "log_type all", *user]
        acl = self.directory / "wallbox.acl"
        acl.write_text((SHIPPED / "wallbox.acl").read_text())
        keys = self.directory / "wallbox.psk"
        keys.write_text("".join(f"{name}:{key}\n" for name, key in self.keys.items()))
        for path in (acl, keys):
            path.chmod(0o600)
        self.authority.issue("broker")

    def start(self) -> None:
        super().start()
        for port in self.ports.values():
            self.port = port
            wait_until(self._accepts, what=f"listener {port}")

    def credentials(self, listener: str, name: str) -> dict:
        """What a box called `name` has in its configuration to get in."""
        port = self.ports[listener]
        if listener == PSK:
            return {"port": port, "psk_identity": name, "psk_key": self.keys.get(name, OTHER_KEY)}
        certificate, key = self.authority.issue(name)
        ca = self.authority.ca_file
        return {"port": port, "ca": der(ca), "certificate": der(certificate), "key": der(key)}


class Client:
    """paho with a certificate of this name: what it may write, and what comes to it."""

    def __init__(
        self, broker: ShippedBroker, name: str, listener: str = CERTIFICATE, client_id: str = ""
    ) -> None:
        self.name = name
        self.got: list[tuple[str, bytes]] = []
        self.connections = 0
        self.acknowledged = 0
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=client_id or name, clean_session=False
        )
        certificate, key = broker.authority.issue(name)
        self.mqtt.tls_set(
            str(broker.authority.ca_file), str(certificate), str(key),
            tls_version=ssl.PROTOCOL_TLS_CLIENT,
        )  # fmt: skip
        self.mqtt.on_connect = self._connected
        self.mqtt.on_message = lambda _c, _d, message: self.got.append(
            (message.topic, message.payload)
        )
        self.mqtt.on_publish = self._published
        self.subscribed: set[int | None] = set()  # numbers of the SUBACKs
        self.mqtt.on_subscribe = self._subscribed
        self.mqtt.reconnect_delay_set(0.01, 0.01)
        self.mqtt.connect(ADDRESS, broker.ports[listener])
        self.mqtt.loop_start()
        wait_until(lambda: self.connections, what=f"{name} connected")

    def _connected(self, _client, _data, _flags, reason, _properties) -> None:  # type: ignore
        assert not reason.is_failure, reason
        self.connections += 1

    def _published(self, *_: object) -> None:
        self.acknowledged += 1

    def _subscribed(self, _client: object, _data: object, number: int, *_: object) -> None:
        self.subscribed.add(number)

    def subscribe(self, *topics: str) -> None:
        _, number = self.mqtt.subscribe([(topic, 1) for topic in topics])
        wait_until(lambda: number in self.subscribed, what=f"{self.name} subscribed")

    def publish(self, *topics: str, payload: bytes) -> None:
        before = self.acknowledged
        for topic in topics:
            self.mqtt.publish(topic, payload, qos=1)
        wait_until(
            lambda: self.acknowledged == before + len(topics), what=f"PUBACKs of {self.name}"
        )

    def attempt(self, topic: str, payload: bytes) -> None:
        """Publish what may be forbidden: mosquitto then ends the connection; paho comes back."""
        connections = self.connections
        self.mqtt.publish(topic, payload, qos=0)
        _, number = self.mqtt.subscribe("nothing", 0)
        wait_until(
            lambda: number in self.subscribed or self.connections > connections,
            what=f"an answer to {self.name} after {topic}",
        )

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()
