"""Which sort of source a path is, and the ledgers that are in it."""

from __future__ import annotations

import stat
import struct
from collections.abc import Iterator
from pathlib import Path

from wallbox.store.record import BATCH

from host.ledger.verify.findings import BOX, DATABASE, IMAGE, Contents, Finding, Progress
from host.ledger.verify.pull import pull
from host.ledger.verify.ring_image import NoLedger, read_image
from host.ledger.verify.rows import Unusable, broken_pages, opened, read_box, serials

_SQLITE = b"SQLite format 3\0"
_TABLE_AT = 0x8000  # the boot loader's partition table
_ENTRY = struct.Struct("<HBBII16sI")
_ENTRY_MAGIC = 0x50AA
_ENTRIES_MAX = 95
_SECTOR_SIZE = 4096
_SECTORS_MIN = 4
_IMAGE_BYTES_MAX = 32 << 20
_RING_BYTES_MAX = 1 << 20
_BOX_PREFIX = "box:"


def sort_of(source: str) -> str:
    """`database`, `image` or `box`, found by looking. Raises Unusable."""
    if source.startswith(_BOX_PREFIX):
        return BOX
    path = Path(source)
    try:
        mode = path.stat().st_mode
        if stat.S_ISCHR(mode):
            return BOX
        if not stat.S_ISREG(mode):
            raise Unusable(f"{source}: no file and no serial port; name one")
        with path.open("rb") as file:
            return DATABASE if file.read(len(_SQLITE)) == _SQLITE else IMAGE
    except OSError as error:
        raise Unusable(f"{source}: cannot be read: {error.strerror}") from None


def port_of(source: str) -> str:
    return source.removeprefix(_BOX_PREFIX)


def read_file(source: str, progress: Progress) -> Contents:
    """The ledger in the image of a flash or of its partition. Raises Unusable."""
    path = Path(source)
    try:
        if path.stat().st_size > _IMAGE_BYTES_MAX:
            raise Unusable(f"{source}: too large for the image of a flash; name another file")
        image = path.read_bytes()
    except OSError as error:
        raise Unusable(f"{source}: cannot be read: {error.strerror}") from None
    base = 0
    found = partition_of(image)
    if found is not None:
        base, size = found
        if base + size > len(image):
            raise Unusable(f"{source}: ends before its ledger does, at {base + size:#x}; dump all")
        image = image[base : base + size]
    elif len(image) > _RING_BYTES_MAX:
        raise Unusable(
            f"{source}: no partition table at {_TABLE_AT:#x} that names a ledger; cut the "
            "ledger's partition out and name that file"
        )
    return _read_image(source, image, base, progress)


def read_port(source: str, progress: Progress) -> tuple[Contents, bytes]:
    """The ledger of the box at a serial port, which is stopped and started again, and its bytes.

    Raises Unusable.
    """
    image, serial = pull(port_of(source), progress)
    contents = _read_image(source, image, 0, progress)
    contents.source, contents.box = BOX, serial
    return contents, image


def read_database(
    source: str, serial: str | None, progress: Progress
) -> Iterator[tuple[Contents, list[Finding]]]:
    """The ledgers of one box or of all, each with what is wrong with the file itself.

    Raises Unusable, also if there is no record of any such box.
    """
    with opened(Path(source)) as connection:
        broken = broken_pages(connection)
        known = serials(connection)
        if serial is not None and serial not in known:
            there = ", ".join(known[:10]) + (" …" if len(known) > 10 else "")
            raise Unusable(f"{source}: nothing of box {serial}; there is {there or 'no box'}")
        if not known:
            raise Unusable(f"{source}: nothing of any box is stored; there is nothing to verify")
        for one in known if serial is None else [serial]:
            yield read_box(connection, one, progress), broken


def partition_of(image: bytes, wanted: str = "ledger") -> tuple[int, int] | None:
    """Offset and size of a partition by a whole flash's table; None: there is none."""
    for number in range(_ENTRIES_MAX):
        at = _TABLE_AT + number * _ENTRY.size
        if at + _ENTRY.size > len(image):
            return None
        magic, _, _, offset, size, name, _ = _ENTRY.unpack_from(image, at)
        if magic != _ENTRY_MAGIC:
            return None
        if name.rstrip(b"\0") == wanted.encode():
            return offset, size
    return None


def _read_image(source: str, image: bytes, base: int, progress: Progress) -> Contents:
    if len(image) % _SECTOR_SIZE or len(image) < _SECTORS_MIN * _SECTOR_SIZE:
        raise Unusable(
            f"{source}: neither a collector's database nor the image of a flash or of its ledger "
            f"({len(image)} bytes are no sectors of {_SECTOR_SIZE}); name one of these"
        )
    if not image.strip(b"\xff"):
        raise Unusable(f"{source}: the ledger is blank: erased, or of a box that never ran")
    try:
        contents = read_image(image, progress, base=base)
    except NoLedger as error:
        raise Unusable(f"{source}: no ledger: {error}; name another file") from None
    if any(one.data[1] & 0x3F == BATCH for one in contents.stored[:8]):
        raise Unusable(f"{source}: a trace, which proves nothing; name the ledger")
    return contents
