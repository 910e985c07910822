"""What was done with a box, on the laptop: one JSON file a chip, replaced as a whole.

The journal holds what only people told (answers, readings, measured lines) and when each step was
done. What the box itself tells counts more: a step that the journal calls done is looked at again.
It holds no secret.
"""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

from host.provisioning.files import write_whole
from host.provisioning.outcome import unusable
from host.provisioning.texts import _

FORMAT = 1
_BYTES_MAX = 1 << 20
_CHIP = re.compile(r"[0-9a-f]{12}")


class Journal:
    """Of the chip; `facts` is what the steps have left there, by step."""

    def __init__(self, directory: Path, chip: str) -> None:
        """Raises Stopped if the file is there and cannot be read."""
        if not _CHIP.fullmatch(chip):
            raise ValueError(f"chip {chip!r}: 12 lower-case hex digits")
        self.chip = chip
        self.directory = directory
        self.path = directory / f"{chip}.json"
        self.facts: dict[str, dict[str, Any]] = {}
        self._load()

    def _load(self) -> None:
        try:
            with self.path.open("rb") as file:
                told = json.loads(file.read(_BYTES_MAX))
            if told["format"] != FORMAT or told["chip"] != self.chip:
                raise ValueError("another format or chip")
            self.facts = {str(step): dict(facts) for step, facts in told["steps"].items()}
        except FileNotFoundError:
            return
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise unusable(
                _("the journal {file} cannot be read", file=self.path), str(error),
                _("move it away: what the box itself tells is enough to go on"),
            ) from None

    def of(self, step: str) -> dict[str, Any]:
        """What a step has left, empty if it was never done."""
        return self.facts.get(step, {})

    def note(self, step: str, **facts: object) -> None:
        """Add to what a step leaves; durable on return. Raises Stopped."""
        self.facts.setdefault(step, {}).update({**facts, "at_utc_s": int(time.time())})
        self._save()

    def forget(self, *steps: str) -> None:
        """These steps are to be done anew."""
        known = [step for step in steps if step in self.facts]
        for step in known:
            del self.facts[step]
        if known:
            self._save()

    def _save(self) -> None:
        told = {"format": FORMAT, "chip": self.chip, "steps": self.facts}
        try:
            write_whole(self.path, json.dumps(told, indent=1, ensure_ascii=False).encode() + b"\n")
        except OSError as error:
            raise unusable(_("the journal {file} cannot be written", file=self.path),
                           error.strerror or str(error),
                           _("make room, or name another directory with --journal")) from None
