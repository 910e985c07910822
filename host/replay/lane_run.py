"""Plays a file of frames on MicroPython, also on a chip, and prints what came of it.

A frame: what it is u8, length u16, now u40, and so many bytes. LAYOUT: the fields of the state in
what follows. SNAPSHOT: a segment begins; now is 1 if it goes on where the one before ended. ENTRY.
Printed, of each segment: its number, what was decided, the state at its end, the entry at which
decisions differed or -1, and the fields that differ at the next snapshot.
"""

from binascii import crc32

from host.replay.lane import DECIDED, Lane

LAYOUT, SNAPSHOT, ENTRY = 0, 1, 2
HEAD = 8


class Run:
    """`core`: the package, with its modules imported."""

    def __init__(self, core, say):  # type: ignore[no-untyped-def]
        self.core = core
        self.say = say
        self.lane = Lane(core)
        self.buffer = bytearray(core.engine.STATE_SIZE)
        self.number = -1
        self.index = 0
        self.differed = -1
        self.lost = False  # the snapshot could not be taken over

    def frame(self, what: int, now: int, data: bytes) -> None:
        if what == ENTRY:
            self.entry(now, data)
        elif what == SNAPSHOT:
            self.begin(now, data)
        else:
            self.close(None)
            self.lane = Lane(self.core, data.decode())

    def begin(self, follows: int, snapshot: bytes) -> None:
        lane = self.lane
        mine, decided, comparable = lane.state, lane.decided, follows and not lane.frozen
        try:
            lane.restore(snapshot)
        except ValueError:
            self.close(None)
            self.lost = True
            self.number += 1
            return
        theirs, zero = lane.state, lane.decided
        lane.state, lane.decided = mine, decided
        self.close(theirs if comparable else None)
        lane.state, lane.decided = theirs, zero
        self.number += 1
        self.index = 0
        self.differed = -1
        self.lost = False

    def entry(self, now: int, data: bytes) -> None:
        lane = self.lane
        if self.lost:
            return
        if data[0] != DECIDED:
            lane.take(now, data)
        elif self.differed < 0 and not lane.frozen:
            if int.from_bytes(data[1:5], "little") != lane.decided:
                self.differed = self.index
        self.index += 1

    def close(self, theirs) -> None:  # type: ignore[no-untyped-def]
        """Tells of the segment that ends, if it had entries."""
        lane = self.lane
        if self.index and not self.lost:
            names = lane.differing(theirs) if theirs else []
            self.core.engine.pack(lane.state, self.buffer)
            state = crc32(lane.state.leases, crc32(self.buffer))
            self.say(f"S {self.number} {lane.decided} {state} {self.differed} {','.join(names)}")
        self.index = 0


def run(path: str, core, say=print) -> None:  # type: ignore[no-untyped-def]
    """Plays the frames of a file."""
    running = Run(core, say)
    with open(path, "rb") as file:
        while True:
            head = file.read(HEAD)
            if len(head) < HEAD:
                break
            length = int.from_bytes(head[1:3], "little")
            now = int.from_bytes(head[3:8], "little")
            running.frame(head[0], now, file.read(length))
    running.close(None)
    say("END")
