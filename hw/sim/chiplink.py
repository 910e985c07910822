"""The host's end of the wire to the simulated chip (see wire.py for the packets)."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Protocol

from hw.sim import wire


class Listener(Protocol):
    """Hears what the chip tells."""

    def told(self, what: int, a: int, b: int, c: int) -> None:
        """One packet."""

    def told_bytes(self, what: int, kind: int, data: bytes) -> None:
        """A packet with more data behind it."""


class ChipLink:
    """One connection to one run of the interpreter; lives in the world's thread."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, listener: Listener, ended: Callable[[], None]
    ) -> None:
        """`ended` is called when the interpreter's process has gone by itself."""
        self._loop = loop
        self._listener = listener
        self._ended = ended
        self._socket, self.chip_end = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.setblocking(False)
        self.chip_end.setblocking(False)
        self._backlog: list[bytes] = []
        self._body: tuple[int, int, int, bytearray] | None = None
        self._open = True

    def started(self) -> None:
        """The interpreter has its end: hear it."""
        self.chip_end.close()
        self._loop.add_reader(self._socket, self._readable)

    def send(self, what: int, a: int = 0, b: int = 0, c: int = 0) -> None:
        self._backlog.append(wire.PACKET.pack(what, a, b, c))
        self._flush()

    def send_bytes(self, kind: int, data: bytes) -> None:
        self._backlog += wire.packets(kind, data)
        self._flush()

    def _flush(self) -> None:
        while self._backlog and self._open:
            try:
                self._socket.send(self._backlog[0])
            except BlockingIOError:
                self._loop.add_writer(self._socket, self._flush)
                return
            except OSError:
                return  # the process has gone; the reader sees the end
            self._backlog.pop(0)
        if self._open:
            self._loop.remove_writer(self._socket)

    def _readable(self) -> None:
        if not self.read():
            self._ended()

    def read(self) -> bool:
        """Takes what the chip told up to now; False at the end of the stream."""
        while self._open:
            try:
                packet = self._socket.recv(wire.PACKET.size)
            except BlockingIOError:
                return True
            except OSError:
                return False
            if not packet:
                return False
            if self._body is not None:
                self._take_body(packet)
            else:
                self._take(*wire.PACKET.unpack(packet))
        return True

    def _take(self, what: int, a: int, b: int, c: int) -> None:
        if what in (wire.BYTES, wire.SPI):
            self._body = (what, a, b, bytearray())
            self._take_body(b"")
        else:
            self._listener.told(what, a, b, c)

    def _take_body(self, packet: bytes) -> None:
        assert self._body is not None
        what, kind, length, data = self._body
        data += packet
        if len(data) >= length:
            self._body = None
            self._listener.told_bytes(what, kind, bytes(data[:length]))

    def close(self) -> None:
        """Reads what is left, then lets go."""
        if not self._open:
            return
        self.read()
        self._open = False
        self._loop.remove_reader(self._socket)
        self._loop.remove_writer(self._socket)
        self._socket.close()
        self.chip_end.close()
