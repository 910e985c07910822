"""What a partner has from the operator, once for all boxes: keys, authority, broker.

A TOML file of paths and names; paths are relative to the file. It holds no secret itself, and the
private keys that it names must be readable by their owner alone.
"""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Literal

import pydantic
from pydantic import BaseModel, ConfigDict, Field

from host.provisioning.order import Host, field_error, read_toml
from host.provisioning.outcome import unusable
from host.provisioning.texts import _


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Broker(_Table):
    """`tls` is `none-in-tests` on a test bench alone."""

    host: Host
    port: int = Field(default=0, ge=0, le=65_535)
    tls: Literal["none-in-tests", "certificate"] = "certificate"
    keep_alive_s: int = Field(default=30, ge=5, le=3600)


class Clock(_Table):
    host: Host = "pool.ntp.org"
    port: int = Field(default=123, ge=1, le=65_535)


class Partner(_Table):
    """`operator_key`: who may open sealed secrets. `authority_key` only where it is at hand."""

    operator_key: Path
    authority: Path
    authority_key: Path | None = None
    broker_authority: Path | None = None  # who signed the broker's certificate; None: authority
    signer_certificate: Path
    signer_key: Path
    broker: Broker
    clock: Clock = Clock()
    interval_s: int = Field(default=900, ge=1, le=3600)
    offline_grace_h: int = Field(default=72, ge=0, le=8760)
    keys: Path | None = None  # the key store, in a depot of the operator itself


def read_partner(path: Path) -> Partner:
    """The partner's file with absolute paths. Raises Stopped."""
    try:
        partner = Partner.model_validate(read_toml(path))
    except pydantic.ValidationError as error:
        raise field_error(error, str(path)) from None
    names = ("operator_key", "authority", "authority_key", "broker_authority", "keys")
    found = {name: getattr(partner, name) for name in (*names, "signer_certificate", "signer_key")}
    base = path.resolve().parent
    return partner.model_copy(
        update={name: base / value for name, value in found.items() if value is not None}
    )


def read_file(path: Path, field: str) -> bytes:
    """A file that the partner's file names. Raises Stopped."""
    try:
        return path.read_bytes()
    except OSError as error:
        what = _("{file} cannot be read", file=path)
        why = error.strerror or str(error)
        raise unusable(what, why, _("correct {field} in the partner's file", field=field),
                       field) from None


def read_secret(path: Path, field: str) -> bytes:
    """As read_file, for a private key: refused if others may read it."""
    data = read_file(path, field)
    if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise unusable(_("{file} is not used", file=path), _("others may read this key"),
                       _("correct it with: chmod 600 {file}", file=path), field)
    return data
