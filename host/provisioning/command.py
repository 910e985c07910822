"""Registers the partner's commands; each is in a file of its own."""

from __future__ import annotations

import typer

from host.provisioning import (
    certificate_command,
    console_command,
    devices_command,
    image_command,
    provision_command,
    returning_command,
)


def register(app: typer.Typer) -> None:
    for module in (
        devices_command,
        image_command,
        provision_command,
        console_command,
        certificate_command,
        returning_command,
    ):
        module.register(app)
