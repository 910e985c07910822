"""The status that the box publishes about itself."""

import json

from wallbox import why_texts

PAYLOAD_BYTES_MAX = 2048  # what the link takes

WORST = """
class Part:
    def __init__(self, **values):
        for name in values:
            setattr(self, name, values[name])

from wallbox import report
from wallbox.core import codes, engine
from wallbox.drivers.meter_reading import Reading

assert tuple(report.LIFECYCLES.split(",")) == codes.LIFECYCLES
assert report._LOOPS == codes.SEAL_LOOPS

U24, U32, U40 = 0xFFFFFF, 0xFFFFFFFF, 0xFFFFFFFFFF
reading = Reading()
for name in dir(reading):
    if name.endswith(("_w", "_ma", "_mv")):
        setattr(reading, name, -(1 << 31))
reading.register_wh = U40
state = engine.State()
for name, value in dict(
    letter=0, session_phase=3, refusals=0xFFFFFFFF, contactor=0, duty_permille=1000, reading=1,
    limit_ma=U24, clock_quality=0, session=U32, session_utc_s=U32, limit_source=0,
    session_begin_wh=1, session_carried_wh=U40, lifecycle=5, seal_open=3, seal_broken=3,
    command_counter=U32,
    mode=0, absent=1, absent_utc_s=U32,
).items():
    setattr(state, name, value)
state.limits[:] = [U24 - 1] * 7
ledger = Part(next_sequence=U32, acknowledged=U32, fill_permille=1000, damaged=U32)
agent = Part(state=state, ledger=ledger, boot=0xFFFF, inbox=Part(discarded=U32), trace_failed=False)
report.clock.utc_s = lambda state, now: U32
report.why.status.of = lambda state: 3  # the longest of the names
tags = Part(reader=Part(works=0), tags=Part(version=U32, blocks=255))
made = report.Report("W" * 24, "255.255.255-rc255", agent, Part(meter=Part(reading=reading)),
                     Part(now=lambda: U40), tags)
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
    assert told["seals"] == {"open": ["lid", "terminal cover"], "broken": ["lid", "terminal cover"]}
    longest = 0
    for table in (why_texts.ENGLISH, why_texts.DANISH):
        longest += max(len(line.encode()) for line in table.split("\n"))
    assert len(text.encode()) + longest < PAYLOAD_BYTES_MAX
    print(len(text.encode()), "bytes, and", longest, "if its sentences were the longest")
