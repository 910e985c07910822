"""Golden logs: recorded events whose decisions and states are kept, for every lane to repeat.

A log (golden/*.events) has a line for each event, its `now` in ms since boot and its packed
bytes in hex, and `cut` where the power went off and on. `golden/digests.txt` tells, at every
fiftieth event, what the decisions and the packed states were up to there. Runs on CPython and
on MicroPython. `make golden` is this file's command: golden_logs.py [--record]
"""

import binascii
import hashlib
import os
import sys

from wallbox.core import decisions, engine, events

from tests.lane import Lane, Random

FOLDER = __file__.rsplit("/", 1)[0] + "/golden/"
DIGESTS = FOLDER + "digests.txt"
STORIES = {"seed_7": 7, "seed_10": 10, "seed_31": 31, "seed_2026": 2026}
EVENTS = 500
CUT_EVERY = 110  # steps; the lane's own cuts are rare
CHECKPOINT = 50  # events


class Recorder(Lane):
    """A lane that writes its log."""

    def __init__(self, seed):
        Lane.__init__(self, Random(seed))
        self.lines = []
        self.events = 0

    def take(self):
        if self.events == EVENTS:
            return
        length = events.pack_into(self.packed, 0, self.event)
        packed = binascii.hexlify(self.packed[:length]).decode()
        self.lines.append(f"{self.now} {packed}\n")
        self.events += 1
        Lane.take(self)

    def forget(self):
        self.lines.append("cut\n")
        Lane.forget(self)

    def record(self):
        self.boot(1)
        steps = 0
        while self.events < EVENTS:
            self.step()
            steps += 1
            if steps % CUT_EVERY == 0:
                self.cut()
        return self.lines


class Replay(Lane):
    """Plays a log's lines. `digest` is of the decisions, `states` of the packed states."""

    def __init__(self):
        Lane.__init__(self, None)
        self.states = hashlib.sha256()
        self.kinds = set()  # of decisions

    def play(self, lines):
        """What DIGESTS has of it: (events, digest of decisions, digest of states) in hex."""
        told = []
        count = 0
        for line in lines:
            if line.startswith("cut"):
                self.forget()
                continue
            now, packed = line.split()
            self.now = int(now)
            self.hear(binascii.unhexlify(packed))
            count += 1
            if count % CHECKPOINT == 0:
                told.append((count,) + self.checkpoint())
        return told

    def hear(self, packed):
        events.unpack_into(self.event, packed, 0, len(packed))
        for decision in engine.step(self.state, self.event, self.now):
            self.kinds.add(decision[0])
            if decision[0] < decisions.LEVELS:
                self.digest.update(bytes([decision[0]]))
                self.fact(decision)
            else:
                self.digest.update(repr(decision).encode())
        length = engine.pack(self.state, self.packed)
        self.states.update(memoryview(self.packed)[:length])
        self.states.update(self.state.leases)

    def checkpoint(self):
        """Both digests up to here, which the ones that follow go on from."""
        both = self.digest.digest(), self.states.digest()
        self.digest, self.states = hashlib.sha256(both[0]), hashlib.sha256(both[1])
        return tuple(binascii.hexlify(one[:8]).decode() for one in both)


def replay(story):
    """Lines as in DIGESTS of one of STORIES."""
    with open(FOLDER + story + ".events") as log:
        told = Replay().play(log)
    return [f"{story} {count} {decided} {states}" for count, decided, states in told]


def kept(story):
    """What is stored of it."""
    if "digests.txt" not in os.listdir(FOLDER):
        return []
    with open(DIGESTS) as file:
        return [line.strip() for line in file if line.startswith(story + " ")]


def renew(record):
    """Writes DIGESTS, and says what changed. A log that cannot be read any more is recorded
    anew, every log if `record`."""
    lines = []
    for story in STORIES:
        was = kept(story)
        try:
            if record:
                raise ValueError("as ordered")
            made = replay(story)
            say(story, made, was)
        except (OSError, ValueError, IndexError) as reason:
            write_log(story)
            made = replay(story)
            print(f"{story}: recorded anew: {reason}")
        lines += made
    with open(DIGESTS, "w") as file:
        file.write("".join(line + "\n" for line in lines))


def say(story, made, was):
    for new in made:
        if was and new not in was:
            count = int(new.split()[1])
            print(f"{story}: decided otherwise from events {count - CHECKPOINT + 1} to {count} on")
            return
    print(f"{story}: {'as it was' if made == was else 'new'}")


def write_log(story):
    lines = Recorder(STORIES[story]).record()
    with open(FOLDER + story + ".events", "w") as log:
        log.write("".join(lines))


if __name__ == "__main__":
    renew("--record" in sys.argv[1:])
