"""The benches: each a function that measures and gives figures."""

from __future__ import annotations

import tempfile
from pathlib import Path

from host.figures.figure import REPEATS, Bench, Figure, median_of, on_box
from host.figures.hour import hour

POLLS = 20
RECORDS = 5000
METERS = ("sdm630", "em340", "pro380", "b23")


def append() -> list[Figure]:
    """1,000 durable readings of 32 bytes: the raw ring and its peer on the same flash."""
    with tempfile.TemporaryDirectory() as directory:
        runs = [
            on_box("append.py", f"{directory}/ring{run}", f"{directory}/lfs{run}")
            for run in range(REPEATS)
        ]
    ring, peer = runs[0]["ring"], runs[0]["littlefs"]
    ring_us, raw = median_of([run["ring"]["elapsed_us_median"] for run in runs])
    peer_us, peer_raw = median_of([run["littlefs"]["elapsed_us_median"] for run in runs])
    programmed = peer["bytes_programmed"] / ring["bytes_programmed"]
    erases = peer["erases"] / ring["erases"]
    modelled = peer["modelled_us_mean"] / ring["modelled_us_mean"]
    return [
        Figure("ledger append, CPU", ring_us, "us", f"{raw}; HMAC included"),
        Figure("LittleFS append and flush, CPU", peer_us, "us", peer_raw),
        Figure("ratio of CPU", peer_us / ring_us, "x"),
        Figure("ledger append, modelled flash time", ring["modelled_us_mean"], "us",
               f"LittleFS {peer['modelled_us_mean']} us, {modelled:.0f} x"),
        Figure("programmed for 1,000 readings", ring["bytes_programmed"], "B",
               f"LittleFS {peer['bytes_programmed']} B, {programmed:.1f} x"),
        Figure("erases for 1,000 readings", ring["erases"], "",
               f"LittleFS {peer['erases']}, {erases:.0f} x"),
        Figure("heap allocated by an append", ring["allocated_bytes"], "B",
               "hash objects, which cannot be reused"),
    ]  # fmt: skip


def poll() -> list[Figure]:
    """One poll of each meter at 9600 baud, answering after 40 ms."""
    from hw.sim.meters import SimMeter

    figures = []
    for model in METERS:
        with SimMeter(model, paced=True) as meter:
            told = on_box("poll.py", meter.path, model, str(POLLS))
        note = f"CPU {told['busy_us']} us, the rest is the line and the meter"
        figures.append(Figure(f"poll of {model}", told["elapsed_ms"], "ms", note))
    return figures


def publish() -> list[Figure]:
    """Draining a ledger to mosquitto over loopback, QoS 1, several records a message."""
    from hw.sim.broker import Mosquitto

    with tempfile.TemporaryDirectory() as directory:
        broker = Mosquitto(Path(directory) / "broker")
        broker.start()
        try:
            rates = []
            for run in range(REPEATS):
                flash, port = f"{directory}/flash{run}", str(broker.port)
                told = on_box("publish.py", flash, port, str(RECORDS))
                rates.append(told["records"] / told["elapsed_us"] * 1e6)
        finally:
            broker.stop()
    value, raw = median_of(rates)
    return [Figure("published to mosquitto", value, "records/s", raw)]


BENCHES = (
    Bench("append", "what a durable record costs", append),
    Bench("poll", "how long a poll of the meter takes", poll),
    Bench("publish", "how fast a backlog drains", publish),
    Bench("hour", "an hour of charging: memory after boot and at peak", hour),
)
