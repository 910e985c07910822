"""The broker's address, kept over connections, because looking up a name blocks the box."""

import socket

from micropython import const

from . import NO_ADDRESS, LinkError

_PATIENCE_MS = const(600_000)  # between two look-ups that may not block and must


class Address:
    """may_block() -> bool: waiting for the DNS harms nobody now. clock() -> ms."""

    def __init__(self, host, port, clock, may_block=None):
        self._host = host
        self._port = port
        self._clock = clock
        self._may_block = may_block
        self._found = None
        self._asked_at = None
        self._doubtful = False

    def failed(self):
        """A connection to it brought nothing: it may have changed."""
        self._doubtful = True

    def find(self):
        """As getaddrinfo tells it. Raises LinkError NO_ADDRESS.

        The name is looked up when nobody charges and no address is known or it brought nothing.
        While somebody charges only if none is known, at most every 10 minutes.
        """
        if self._found is None or self._doubtful:
            if self._may_block is None or self._may_block() or self._urgent():
                self._look_up()
        if self._found is None:
            raise LinkError(NO_ADDRESS, "not looked up while charging")
        return self._found

    def _urgent(self):
        if self._found is not None:
            return False
        return self._asked_at is None or self._clock() - self._asked_at >= _PATIENCE_MS

    def _look_up(self):
        try:
            found = socket.getaddrinfo(self._host, self._port, socket.AF_INET, socket.SOCK_STREAM)
            self._found = found[0]
            self._doubtful = False
        except OSError as error:
            if self._found is None:
                raise LinkError(NO_ADDRESS, error)
        finally:
            self._asked_at = self._clock()
