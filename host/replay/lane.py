"""One core that plays entries of a trace again. Runs on CPython, on MicroPython and on the chip.

What the box sealed it is compared with: the CRC-32 of all decisions since the last snapshot
(with refusals, limit and due time of each step), and the whole state at the next snapshot.
"""

from binascii import crc32
from struct import pack_into

SNAPSHOT = 0xF0
DECIDED = 0xF1
FORMAT = 1
NONE = 0xFF
MARKS = 16  # bytes: hash of the core, digest of the configuration
WATCHED = 60  # bytes of the watches
BESIDE = ("identity", "digest", "watches", "leases")  # in a snapshot beside the tables' fields


class Lane:
    """A core in the state of a snapshot. `decided` is what DECIDED entries are compared with."""

    def __init__(self, core=None, layout: str = ""):  # type: ignore[no-untyped-def]
        """core: a package with engine, events, decisions, fields, leases and state, imported;
        None: that of wallbox. layout: the fields of the state in the snapshots; "": the core's.
        """
        self.core = core = core or _wallbox_core()
        fields, memory = core.fields, core.state
        self.names = fields.names(memory.LASTING) + fields.names(memory.FLEETING)
        self._recorded = self._known = self.names
        if layout:
            self._recorded = fields.names(layout)
            self._known = [name for name in self._recorded if name in self.names]
            self._widths = fields.layout(layout)
        else:
            self._widths = fields.layout(memory.LASTING) + fields.layout(memory.FLEETING)
        self._size = fields.size(self._widths)
        self.state = core.engine.State()
        self.decided = 0
        self.event = [0] * core.events.MAX_FIELDS
        self.frozen = False  # the ledger takes nothing: the box asks its core no more
        self.unknown = 0  # events that this core does not know
        self._step = bytearray(15)
        self._payload = bytearray(256)

    def restore(self, snapshot: bytes) -> None:
        """Takes over a snapshot, docs/SPEC.md. Raises ValueError if it is none of this lay-out."""
        self.state = state = self.core.engine.State()
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
        at = self._take_leases(state.leases, snapshot, at)
        if self._size != len(snapshot) - at:
            had = len(snapshot) - at
            raise ValueError(f"the state has {had} bytes, that of these rules {self._size}")
        self.fill(state, snapshot, at)

    def fill(self, state, snapshot: bytes, at: int) -> None:  # type: ignore[no-untyped-def]
        """The fields of the tables; those that this core does not have are left."""
        values = [0] * len(self._recorded)
        self.core.fields.unpack_into(values, 0, self._widths, snapshot, at, len(snapshot))
        for index in range(len(values)):
            if self._known is self._recorded or self._recorded[index] in self._known:
                setattr(state, self._recorded[index], values[index])

    def differing(self, state) -> list:  # type: ignore[no-untyped-def, type-arg]
        """The names of all that `state`, of the same core, has otherwise than the lane's."""
        mine = self.state
        found = [name for name in self._known if getattr(mine, name) != getattr(state, name)]
        for name in BESIDE:
            if getattr(mine, name) != getattr(state, name):
                found.append(name)
        return found

    def take(self, now: int, packed: bytes):  # type: ignore[no-untyped-def]
        """One event; returns the core's decisions, none while it is frozen."""
        event = self.event
        try:
            self.core.events.unpack_into(event, packed, 0, len(packed))
        except ValueError:
            self.unknown += 1
            return ()
        return self.step(now)

    def step(self, now: int):  # type: ignore[no-untyped-def]
        """What is in `event`."""
        if self.frozen:
            return ()
        event, core = self.event, self.core
        taken = core.engine.step(self.state, event, now)
        if event[0] == core.events.LEDGER and event[3]:
            self.frozen = True
        self._note(0, 0)
        for decision in taken:
            kind = decision[0]
            if kind >= core.decisions.LEVELS:
                self._note(kind, decision[1])
            else:
                length = core.decisions.pack_into(self._payload, 0, decision)
                self._note(kind, length)
                self.decided = crc32(memoryview(self._payload)[:length], self.decided)
        return taken

    def _note(self, kind: int, value: int) -> None:
        state = self.state
        limit_ma, due = state.limit_ma, state.due
        pack_into("<BIIBHHB", self._step, 0, kind, value, state.refusals, limit_ma >> 16,
                  limit_ma & 0xFFFF, due & 0xFFFF, due >> 16 & 0xFF)
        self.decided = crc32(self._step, self.decided)

    def _take_leases(self, table: bytearray, snapshot: bytes, at: int) -> int:
        size = self.core.leases.SIZE
        slots = len(table) // size
        while snapshot[at] != NONE:
            slot = snapshot[at]
            if slot >= slots or at + 1 + size >= len(snapshot):
                raise ValueError("the table of limits in the snapshot is not one")
            table[slot * size : (slot + 1) * size] = snapshot[at + 1 : at + 1 + size]
            at += 1 + size
        return at + 1


def _wallbox_core():  # type: ignore[no-untyped-def]
    import wallbox.core.engine

    return wallbox.core


def _rest(snapshot: bytes, at: int):  # type: ignore[no-untyped-def]
    length = snapshot[at]
    if length == NONE:
        return None, at + 1
    end = at + 1 + length
    if end + 1 >= len(snapshot):
        raise ValueError("the snapshot ends too early")
    return bytes(snapshot[at + 1 : end]), end
