"""What lies in a box's flash: files, and facts of the ledger."""

from __future__ import annotations

from littlefs import LittleFS, UserContext
from wallbox.core import codes, decisions

from host import image
from tests import spec_reader


def file_in(flash: bytes, name: str) -> bytes:
    files = _mounted(flash)  # must outlive its files
    with files.open(name, "rb") as file:
        return file.read()


def names_in(flash: bytes) -> list[str]:
    """Files and folders of the root."""
    return sorted(_mounted(flash).listdir("/"))


def _mounted(flash: bytes) -> LittleFS:
    data = partition_of(flash, "vfs")
    context = UserContext(len(data))
    context.buffer = bytearray(data)
    return LittleFS(context, mount=True, block_size=4096, block_count=len(data) // 4096)


def partition_of(flash: bytes, name: str) -> bytes:
    part = image.partitions()[name]
    return flash[part.offset : part.offset + part.size]


def facts_in(flash: bytes, key: bytes, kind: str) -> list[dict]:
    """The facts of a kind, oldest first; codes of one name each as names."""
    told = []
    ring = partition_of(flash, "ledger")
    for record in spec_reader.believed(key, b"wallbox ledger", ring):
        name, specification = decisions.facts().get(record.kind, ("", ""))
        if name == kind:
            fields = [field.split(" ")[0] for field in specification.split(",")]
            fact = decisions.unpack(record.kind, record.payload)
            told.append(dict(zip(fields, fact[1:], strict=True)))
    for fact in told:
        for field, value in fact.items():
            table = codes.NAMES.get((kind, field))
            if table and table[0] is not None:
                fact[field] = table[value]
    return told
