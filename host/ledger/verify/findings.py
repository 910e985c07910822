"""What a check of a ledger found, and what it read from."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

IMAGE, BOX, DATABASE = "image", "box", "database"  # where a ledger was read from
OPEN_END = ", or the power was cut while it was written: start the box, which decides, and repeat"

Progress = Callable[[str, int, int], None]  # what is done, how much of it, of how much


def counted(number: int, word: str) -> str:
    return f"{number} {word}" + ("" if number == 1 else "s")


@dataclass(frozen=True)
class Finding:
    """Something that is wrong, or as a note worth knowing; docs/operator.md explains the codes.

    `position`: where it lies in the image, in bytes, or which row of the database.
    """

    code: str
    text: str
    sequence: int | None = None
    last_sequence: int | None = None  # of more than one record
    kind: str | None = None
    position: int | None = None


@dataclass(frozen=True)
class Flip:
    """The bytes as they were before one bit flipped. `cleared`: it is 0 now."""

    data: bytes
    byte: int
    bit: int
    cleared: bool


@dataclass(slots=True)
class Stored:
    """A record where it lies. `flips`: its check is wrong, and each of these would explain it."""

    data: bytes
    position: int
    flips: tuple[Flip, ...] = ()

    @property
    def sequence(self) -> int:
        return int.from_bytes(self.data[2:6], "little")


@dataclass
class Damage:
    """Bytes that cannot be read where records behind `after` are due, up to `before`, if known.

    `certain`: a record ended there, whatever follows.
    """

    position: int
    end: int
    after: int
    before: int | None = None
    certain: bool = False


@dataclass
class Contents:
    """What a source holds for one box, in the order in which it lies there."""

    box: str
    source: str
    stored: list[Stored] = field(default_factory=list)
    damages: list[Damage] = field(default_factory=list)
    first_due: int = 1
    last_due: int = 0  # 0: nobody knows of a record behind the last one
    anchors: dict[int, bytes] = field(default_factory=dict)  # sequence: mac of the record before
    anchor_at: dict[int, int] = field(default_factory=dict)  # sequence: where that is written
    accepted: dict[int, int] = field(default_factory=dict)  # first behind a hole: last before it
    newest: Stored | None = None  # a power cut may have interrupted the writing of this one
    findings: list[Finding] = field(default_factory=list)
    notes: list[Finding] = field(default_factory=list)

    def place(self, position: int) -> str:
        return f"in row {position}" if self.source == DATABASE else f"at {position:#x}"
