# Runs on MicroPython: what a day of the product writes, and how old the last register ever is.
# argv: flash files, hours of a session, sessions a day, hours played.

import json
import sys

from wallbox.core import events
from wallbox.store import record
from wallbox.store.trace import events as entries

from host.figures.on_box.player import Player

HOUR_MS = 3_600_000
CHARGING_W = 11_000

path, session_h, sessions, hours = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4])
player = Player(path)
player.run(10_000)
flashes = player.ledger_flash, player.trace_flash
before = [(flash.bytes_programmed, flash.erases, flash.modelled_us) for flash in flashes]
charging = []  # (begin, end) of each session, ms
for session in range(sessions):
    player.letter("B")
    player.run(player.now + 5_000)
    player.letter("C")
    player.follow()
    player.meter.power_w = CHARGING_W
    charging.append((player.now, player.now + session_h * HOUR_MS))
    player.run(charging[-1][1])
    player.meter.power_w = 0
    player.letter("A")
    player.run((session + 1) * hours * HOUR_MS // sessions)
player.run(hours * HOUR_MS)
spent = [(flash.bytes_programmed, flash.erases, flash.modelled_us) for flash in flashes]


def readings():
    """The time of each reading in the trace."""
    for found in player.trace.records(player.trace.oldest_sequence):
        if found[1] == record.BATCH:
            for uptime_ms, event in entries(found[6], found[4]):
                if event[0] == events.METER_READING:
                    yield uptime_ms


def gap_s(kept):
    """The longest time between two readings, of those that begin in the kept time."""
    longest, last = 0, None
    for at in readings():
        if last is not None and kept(last, at) and at - last > longest:
            longest = at - last
        last = at
    return longest / 1000


def in_session(begin, end):
    return any(begin >= first and end <= last for first, last in charging)


told = {
    "readings": sum(1 for _ in readings()),
    "lost": player.trace.lost,
    "longest_charging_s": gap_s(in_session),
    "longest_idle_s": gap_s(lambda begin, end: not in_session(begin, end)),
    "hours": hours,
}
for index, name in enumerate(("ledger", "trace")):
    for part, unit in enumerate(("bytes", "erases", "modelled_us")):
        told[name + "_" + unit] = spent[index][part] - before[index][part]
told["ledger_records"] = player.ledger.next_sequence - 1
print(json.dumps(told))
