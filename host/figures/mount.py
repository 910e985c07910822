"""What it takes to mount a full ring, and LittleFS with one long file."""

from __future__ import annotations

import tempfile

from host.figures.figure import Figure, on_box

BOOTS = 60
SIZES = {"ledger": 0x80000, "trace": 0x100000}  # of the shipped partition table
_READ_B = 21_000
_RAM_B = 4096


def mount() -> list[Figure]:
    figures = []
    with tempfile.TemporaryDirectory() as directory:
        for kind, size in SIZES.items():
            costs = _costs(directory, kind, size)
            peer = _costs(directory, "littlefs", size)[0]
            figures += _figures(kind, costs, peer)
    return figures


def _costs(directory: str, kind: str, size: int) -> list[list[int]]:
    told = on_box("mount.py", f"{directory}/{kind}{size}", kind, str(size), str(BOOTS))
    costs = told["costs"]
    assert isinstance(costs, list)
    return costs


def _figures(kind: str, costs: list[list[int]], peer: list[int]) -> list[Figure]:
    reads = sorted(cost[0] for cost in costs)
    times_us = sorted(cost[1] for cost in costs)
    heaps = sorted(cost[2] for cost in costs)
    middle = len(costs) // 2
    return [
        Figure(f"{kind}, read at mount", reads[-1], "B",
               f"the most of {len(costs)} boots, median {reads[middle]:,}; LittleFS with one file:"
               f" mount, directory and the file's end {peer[0]:,}", most=_READ_B),
        Figure(f"{kind}, RAM of the mounted ring", heaps[-1], "B",
               f"64 bit; the most, median {heaps[middle]:,}; LittleFS and the file {peer[2]:,}",
               most=_RAM_B),
        Figure(f"{kind}, modelled flash time", times_us[middle] / 1000, "ms",
               f"median; the most {times_us[-1] / 1000:.1f}, when a sector is erased; LittleFS"
               f" {peer[1] / 1000:.1f}"),
    ]  # fmt: skip
