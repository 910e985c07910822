"""In its place and its own (S2, S3): a foreign chip, or a box that was carried away, is refused.

Carried away is what after a boot, whatever its cause, sees none of its known networks and reaches
no operator for a stated time while it sees other networks. Only the operator's approval ends that.
"""

from micropython import const

from .. import decisions, events, refusals

_MOVED = const(0)
_APPROVED = const(1)
_DELIVERED = const(2)  # code of the link


def recall(state, fact, utc_s: int, quality: int) -> None:
    if fact[0] == decisions.PLACE:
        state.moved = 1 if fact[3] == _MOVED else 0


def handle(state, event, now: int, out: list) -> None:
    kind = event[0]
    if kind == events.CONFIG:
        state.chip_foreign = event[10]
        state.relocate_after_h = event[8]
    elif kind == events.BOOT and event[2] != events.RESUMED:
        state.place_watch = 1
        state.place_at = now
    elif kind == events.LINK and event[1] == _DELIVERED:
        state.place_watch = 0
    elif kind == events.PLACE:
        _scanned(state, event, now, out)
    elif kind == events.PLACE_APPROVED and state.moved:
        state.moved = 0
        state.place_watch = 0
        _tell(state, _APPROVED, out)


def _scanned(state, event, now: int, out: list) -> None:
    if event[1] or not event[2]:
        state.place_at = now  # at home; or nothing in range, as in a power cut of the quarter
        if event[1]:
            state.place_watch = 0
        return
    long_enough = now - state.place_at >= state.relocate_after_h * 3_600_000
    if state.place_watch and state.relocate_after_h and long_enough and not state.moved:
        state.moved = 1
        _tell(state, _MOVED, out)


def _tell(state, change: int, out: list) -> None:
    register_wh = state.register_wh if state.reading else state.accounted_wh
    out.append((decisions.PLACE, register_wh, state.meter_id, change))


def refuse(state) -> int:
    bits = 0
    if state.chip_foreign:
        bits |= 1 << refusals.CHIP_FOREIGN
    if state.moved:
        bits |= 1 << refusals.MOVED
    return bits
