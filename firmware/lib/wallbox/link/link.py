"""The task that keeps the link alive: connect, pump, and when it breaks say why and try again."""

import asyncio
import os
import time

from micropython import const

from . import LINK_UP, LOST, NO_BROKER, NO_WIFI, REFUSED, STORE_FAILED, TLS_FAILED, LinkError
from .address import Address
from .publisher import Publisher
from .recovery import Recovery
from .session import CHUNK
from .transport import Transport

_TICK_MS = const(40)
_BLOCKED_MS = const(5)
_NETWORK_MS = const(200)
_STABLE_MS = const(5000)


class _Clock:
    """ms since it was made, never wraps; call it at least once a day."""

    def __init__(self):
        self.now = 0
        self.ticks = time.ticks_ms()

    def __call__(self):
        ticks = time.ticks_ms()
        self.now += time.ticks_diff(ticks, self.ticks)
        self.ticks = ticks
        return self.now


class Link:
    """config: dict, see docs/mqtt.md. status: see Publisher. report(code): LINK_UP ….

    clock() -> ms since boot. network_up() -> bool: without an IP network no attempt is made.
    may_block() -> bool: see Address. recover(stage) -> bool: see Recovery.
    """

    def __init__(
        self, config, ledger, status, report, clock=None, network_up=None, may_block=None,
        recover=None,
    ):
        self.report = report
        self.clock = clock or _Clock()
        self.network_up = network_up
        self.transport = Transport(config, CHUNK)
        self.address = Address(config.get("host", ""), self.transport.port, self.clock, may_block)
        self.recovery = Recovery(recover) if recover else None
        self.publisher = Publisher(config, ledger, status, self._good)
        self.session = self.publisher.session
        self.backoff_min_ms = config.get("backoff_min_ms", 200)
        self.backoff_max_ms = config.get("backoff_max_ms", 60000)
        self.attempts = 0  # in a row that brought nothing
        self.up = False  # the broker has accepted the box and its subscriptions
        self.up_at = 0
        self.outage = 0  # code of the outage that lasts, 0 = none
        self.last_outage = 0
        self.outages = 0
        self.detail = None  # of the last outage: error, text or CONNACK code
        self.failure = None
        self.stopping = False

    def status_changed(self):
        """The status goes out soon, at most once a second."""
        self.publisher.status_wanted = True

    def stop(self):
        """Says goodbye and ends `run`."""
        self.stopping = True

    def _good(self, code):
        if code == LINK_UP:
            self.up = True
            self.up_at = self.clock()
            self.outage = 0
            if self.recovery:
                self.recovery.reached(self.up_at)
        self.report(code)

    def _bad(self, code, detail):
        self.detail = detail
        if code != self.outage:
            self.outage = self.last_outage = code
            self.outages += 1
            self.report(code)

    async def run(self):
        """Ends only after `stop()`."""
        while not self.stopping:
            if self.network_up and not self.network_up():
                self._bad(NO_WIFI, None)
                self.attempts = 0
                await asyncio.sleep_ms(_NETWORK_MS)
                continue
            done = self.session.acknowledged
            code = 0
            try:
                await self._connection()
            except LinkError as error:
                code = error.args[0]
                if code == NO_BROKER and self.transport.shaking and self.session.awaiting:
                    code = TLS_FAILED
                self._bad(code, error.args[1])
            except OSError as error:
                # the transport makes LinkErrors of its own: this one came from the flash
                code = STORE_FAILED
                self._bad(code, error)
            except MemoryError as error:
                code = LOST
                self._bad(code, error)
            finally:
                self.transport.close()
                self.session.closed()
            stable = self.up and self.clock() - self.up_at >= _STABLE_MS
            if stable or self.session.acknowledged != done:
                self.attempts = 0
            if not self.up:
                self._unreached(code)
            self.up = False
            await asyncio.sleep_ms(self._backoff_ms())

    def _unreached(self, code):
        """An attempt ended before the broker had accepted the box."""
        self.address.failed()
        if not self.recovery or self.stopping or code == STORE_FAILED:
            return
        if code == REFUSED:
            self.recovery.reached(self.clock())
        elif code != NO_WIFI:
            self.recovery.failed(self.clock())

    def _backoff_ms(self):
        attempts = self.attempts
        self.attempts += 1
        if not attempts:
            return 0
        longest = min(self.backoff_min_ms << min(attempts - 1, 16), self.backoff_max_ms)
        return longest - longest * os.urandom(1)[0] // 512

    async def _connection(self):
        session = self.session
        await self.transport.open(self.address.find())
        self.failure = None
        session.connected(self.clock())
        reader = asyncio.create_task(self._read())
        try:
            while self.failure is None and not self.stopping:
                if self.network_up and not self.network_up():
                    raise LinkError(NO_WIFI, None)
                await self._send()
                await asyncio.sleep_ms(_BLOCKED_MS if session.end else _TICK_MS)
            if self.stopping and self.publisher.farewell():
                self._pump()
        finally:
            reader.cancel()
        if self.failure:
            raise self.failure

    async def _read(self):
        session = self.session
        transport = self.transport
        try:
            while True:
                count = await transport.receive()
                if count:
                    session.received(transport.data, count, self.clock())
                    await self._send()
                    while session.end > session.answer_limit:
                        await asyncio.sleep_ms(_BLOCKED_MS)
        except Exception as error:
            self.failure = error

    async def _send(self):
        """Sends what may be sent now; between two bursts others have their turn."""
        while self._pump():
            await asyncio.sleep_ms(0)

    def _pump(self):
        """Does what time demands and sends one burst. True if there may be another."""
        session = self.session
        now = self.clock()
        session.service(now)
        self.publisher.service(now)
        if not session.fill():
            return session.packing
        taken = self.transport.write(session.out, session.start, session.end - session.start)
        if taken:
            session.sent(taken, now)
        return taken > 0
