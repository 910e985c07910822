# Runs on MicroPython: how long the ledger lasts without the operator, written by the real agent.
# argv: flash files, bytes of the ledger, bytes of the trace.

import json
import sys

from wallbox.core import events

from host.figures.on_box.player import Player

QUARTER_MS = 900_000
DAY = 96  # quarters
SESSIONS = (28, 44, 64, 80)  # quarters of the day in which a car comes
STAY = 2  # quarters
STEP_WH = 2750  # of a quarter at 11 kW

player = Player(sys.argv[1], int(sys.argv[2]), int(sys.argv[3]))
player.online = False
agent, ledger = player.agent, player.ledger
register_wh = 12_345_678


def read():
    player.send(events.METER_READING, register_wh, *[0] * 11)


def tell():
    agent.tell_ledger()
    player.drain()


def plug():
    player.letter("B")
    read()
    player.letter("C")
    player.follow()


def unplug():
    player.letter("A")
    player.follow()
    read()


def quarters():
    """Numbers of the quarters that end one after the other, each with its reading."""
    global register_wh
    number = 0
    while not agent.halted:
        if player.contactor.closed:
            register_wh += STEP_WH
        read()
        tell()
        yield number
        number += 1
        player.now += QUARTER_MS


def days_until_full():
    """Up to the fill level at which the next car is refused; counts days and quarters."""
    read()
    for number in quarters():
        if agent.state.ledger_full:
            return number
        place = number % DAY
        if place in SESSIONS:
            plug()
        elif place - STAY in SESSIONS:
            unplug()


full_at = days_until_full()
records = ledger.next_sequence - 1
told = {"days": full_at / DAY, "records": records, "full_permille": ledger.fill_permille}

# The same up to that level, with a car that stays: what the reserve holds.
again = Player(sys.argv[1] + "2", int(sys.argv[2]), int(sys.argv[3]))
again.online = False
player, agent, ledger = again, again.agent, again.ledger
read()
plug()
first = 0
for _ in quarters():
    if agent.state.ledger_full and not first:
        first = ledger.next_sequence
told["reserve_records"] = ledger.next_sequence - first
told["halted"] = agent.halted
told["last_permille"] = ledger.fill_permille
print(json.dumps(told))
