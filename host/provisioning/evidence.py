"""What a box's ledger tells of it when the box itself says nothing; read without its key."""

from __future__ import annotations

from dataclasses import dataclass

from wallbox.core import codes, decisions, engine
from wallbox.store.sectors import MAGIC

from host import image
from host.ledger.verify.ring_image import SECTOR_SIZE, NoLedger, read_image
from host.provisioning.esptool_program import Flasher
from host.records import Record, split

LOOKED_AT = (0, 2)  # sectors: the ring begins with the first, and never keeps both erased
_HEAD_BYTES = 64


@dataclass(frozen=True)
class Told:
    """`lifecycle` by its name; `firmware` that ran last, "" if no boot is in the ring any more."""

    lifecycle: str
    firmware: str


def begun(flasher: Flasher) -> bool:
    """Whether a ledger lies where ours are, whatever the partition table says. Raises Stopped."""
    part = image.partitions()["ledger"]
    return any(
        flasher.read(part.offset + sector * SECTOR_SIZE, _HEAD_BYTES)[:4] == MAGIC
        for sector in LOOKED_AT
    )


def read(flasher: Flasher) -> Told | None:
    """None of a flash without a ledger. Raises Stopped."""
    if not begun(flasher):
        return None
    part = image.partitions()["ledger"]
    return tell(flasher.read(part.offset, part.size))


def tell(ring: bytes) -> Told:
    """Folds the facts that can be read, oldest first, as the box does after a power cut."""
    state, firmware = engine.State(), ""
    try:
        stored = read_image(ring, lambda what, at, size: None).stored
    except NoLedger:
        stored = []
    for one in sorted(stored, key=lambda one: one.sequence):
        record = next(split(one.data), None)
        if not isinstance(record, Record):
            continue
        try:
            fact = decisions.unpack(record.kind, record.payload)
        except ValueError:  # of a firmware with other fields
            continue
        if fact is None:
            continue
        engine.recall(state, fact, record.utc_s, record.quality)
        if fact[0] in (decisions.BOOT, decisions.FIRMWARE):
            firmware = bytes(fact[-1]).decode("ascii", "replace")
    return Told(codes.LIFECYCLES[state.lifecycle], firmware)
