"""The same lane, faster, for CPython alone; a test holds it against the common one."""

from __future__ import annotations

from binascii import crc32
from struct import Struct
from types import ModuleType
from typing import Any

from host.replay.lane import Lane

_STEP = Struct("<BIIBHHB").pack
_Cut = tuple[int, int, bool]


class FastLane(Lane):
    """Reads numbers by slices, and seals a step at once."""

    def __init__(self, core: ModuleType, layout: str = "") -> None:
        Lane.__init__(self, core, layout)
        rows = core.fields.table(core.events.KINDS)
        self._kinds = [_cuts(core.fields.layout(row), 1) for _, row in rows]
        self._cuts, _end, _rest = _cuts(self._widths, 0)
        self._levels = core.decisions.LEVELS
        self._ledger = core.events.LEDGER
        self._engine_step = core.engine.step

    def fill(self, state: Any, snapshot: bytes, at: int) -> None:
        data = snapshot[at:]
        number = int.from_bytes
        values = [number(data[a:b], "little", signed=signed) for a, b, signed in self._cuts]
        found = zip(self._recorded, values, strict=True)
        if len(self._known) != len(self._recorded):
            found = ((name, value) for name, value in found if name in self._known)  # type: ignore
        state.__dict__.update(found)

    def take(self, now: int, packed: bytes) -> Any:
        kind = packed[0]
        if kind >= len(self._kinds):
            self.unknown += 1
            return ()
        cuts, end, rest = self._kinds[kind]
        if len(packed) < end if rest else len(packed) != end:
            self.unknown += 1
            return ()
        number = int.from_bytes
        event: list[Any] = self.event
        event[0] = kind
        event[1 : 1 + len(cuts)] = [
            number(packed[a:b], "little", signed=signed) for a, b, signed in cuts
        ]
        if rest:
            event[1 + len(cuts)] = packed[end:]
        return self.step(now)

    def step(self, now: int) -> Any:
        if self.frozen:
            return ()
        event, state = self.event, self.state
        taken = self._engine_step(state, event, now)
        if event[0] == self._ledger and event[3]:
            self.frozen = True
        limit_ma, due, refusals = state.limit_ma, state.due, state.refusals
        tail = (limit_ma >> 16, limit_ma & 0xFFFF, due & 0xFFFF, due >> 16 & 0xFF)
        decided = crc32(_STEP(0, 0, refusals, *tail), self.decided)
        for decision in taken:
            kind = decision[0]
            if kind >= self._levels:
                decided = crc32(_STEP(kind, decision[1], refusals, *tail), decided)
            else:
                length = self.core.decisions.pack_into(self._payload, 0, decision)
                decided = crc32(_STEP(kind, length, refusals, *tail), decided)
                decided = crc32(memoryview(self._payload)[:length], decided)
        self.decided = decided
        return taken


def _cuts(widths: bytes, at: int) -> tuple[list[_Cut], int, bool]:
    """(from, to, signed) of each number, where they end, and whether bytes follow."""
    cuts: list[_Cut] = []
    for width in widths:
        if width == 0:
            return cuts, at, True
        cuts.append((at, at + (width & 0x7F), width > 0x7F))
        at += width & 0x7F
    return cuts, at, False
