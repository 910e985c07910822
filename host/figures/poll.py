"""How long a poll of each meter takes."""

from __future__ import annotations

from host.figures.figure import Figure, on_box

POLLS = 20
METERS = ("sdm630", "em340", "pro380", "b23")


def poll() -> list[Figure]:
    """One poll of each meter at 9600 baud, answering after 40 ms."""
    from hw.sim.meters import SimMeter

    figures = []
    for model in METERS:
        with SimMeter(model, paced=True) as meter:
            told = on_box("poll.py", meter.path, model, str(POLLS))
        note = f"median of {POLLS}; CPU {told['busy_us']} us, the rest is the line and the meter"
        figures.append(Figure(f"poll of {model}", told["elapsed_ms"], "ms", note))
    return figures
