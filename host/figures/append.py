"""What a durable reading costs: the ring and LittleFS on the same simulated flash."""

from __future__ import annotations

import tempfile

from host.figures.figure import REPEATS, Figure, median_of, on_box
from hw.sim.flash import ERASE_US, PROGRAM_UNIT, PROGRAM_US, SECTOR_SIZE

READINGS = 1000
STEADY = 50_000
_PAYLOAD = 5  # the register; a record of 32 bytes
_SHORT_PAYLOAD = 2  # a difference of registers; a record of 29 bytes


def append() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory:
        runs = [
            on_box("append.py", f"{directory}/ring{run}", f"{directory}/lfs{run}", str(READINGS))
            for run in range(REPEATS)
        ]
        steady = _steady(directory, _PAYLOAD, watermark=True)
        ways = {
            "no watermark records": _steady(directory, _PAYLOAD, watermark=False),
            "2 bytes of payload": _steady(directory, _SHORT_PAYLOAD, watermark=True),
        }
    return [*_flash(runs[0], steady), *_time(runs[0], steady, ways), *_cpu(runs)]


def bound_us(record: int) -> float:
    """The least modelled flash time of a record of so many bytes, programmed by itself.

    One program, and its part of the sector's erasure, if the sector held nothing but records.
    """
    programs = -(-record // PROGRAM_UNIT)
    return programs * PROGRAM_US + ERASE_US / (SECTOR_SIZE // record)


def _steady(directory: str, payload: int, watermark: bool) -> dict[str, float]:
    path = f"{directory}/steady{payload}{watermark}"
    return on_box("steady.py", path, str(STEADY), str(payload), str(int(watermark)))


def _flash(first: dict[str, dict[str, float]], steady: dict[str, float]) -> list[Figure]:
    ring, peer = first["ring"], first["littlefs"]
    many = f"mean of {STEADY:,}"
    return [
        Figure("programmed for 1,000 readings", ring["bytes_programmed"], "B",
               f"LittleFS {peer['bytes_programmed']:,}; {many}: {steady['bytes_per_1000']:,.0f}"),
        Figure("programmed, LittleFS / ring", peer["bytes_programmed"] / ring["bytes_programmed"],
               "x", f"with the {many}: {peer['bytes_programmed'] / steady['bytes_per_1000']:.1f}",
               least=62),
        Figure("erases for 1,000 readings", ring["erases"], "",
               f"LittleFS {peer['erases']:,}; {many}: {steady['erases_per_1000']:.2f}"),
        Figure("erases, LittleFS / ring", peer["erases"] / steady["erases_per_1000"], "x",
               f"with the {many}; with the first 1,000: {peer['erases'] / ring['erases']:.0f}",
               least=127),
        Figure("spread of wear", steady["wear_spread"], "erases", many, most=1),
    ]  # fmt: skip


def _time(
    first: dict[str, dict[str, float]], steady: dict[str, float], ways: dict[str, dict[str, float]]
) -> list[Figure]:
    peer_us = first["littlefs"]["modelled_us"]
    least_us = bound_us(27 + _PAYLOAD)
    model = f"{PROGRAM_US} us a program of {PROGRAM_UNIT} B, {ERASE_US // 1000} ms an erase"
    return [
        Figure("modelled flash time of a reading", steady["modelled_us"], "us",
               f"{model}; mean of {STEADY:,}, erasures included; LittleFS {peer_us:,.0f}; no record"
               f" of 32 B can take less than {least_us:.1f}; first 1,000:"
               f" {first['ring']['modelled_us']:.0f}", most=800),
        Figure("of it while somebody waits", steady["append_us"], "us",
               "in append; sectors are erased ahead, between two polls", most=800),
        *(
            Figure(f"tried: {name}", told["modelled_us"], "us", f"mean of {STEADY:,}", most=800)
            for name, told in ways.items()
        ),
    ]  # fmt: skip


def _cpu(runs: list[dict[str, dict[str, float]]]) -> list[Figure]:
    ring_us, ring_raw = median_of([run["ring"]["cpu_us_median"] for run in runs])
    peer_us, peer_raw = median_of([run["littlefs"]["cpu_us_median"] for run in runs])
    ratio, raw = median_of(
        [run["littlefs"]["cpu_us_median"] / run["ring"]["cpu_us_median"] for run in runs]
    )
    mean, mean_raw = median_of([run["littlefs"]["cpu_us"] / run["ring"]["cpu_us"] for run in runs])
    return [
        Figure("CPU of a reading, ring", ring_us, "us",
               f"median of turns of 10; {ring_raw}; HMAC and the simulated flash included"),
        Figure("CPU of a reading, LittleFS", peer_us, "us", f"median; {peer_raw}"),
        Figure("CPU of the medians, LittleFS / ring", ratio, "x", raw, least=10),
        Figure("CPU of all, LittleFS / ring", mean, "x",
               f"with erasures and garbage collection; {mean_raw}", least=10),
    ]  # fmt: skip
