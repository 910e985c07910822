# Runs on MicroPython: the flash's share of durable readings over many laps of the ledger.
# argv: flash file, how many records, bytes of payload, 1 = with watermark records.

import json
import sys

from wallbox.store.ledger import Ledger

from hw.sim.flash import NorFlash, Partition

SIZE = 512 * 1024
count, payload = int(sys.argv[2]), bytes(int(sys.argv[3]))
flash = NorFlash(sys.argv[1], SIZE)
ledger = Ledger(Partition(flash, 0, SIZE, "ledger"), bytes(32))
ledger.mount()
if sys.argv[4] == "0":
    ledger.flush_acknowledged = lambda: None  # the watermark then lies in the headers alone
append_us = 0
for number in range(count):
    before_us = flash.modelled_us
    ledger.append(4, 3, 1, number * 1000, 1_790_000_000 + number, payload)
    append_us += flash.modelled_us - before_us
    ledger.acknowledge(ledger.next_sequence - 1)
    if number % 10 == 0:
        ledger.erase_ahead()  # as the box does between two polls
wear = [flash.erase_count(sector) for sector in range(SIZE // 4096)]
print(
    json.dumps(
        {
            "bytes_per_1000": flash.bytes_programmed * 1000 / count,
            "erases_per_1000": flash.erases * 1000 / count,
            "modelled_us": flash.modelled_us / count,
            "append_us": append_us / count,
            "wear_spread": max(wear) - min(wear),
        }
    )
)
