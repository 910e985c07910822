"""Where the broker is, how to enter, and the client that does."""

from __future__ import annotations

import ipaddress
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
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"

    def refuses(self, reason: object) -> str:
        """One line for people: the broker does not let us in."""
        check = "the certificate" if self.certificate_file else "--user, --password-file"
        return f"the broker at {self.name} refuses: {reason}; check {check}"

    def absent(self, error: object) -> str:
        """One line for people: nobody answers there."""
        return f"no broker at {self.name}: {error or 'no answer'}; check --broker and --port"

    def silent(self) -> str:
        """One line for people: somebody is there and hangs up."""
        check = "--ca-file, --certificate-file" if self.tls else "whether it wants --tls"
        return (
            f"the broker at {self.name} closes the connection without an answer; check {check}"
        )

    def tls_files_wrong(self, error: OSError) -> str:
        """One line for people: a file that `make_client` needs cannot be read."""
        files = (self.ca_file, self.certificate_file, self.key_file)
        named = ", ".join(str(path) for path in files if path)
        return f"{named}: {error.strerror or error}; check the TLS files"


def this_machine(host: str) -> bool:
    """Whether what goes to `host` never leaves this machine: only there TLS may be left out."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def make_client(broker: BrokerSettings, keep_session: bool = True) -> mqtt.Client:
    """A client with a session that the broker keeps, and with PUBACKs in our hands.

    Without `keep_session` the session ends with the connection, and PUBACKs go by themselves.

    Raises OSError if a TLS file cannot be read.
    """
    client = mqtt.Client(
        CallbackAPIVersion.VERSION2,
        client_id=broker.client_id,
        clean_session=not keep_session,
        protocol=mqtt.MQTTv311,
        manual_ack=keep_session,
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
