"""Puts together what a box sends of its trace: chunks with their offsets, in any order, or none."""

from __future__ import annotations

SECTOR_BYTES = 4096
CHUNK_BYTES_MAX = 1024
_OFFSET_BYTES = 4


class TraceParts:
    """The bytes of sectors `first` to before `first + count`, as far as they have come."""

    def __init__(self, first: int, count: int) -> None:
        self.first = first
        self.count = count
        self._begin = first * SECTOR_BYTES
        self._data = bytearray(count * SECTOR_BYTES)
        self._there = bytearray(count * SECTOR_BYTES)  # 1 for each byte that came
        self.received = 0  # bytes

    def add(self, payload: bytes) -> bool:
        """Take a chunk; False if it is none, or of other sectors."""
        chunk = payload[_OFFSET_BYTES:]
        at = int.from_bytes(payload[:_OFFSET_BYTES], "little") - self._begin
        if not 1 <= len(chunk) <= CHUNK_BYTES_MAX:
            return False
        if at < 0 or at + len(chunk) > len(self._data):
            return False
        end = at + len(chunk)
        self.received += len(chunk) - sum(self._there[at:end])
        self._data[at:end] = chunk
        self._there[at:end] = b"\1" * len(chunk)
        return True

    @property
    def complete(self) -> bool:
        return self.received == len(self._data)

    def holes(self) -> list[tuple[int, int]]:
        """(first sector, count) of each run of sectors of which something is missing."""
        runs: list[tuple[int, int]] = []
        for index in range(self.count):
            if 0 not in self._there[index * SECTOR_BYTES : (index + 1) * SECTOR_BYTES]:
                continue
            sector = self.first + index
            if runs and sum(runs[-1]) == sector:
                runs[-1] = (runs[-1][0], runs[-1][1] + 1)
            else:
                runs.append((sector, 1))
        return runs

    def data(self) -> bytes:
        """All of it; what has not come is erased flash, 0xFF."""
        return bytes(
            byte if there else 0xFF
            for byte, there in zip(self._data, self._there, strict=True)
        )
