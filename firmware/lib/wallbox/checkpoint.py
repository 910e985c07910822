"""A snapshot of all that the core knows, for the trace: replay may begin at each of them."""

from micropython import const

from .core import engine, leases
from .store.trace import SNAPSHOT

_FORMAT = const(1)
_PIECE_SIZE = const(200)
_LAST = const(0x80)  # of the number of a piece
_NONE = const(0xFF)


def pieces(state, marks: bytes, lost: int):
    """Yields the trace's entries of a snapshot, docs/SPEC.md.

    marks: hash of the core and digest of the configuration, 8 bytes each; lost: 1 if there was
    no room in RAM for events before it.
    """
    data = bytearray((_FORMAT, lost))
    data += marks
    for watch in state.watches:
        for value in watch:
            data += value.to_bytes(5, "little")
    for rest in (state.identity, state.digest):
        data.append(_NONE if rest is None else len(rest))
        data += rest or b""
    for slot in range(leases.SLOTS):
        at = slot * leases.SIZE
        if state.leases[at]:
            data.append(slot)
            data += state.leases[at : at + leases.SIZE]
    data.append(_NONE)
    head = len(data)
    data += bytes(engine.STATE_SIZE)
    engine.pack(state, memoryview(data)[head:])
    number = 0
    for at in range(0, len(data), _PIECE_SIZE):
        last = _LAST if at + _PIECE_SIZE >= len(data) else 0
        yield bytes((SNAPSHOT, number | last)) + data[at : at + _PIECE_SIZE]
        number += 1
