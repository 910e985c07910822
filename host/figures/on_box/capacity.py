# Runs on MicroPython: how long the ledger lasts without the operator, written by the real agent.
# argv: flash files, bytes of the ledger, bytes of the trace, mode (1: reader required), grace in h.

import json
import sys

from wallbox.core import events

from host.figures.on_box.player import Player

QUARTER_MS = 900_000
DAY = 96  # quarters
SESSIONS = (28, 44, 64, 80)  # quarters of the day in which a car comes
STAY = 2  # quarters
STEP_WH = 2750  # of a quarter at 11 kW

TAG = bytes(range(8))
ledger_size, trace_size, mode, grace_h = [int(word) for word in sys.argv[2:6]]


def away(path):
    """An agent that never reaches the operator."""
    player = Player(path, ledger_size, trace_size, mode, grace_h)
    player.online = False
    return player, player.agent, player.ledger


player, agent, ledger = away(sys.argv[1])
register_wh = 12_345_678
sessions = 0
refused_at = None  # ms, the first car


def read():
    player.send(events.METER_READING, register_wh, *[0] * 11)


def tell():
    agent.tell_ledger()
    player.drain()


def tap():
    if mode:
        player.send(events.TAG, 0, 0, 7, 16_000, 0, 0, 1, TAG)


def plug():
    """A car comes; it counts as a session if it gets power in one of its own."""
    global sessions, refused_at
    before = agent.state.session
    player.letter("B")
    tap()
    read()
    player.letter("C")
    player.follow()
    if player.contactor.closed and agent.state.session == before + 1:
        sessions += 1
    elif refused_at is None:
        refused_at = player.now


def unplug():
    tap()
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
expected = len(SESSIONS) * (full_at // DAY) + sum(at < full_at % DAY for at in SESSIONS)
told = {
    "days": full_at / DAY,
    "sessions": sessions,
    "expected": expected,
    "refused_h": None if refused_at is None else refused_at / 3_600_000,
    "records": records,
    "full_permille": ledger.fill_permille,
}

# The same up to that level, with a car that stays: what the reserve holds.
player, agent, ledger = away(sys.argv[1] + "2")
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
