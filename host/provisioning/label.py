"""The label of a box: a QR code that tells who it is and which certificate belongs to it."""

from __future__ import annotations

import hashlib
import io
from typing import Any

import segno

from host.provisioning.certificate import signed_bytes


def content(signed: dict[str, Any]) -> str:
    """`WALLBOX <serial> <type> <chip> <first 16 hex digits of the certificate's SHA-256>`."""
    told = signed["certificate"]
    box = told["box"]
    digest = hashlib.sha256(signed_bytes(told)).hexdigest()[:16]
    return f"WALLBOX {box['serial']} {box['type'].replace(' ', '_')} {box['chip']} {digest}"


def draw(signed: dict[str, Any]) -> bytes:
    """As SVG, correction level Q, so that a scratched label can still be read."""
    out = io.BytesIO()
    segno.make(content(signed), error="q", micro=False).save(out, kind="svg", scale=4, border=4)
    return out.getvalue()
