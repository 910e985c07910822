"""How fast a backlog drains."""

from __future__ import annotations

import tempfile
from pathlib import Path

from host.figures.figure import REPEATS, Figure, median_of, on_box

RECORDS = 5000


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
