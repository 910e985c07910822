"""Where the broker is, how to enter, and the client that does."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

RECONNECT_MIN_S = 1
RECONNECT_MAX_S = 30
OUTGOING_MESSAGES_MAX = 10_000


@dataclass(frozen=True)
class BrokerSettings:
    """Where the broker is and how to enter. The password appears in no text."""

    host: str
    port: int = 1883
    user: str | None = None
    password: str | None = None
    tls: bool = False
    ca_file: Path | None = None
    certificate_file: Path | None = None
    key_file: Path | None = None
    client_id: str = "wallbox-collector"
    keep_alive_s: int = 30

    @property
    def name(self) -> str:
        return f"{self.host}:{self.port}"


def make_client(broker: BrokerSettings) -> mqtt.Client:
    """A client with a session that the broker keeps, and with PUBACKs in our hands.

    Raises OSError if a TLS file cannot be read.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=False,
        protocol=mqtt.MQTTv311,
        manual_ack=True,
    )
    client.reconnect_delay_set(RECONNECT_MIN_S, RECONNECT_MAX_S)
    client.max_queued_messages_set(OUTGOING_MESSAGES_MAX)
    if broker.user is not None:
        client.username_pw_set(broker.user, broker.password)
    if broker.tls:
        client.tls_set(
            ca_certs=str(broker.ca_file) if broker.ca_file else None,
            certfile=str(broker.certificate_file) if broker.certificate_file else None,
            keyfile=str(broker.key_file) if broker.key_file else None,
        )
    return client
