"""The inbox: events wait here, in lists made beforehand, until the agent takes them."""

import asyncio

from micropython import const

from .core import events

_DEPTH = const(16)

# on a laptop there are no interrupts, and no flag that is safe in them
_Flag = getattr(asyncio, "ThreadSafeFlag", asyncio.Event)


class Inbox:
    """A ring of events. Full, it discards and counts; levels are offered again by their drivers.

    claim() and commit() are for tasks, not for interrupts: those call wake() alone.
    """

    def __init__(self):
        self.discarded = 0
        self._ring = [[0] * events.MAX_FIELDS for _ in range(_DEPTH)]
        self._first = 0
        self._count = 0
        self._flag = _Flag()

    def claim(self, kind: int):
        """A list to fill for an event of kind, or None if the ring is full. Then commit()."""
        if self._count == _DEPTH:
            self.discarded += 1
            return None
        event = self._ring[(self._first + self._count) % _DEPTH]
        event[0] = kind
        return event

    def commit(self) -> None:
        self._count += 1
        self._flag.set()

    def take(self):
        """The oldest event, valid until release(); None if there is none."""
        return self._ring[self._first] if self._count else None

    def release(self) -> None:
        self._first = (self._first + 1) % _DEPTH
        self._count -= 1

    def wake(self) -> None:
        """Lets wait() return; safe in an interrupt."""
        self._flag.set()

    async def wait(self) -> None:
        await self._flag.wait()
        self._flag.clear()
