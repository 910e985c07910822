"""A box's link without the box: the firmware's own publisher and session on a wire of the host.

So the operator's side meets what it meets in the field: the same messages, packed or not, the same
window, the same answers to its statements. Only waiting differs: a loop tells when to look.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from wallbox.link import LINK_UP, NO_BROKER, LinkError
from wallbox.link.publisher import Publisher
from wallbox.link.session import CHUNK

from host.fleet.wire import READ, WRITE, Entrance, Wire

CONNECT_TIMEOUT_MS = 10_000  # of TCP and TLS, as the box has it


class Line:
    """`up`: the broker has accepted the box and its subscriptions. `report(code)` as Publisher.

    Every method raises OSError or LinkError when the connection is over; then `drop` it.
    """

    def __init__(
        self, config: dict[str, Any], ledger: Any, status: Callable[[], bytes],
        report: Callable[[int], None] = lambda code: None,
    ) -> None:
        self._report = report
        self.publisher = Publisher(config, ledger, status, self._hear)
        self.session = self.publisher.session
        self.wire: Wire | None = None
        self.up = False
        self.began = 0

    def _hear(self, code: int) -> None:
        self.up = self.up or code == LINK_UP
        self._report(code)

    def connect(self, now: int, entrance: Entrance, context: Any = None) -> None:
        """Begins; the loop calls `turn` when the socket is ready."""
        self.drop()
        self.began = now
        self.wire = Wire(entrance, context)

    def drop(self) -> None:
        """The connection is gone; what was in flight goes again on the next one."""
        if self.wire:
            self.wire.close()
            self.wire = None
        self.up = False
        self.session.closed()

    def turn(self, now: int, ready: bool = True) -> None:
        """Reads what is there and writes what may go. now: ms, ascending.

        ready: whether the socket is, which matters as long as it connects.
        """
        wire = self.wire
        assert wire is not None
        if not wire.ready:
            if now - self.began > CONNECT_TIMEOUT_MS:
                raise LinkError(NO_BROKER, "no answer")
            if not ready or not wire.advance():
                return
            self.session.connected(now)
        self._read(wire, now)
        self.pump(now)

    def _read(self, wire: Wire, now: int) -> None:
        session = self.session
        while session.end <= session.answer_limit:
            data = wire.receive(CHUNK)
            if data is None:
                return
            session.received(data, len(data), now)
            self.pump(now)

    def pump(self, now: int) -> None:
        """Does what time demands and sends what may go."""
        wire, session = self.wire, self.session
        if wire is None or not wire.ready:
            return
        session.service(now)
        self.publisher.service(now)
        while session.fill() or session.packing:
            if session.end == session.start:
                continue  # packs on
            taken = wire.send(session.out[session.start : session.end])
            if not taken:
                wire.wanted = READ | WRITE
                return
            session.sent(taken, now)
        wire.wanted = READ

    def farewell(self, now: int) -> None:
        """Says goodbye as a box that is switched off in order, and hangs up."""
        try:
            if self.wire and self.wire.ready and self.publisher.farewell():
                session = self.session
                while session.end > session.start:
                    taken = self.wire.send(session.out[session.start : session.end])
                    if not taken:
                        break
                    session.sent(taken, now)
        except (OSError, LinkError):
            pass  # it hangs up anyway
        self.drop()
