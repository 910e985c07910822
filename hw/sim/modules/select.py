"""`select` whose poll wakes for pin interrupts too, as the ESP32's does."""

import uselect
from uselect import POLLERR, POLLHUP, POLLIN, POLLOUT

import _wire


class poll:
    def __init__(self):
        self._all = uselect.poll()
        self._all.register(_wire.file, POLLIN)
        self._own = uselect.poll()

    def register(self, obj, eventmask=POLLIN | POLLOUT):
        self._all.register(obj, eventmask)
        self._own.register(obj, eventmask)

    def modify(self, obj, eventmask):
        self._all.modify(obj, eventmask)
        self._own.modify(obj, eventmask)

    def unregister(self, obj):
        self._all.unregister(obj)
        self._own.unregister(obj)

    def _wait(self, timeout):
        others = False
        wire = False
        for obj, _ in self._all.ipoll(timeout):
            if obj is _wire.file:
                wire = True
            else:
                others = True
        if wire:
            _wire.pump()
        return others

    def ipoll(self, timeout=-1, flags=0):
        # asyncio computes its timeout again when a poll ends early, so an
        # interrupt may end it; a handler may have made something ready
        _wire.pump()
        if self._wait(timeout):
            return self._own.ipoll(0, flags)
        return ()

    def poll(self, timeout=-1):
        _wire.pump()
        if self._wait(timeout):
            return self._own.poll(0)
        return []
