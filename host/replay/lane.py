"""One core that plays entries of a trace again. Runs on CPython, on MicroPython and on the box.

What the box sealed it is compared with: the CRC-32 of all decisions since the last snapshot
(with refusals, limit and due time of each step), and the whole state at the next snapshot.
"""

from binascii import crc32
from struct import pack_into

from wallbox.core import decisions, engine, events, fields, leases
from wallbox.core import state as memory

SNAPSHOT = 0xF0
DECIDED = 0xF1
FORMAT = 1
NONE = 0xFF
MARKS = 16  # bytes: hash of the core, digest of the configuration
WATCHED = 60  # bytes of the watches


class Lane:
    """A core in the state of a snapshot. `decided` is what DECIDED entries are compared with."""

    def __init__(self) -> None:
        self.state = engine.State()
        self.decided = 0
        self.event = [0] * events.MAX_FIELDS
        self.frozen = False  # the ledger takes nothing: the box asks its core no more
        self._step = bytearray(15)
        self._payload = bytearray(256)

    def restore(self, snapshot: bytes) -> None:
        """Takes over a snapshot, docs/SPEC.md. Raises ValueError if it is none of this core."""
        self.state = state = engine.State()
        self.decided = 0
        self.frozen = False
        if len(snapshot) < 2 + MARKS + WATCHED + 3 or snapshot[0] != FORMAT:
            raise ValueError("no snapshot of a format that is known")
        at = 2 + MARKS
        for watch in state.watches:
            for index in range(6):
                watch[index] = int.from_bytes(snapshot[at : at + 5], "little")
                at += 5
        state.identity, at = _rest(snapshot, at)
        state.digest, at = _rest(snapshot, at)
        at = _leases(state.leases, snapshot, at)
        widths = fields.layout(memory.LASTING) + fields.layout(memory.FLEETING)
        if fields.size(widths) != len(snapshot) - at:
            size = fields.size(widths)
            raise ValueError(f"the state has {len(snapshot) - at} bytes, that of this core {size}")
        names = fields.names(memory.LASTING) + fields.names(memory.FLEETING)
        values = [0] * len(names)
        fields.unpack_into(values, 0, widths, snapshot, at, len(snapshot))
        for index in range(len(names)):
            setattr(state, names[index], values[index])

    def take(self, now: int, packed: bytes):  # type: ignore[no-untyped-def]
        """One event; returns the core's decisions, none while it is frozen."""
        event = self.event
        events.unpack_into(event, packed, 0, len(packed))
        if self.frozen:
            return ()
        taken = engine.step(self.state, event, now)
        if event[0] == events.LEDGER and event[3]:
            self.frozen = True
        self._note(0, 0)
        for decision in taken:
            kind = decision[0]
            if kind >= decisions.LEVELS:
                self._note(kind, decision[1])
            else:
                length = decisions.pack_into(self._payload, 0, decision)
                self._note(kind, length)
                self.decided = crc32(memoryview(self._payload)[:length], self.decided)
        return taken

    def _note(self, kind: int, value: int) -> None:
        state = self.state
        pack_into("<BIIBHHB", self._step, 0, kind, value, state.refusals, state.limit_ma >> 16,
                  state.limit_ma & 0xFFFF, state.due & 0xFFFF, state.due >> 16 & 0xFF)
        self.decided = crc32(self._step, self.decided)


def _rest(snapshot: bytes, at: int):  # type: ignore[no-untyped-def]
    length = snapshot[at]
    if length == NONE:
        return None, at + 1
    end = at + 1 + length
    return bytes(snapshot[at + 1 : end]), end


def _leases(table: bytearray, snapshot: bytes, at: int) -> int:
    while snapshot[at] != NONE:
        slot = snapshot[at] * leases.SIZE
        table[slot : slot + leases.SIZE] = snapshot[at + 1 : at + 1 + leases.SIZE]
        at += 1 + leases.SIZE
    return at + 1
