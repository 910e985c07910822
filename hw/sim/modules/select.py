"""`select` whose poll wakes for pin interrupts too, as the ESP32's does."""

import uselect
import utime
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
        """True once something registered is ready; pin interrupts are served meanwhile."""
        _wire.pump()
        if timeout > 0:
            timeout //= _wire.speed
        end = utime.ticks_add(utime.ticks_ms(), timeout)
        left = timeout
        while True:
            ready = False
            for obj, _ in self._all.ipoll(left):
                if obj is _wire.file:
                    _wire.pump()
                else:
                    ready = True
            if ready:
                return True
            if timeout >= 0:
                left = utime.ticks_diff(end, utime.ticks_ms())
                if left <= 0:
                    return False

    def ipoll(self, timeout=-1, flags=0):
        return self._own.ipoll(0, flags) if self._wait(timeout) else ()

    def poll(self, timeout=-1):
        return self._own.poll(0) if self._wait(timeout) else []
