"""Sectors of the trace, sent piece by piece as there is room: offset u32, then the bytes."""

from micropython import const

from ..store.record import put
from . import ACCEPTED, FAILED, REJECTED

PIECE = const(1024)
_HEAD = const(4)


class Stream:
    """Writes one piece after the other; nothing when all are written."""

    def __init__(self, device, size: int, at: int, end: int):
        self._device = device
        self._size = size
        self._at = at
        self._end = end

    def build(self, buf) -> int:
        at = self._at
        if at >= self._end:
            return 0
        put(buf, 0, _HEAD, at)
        try:
            self._device.readblocks(at // self._size, buf[_HEAD : _HEAD + PIECE], at % self._size)
        except OSError:
            self._at = self._end
            return 0
        self._at = at + PIECE
        return _HEAD + PIECE


def begin(box, first: int, count: int) -> tuple:
    trace = box.trace
    if first + count > trace.count:
        return REJECTED, "the trace has %d sectors" % trace.count
    box.agent.flush_trace(box.clock.now())
    stream = Stream(trace.device, trace.size, first * trace.size, (first + count) * trace.size)
    publisher = box.link.publisher
    if not publisher.offer(publisher.trace_topic, stream.build):
        return FAILED, "others wait to be sent; try again"
    return ACCEPTED, "%d sectors of %d bytes" % (count, trace.size)
