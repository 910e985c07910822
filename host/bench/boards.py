"""The boards of `hw/boards`, by name."""

from __future__ import annotations

import importlib
from pathlib import Path

BOARDS = Path(__file__).resolve().parent.parent.parent / "hw" / "boards"


def names() -> list[str]:
    return sorted(path.stem for path in BOARDS.glob("*.py") if path.stem != "__init__")


def pins(name: str) -> dict[str, tuple[int, str]]:
    """Function to GPIO number and the sentence that tells how to wire it."""
    found: dict[str, tuple[int, str]] = importlib.import_module(f"hw.boards.{name}").PINS
    return found
