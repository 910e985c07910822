"""The status that the box publishes about itself."""

import json

PAYLOAD_BYTES_MAX = 1536  # what the link takes

WORST = """
class Part:
    def __init__(self, **values):
        for name in values:
            setattr(self, name, values[name])

from wallbox import report
from wallbox.drivers.meter_reading import Reading

U32, U40 = 0xFFFFFFFF, 0xFFFFFFFFFF
reading = Reading()
for name in dir(reading):
    if name.endswith(("_w", "_ma", "_mv")):
        setattr(reading, name, -(1 << 31))
reading.register_wh = U40
state = Part(
    letter=0, session_phase=99, refusals=0xFFFFFFFF, contactor=0, duty_permille=1000, reading=1,
    limit_ma=U32, clock_quality=0, utc_s=U32, utc_at_ms=0, session=U32, session_utc_s=U32,
    session_begin_wh=1, session_carried_wh=U40,
)
ledger = Part(next_sequence=U32, acknowledged=U32, fill_permille=1000, damaged=U32)
agent = Part(state=state, ledger=ledger, boot=0xFFFF, inbox=Part(discarded=U32))
report.clock.utc_s = lambda state, now: U32
report.status.of = lambda state: 3  # the longest of the names
made = report.Report("W" * 24, "255.255.255-rc255", agent, Part(meter=Part(reading=reading)),
                     Part(now=lambda: U40))
made.watch_link(Part(last_outage=255, outages=U32))
print(made.build().decode())
"""


def test_the_longest_status_fits_the_link(micropython, tmp_path):
    # the heap of the chip is the one thing that the interpreter of this machine has not
    (tmp_path / "esp32.py").write_text(
        "HEAP_DATA = 4\ndef idf_heap_info(kind): return [(4194304, 4194304, 4194304, 4194304)]\n"
    )
    text = micropython.run(WORST, path=[tmp_path]).strip()
    told = json.loads(text)
    assert len(told["refusals"]) >= 8 and told["state"] == "SuspendedEVSE"
    assert told["power_phase_w"] == [-(1 << 31)] * 3 and told["session"] is not None
    assert len(text.encode()) < PAYLOAD_BYTES_MAX, len(text)
    print(len(text))
