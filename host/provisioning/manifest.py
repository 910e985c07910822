"""The manifest: which MicroPython goes onto the boxes, pinned by its SHA-256.

    micropython = "ESP32_GENERIC-v1.29.0.bin"
    sha256 = "…64 hex digits…"

The file is the user's own: whoever changes the interpreter changes it there, on purpose.
"""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated

import pydantic
from pydantic import BaseModel, ConfigDict, StringConstraints

from host.provisioning.order import Text, field_error, read_toml
from host.provisioning.outcome import refused, unusable
from host.provisioning.texts import _

BYTES_MAX = 4 << 20


class Manifest(BaseModel):
    """`board` names a file of hw/boards/."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    micropython: Text
    sha256: Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
    board: Annotated[str, StringConstraints(pattern=r"^[a-z0-9_]{1,32}$")] = "wroom32"


def read_manifest(path: Path) -> Manifest:
    """Raises Stopped."""
    try:
        return Manifest.model_validate(read_toml(path))
    except pydantic.ValidationError as error:
        raise field_error(error, str(path)) from None


def read_micropython(manifest: Manifest, folder: Path) -> bytes:
    """The interpreter's image that the manifest names, if it is that one. Raises Stopped."""
    path = folder / manifest.micropython
    try:
        if path.stat().st_size > BYTES_MAX:
            raise unusable(_("{file} is not used", file=path),
                           _("it is longer than the flash"), _("name another file"))
        data = path.read_bytes()
    except OSError as error:
        raise unusable(_("{file} cannot be read", file=path), error.strerror or str(error),
                       _("correct {field} in the manifest", field="micropython"),
                       "micropython") from None
    found = hashlib.sha256(data).hexdigest()
    if found != manifest.sha256:
        raise refused(_("{file} is not used", file=path),
                      _("its SHA-256 is {found}, the manifest wants {wanted}",
                        found=found[:16] + "…", wanted=manifest.sha256[:16] + "…"),
                      _("fetch the file again, or pin the new one in the manifest on purpose"),
                      "sha256")
    return data
