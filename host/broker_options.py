"""The options with which a command finds the broker, the same for every command that does."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from host.console import EXIT_UNUSABLE, fail

if TYPE_CHECKING:
    from host.collect.broker import BrokerSettings

_PANEL = "Broker and keys"

BrokerOption = Annotated[
    str,
    typer.Option(
        envvar="WALLBOX_BROKER", help="The MQTT broker's name or address.",
        rich_help_panel=_PANEL,
    ),
]
PortOption = Annotated[
    int | None,
    typer.Option(
        min=1, max=65535, envvar="WALLBOX_PORT", help="1883, with --tls 8883, if not given.",
        rich_help_panel=_PANEL,
    ),
]
UserOption = Annotated[
    str | None,
    typer.Option(envvar="WALLBOX_USER", help="User at the broker.", rich_help_panel=_PANEL),
]
PasswordFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="WALLBOX_PASSWORD_FILE",
        help="Its first line is the user's password; mode 0600.",
        rich_help_panel=_PANEL,
    ),
]
TlsOption = Annotated[
    bool,
    typer.Option(
        "--tls", envvar="WALLBOX_TLS", help="Encrypt, verify the broker; a must if elsewhere.",
        rich_help_panel=_PANEL,
    ),
]
CaFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="WALLBOX_CA_FILE", help="With --tls: who may sign for the broker (PEM).",
        rich_help_panel=_PANEL,
    ),
]
CertificateFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="WALLBOX_CERTIFICATE_FILE", help="With --tls: our certificate (PEM).",
        rich_help_panel=_PANEL,
    ),
]
KeyFileOption = Annotated[
    Path | None,
    typer.Option(
        envvar="WALLBOX_KEY_FILE", help="With --tls: our certificate's key (PEM).",
        rich_help_panel=_PANEL,
    ),
]
KeysOption = Annotated[
    Path,
    typer.Option(
        envvar="WALLBOX_KEYS", help="Key store: a directory of <serial>.key.",
        rich_help_panel=_PANEL,
    ),
]
KEYS = Path("keys")


def broker_settings(
    broker: str,
    port: int | None,
    user: str | None,
    password_file: Path | None,
    tls: bool,
    ca_file: Path | None,
    certificate_file: Path | None,
    key_file: Path | None,
    client_id: str,
) -> BrokerSettings:
    """What the options say together. Ends the command if they contradict each other, or if the
    password cannot be read."""
    from host.collect.broker import BrokerSettings, this_machine

    if (user is None) != (password_file is None):
        raise typer.BadParameter("--user and --password-file go together")
    if not tls and (ca_file or certificate_file or key_file):
        raise typer.BadParameter("--ca-file, --certificate-file and --key-file need --tls")
    if not tls and not this_machine(broker):
        raise typer.BadParameter(f"--broker {broker}: add --tls; only to this machine without it")
    return BrokerSettings(
        host=broker,
        port=port or (8883 if tls else 1883),
        user=user,
        password=_password(password_file),
        tls=tls,
        ca_file=ca_file,
        certificate_file=certificate_file,
        key_file=key_file,
        client_id=client_id,
    )


def _password(path: Path | None) -> str | None:
    if path is None:
        return None
    try:
        if stat.S_IMODE(path.stat().st_mode) & (stat.S_IRWXG | stat.S_IRWXO):
            fail(f"{path}: others may read the password; correct it with: chmod 600 {path}", 4)
        with path.open(encoding="utf-8") as file:  # any line end becomes \n
            return file.readline().removesuffix("\n")
    except (OSError, UnicodeDecodeError) as error:
        fail(f"{path}: the password cannot be read: {error}", EXIT_UNUSABLE)
