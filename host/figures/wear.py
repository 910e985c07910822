"""How long the flash lasts, and how old the last register before a power cut is for that."""

from __future__ import annotations

import tempfile
from concurrent.futures import ThreadPoolExecutor

from host.figures.append import READINGS, STEADY
from host.figures.figure import Figure, on_box

ENDURANCE = 100_000  # erasures a sector stands
LEDGER_SECTORS = 128
TRACE_SECTORS = 256
DAYS_A_YEAR = 365.25
SECONDS_A_DAY = 86_400
_YEARS = 100


def wear() -> list[Figure]:
    with tempfile.TemporaryDirectory() as directory, ThreadPoolExecutor(2) as pool:
        steady = pool.submit(on_box, "steady.py", f"{directory}/steady", str(STEADY), "5", "1")
        peer = pool.submit(
            on_box, "append.py", f"{directory}/ring", f"{directory}/lfs", str(READINGS)
        )
        usual = _day(directory, session_h=2, sessions=4, hours=24)
        always = _day(directory, session_h=24, sessions=1, hours=24)
        erases = steady.result()["erases_per_1000"] / 1000
        peer_erases = peer.result()["littlefs"]["erases"] / READINGS
    return [*_known(usual, always), *_shipped(usual, always), *_each_second(erases, peer_erases)]


def life_years(erases_a_day: float, sectors: int) -> float:
    """How long sectors last that are erased in turns."""
    return ENDURANCE / (erases_a_day / sectors) / DAYS_A_YEAR


def _day(directory: str, session_h: int, sessions: int, hours: int) -> dict[str, float]:
    path = f"{directory}/day{session_h}x{sessions}"
    arguments = [str(number) for number in (session_h, sessions, hours)]
    return on_box("day.py", path, *arguments, heap="400wK")


def _known(usual: dict[str, float], always: dict[str, float]) -> list[Figure]:
    charging = max(usual["longest_charging_s"], always["longest_charging_s"])
    return [
        Figure("age of the register at a power cut, charging", charging, "s",
               "the longest between two readings in the trace of two played days", most=10),
        Figure("age of the register at a power cut, idle", usual["longest_idle_s"], "s",
               "the same", most=60),
        Figure("events for which the trace had no room", usual["lost"] + always["lost"], "", "",
               most=0),
    ]  # fmt: skip


def _shipped(usual: dict[str, float], always: dict[str, float]) -> list[Figure]:
    figures = []
    for name, day in (("4 sessions of 2 h", usual), ("24 h of charging", always)):
        erases = day["trace_erases"]
        figures.append(
            Figure(f"trace, {name} a day", life_years(erases, TRACE_SECTORS), "years",
                   f"{day['readings']:,} readings, {day['trace_bytes']:,} B, {erases} erases a day"
                   f" / {TRACE_SECTORS} sectors, each good for {ENDURANCE:,}", least=_YEARS)
        )  # fmt: skip
    reading_us = usual["trace_modelled_us"] / usual["readings"]
    figures.append(
        Figure("modelled flash time of a reading in the trace", reading_us, "us",
               f"{usual['trace_bytes'] / usual['readings']:.0f} B, the events between included")
    )  # fmt: skip
    return [*figures, _ledger(usual)]


def _ledger(day: dict[str, float]) -> Figure:
    erases = day["ledger_bytes"] / 4064  # of a sector; one is begun on such a day
    note = (
        f"an interval each quarter, 4 sessions, watermarks: {day['ledger_bytes']:,} B ="
        f" {erases:.2f} erases a day / {LEDGER_SECTORS}"
    )
    years = life_years(erases, LEDGER_SECTORS)
    return Figure("ledger, 4 sessions of 2 h a day", years, "years", note, least=_YEARS)


def _each_second(erases: float, peer_erases: float) -> list[Figure]:
    """32 bytes each second, which the product writes nowhere: the goal's own case."""
    return [
        Figure(f"{name}, if it got 32 B each second",
               life_years(one * SECONDS_A_DAY, sectors), "years",
               f"{one * 1000:,.2f} erases for 1,000 = {one * SECONDS_A_DAY:,.0f} a day / {sectors}"
               f"{note}", least=least)
        for name, one, sectors, note, least in (
            ("trace", erases, TRACE_SECTORS, "; it gets a reading in 10 s, or in 60 s", _YEARS),
            ("ledger", erases, LEDGER_SECTORS, "; it gets an interval in 900 s, and sessions",
             _YEARS),
            ("LittleFS of 1 MB", peer_erases, TRACE_SECTORS, ", in turns", None),
        )
    ]  # fmt: skip
