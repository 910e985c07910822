"""A TCP proxy that does to a connection what networks do: delay, silence, cuts, lost answers.

Everything the client sends goes through the independent MQTT decoder; what it finds wrong is
raised again by `check()`.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable

from tests.mqtt_decoder import ClientStream, ProtocolError, Publish, split

CHUNK = 4096


class Proxy:
    """Listens on `port` of the loopback interface and connects to the broker at `target`.

    Set at any time: `delay_ms` (each way), `black_hole` (nothing passes, connections stay),
    `mute` (numbers of connections, from 1 on, that stay and carry nothing),
    `refuse` (connections are closed at once), `plan(number)` (bytes to the broker and to the
    client after which connection `number`, from 1 on, is cut; None = never), `keep_back(packet)`
    (true for whole packets from the broker that are swallowed).
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.delay_ms = 0
        self.black_hole = False
        self.refuse = False
        self.mute: set[int] = set()
        self.plan: Callable[[int], tuple[int | None, int | None]] = lambda number: (None, None)
        self.keep_back: Callable[[bytes], bool] = lambda packet: False
        self.connections = 0
        self.publishes: list[Publish] = []
        self.bytes_to_broker = 0
        self.errors: list[ProtocolError] = []
        self._open: set[_Connection] = set()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Proxy:
        self._thread.start()
        self._server = self._call(asyncio.start_server(self._accept, "127.0.0.1", 0))
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    def __exit__(self, *exception: object) -> None:
        self._call(self._stop())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(timeout=10)
        self._loop.close()

    def cut(self) -> None:
        """Breaks every connection now."""
        self._call(self._cut())

    def check(self) -> None:
        """Raises what the decoder found wrong in the bytes of the client."""
        if self.errors:
            raise self.errors[0]

    def _call(self, coroutine):  # type: ignore[no-untyped-def]
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(10)

    async def _cut(self) -> None:
        for connection in list(self._open):
            connection.close()

    async def _stop(self) -> None:
        self._server.close()
        await self._cut()
        tasks = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self.refuse:
            writer.transport.abort()
            return
        self.connections += 1
        try:
            broker = await asyncio.open_connection("127.0.0.1", self.target)
        except OSError:
            writer.transport.abort()
            return
        connection = _Connection(self, (reader, writer), broker)
        self._open.add(connection)
        try:
            await asyncio.gather(connection.to_broker(), connection.to_client())
        except asyncio.CancelledError:
            pass  # the proxy ends
        finally:
            connection.close()
            self._open.discard(connection)


class _Connection:
    def __init__(self, proxy: Proxy, client, broker) -> None:  # type: ignore[no-untyped-def]
        self.proxy = proxy
        self.number = proxy.connections
        self.client_reader, self.client_writer = client
        self.broker_reader, self.broker_writer = broker
        self.stream = ClientStream(lossy=True)
        self.answers = b""
        self.cut_to_broker, self.cut_to_client = proxy.plan(proxy.connections)

    def close(self) -> None:
        self.client_writer.transport.abort()
        self.broker_writer.transport.abort()

    async def to_broker(self) -> None:
        passed = 0
        while data := await self._read(self.client_reader):
            self.proxy.bytes_to_broker += len(data)
            try:
                for packet in self.stream.feed(data):
                    if isinstance(packet, Publish):
                        self.proxy.publishes.append(packet)
            except ProtocolError as error:
                self.proxy.errors.append(error)
            limit = self.cut_to_broker
            if limit is not None and passed + len(data) > limit:
                data = data[: limit - passed]
            passed += len(data)
            self._write(self.broker_writer, data, last=passed == limit)
        self.close()

    async def to_client(self) -> None:
        passed = 0
        while data := await self._read(self.broker_reader):
            data = self._answer(data)
            limit = self.cut_to_client
            if limit is not None and passed + len(data) > limit:
                data = data[: limit - passed]
            passed += len(data)
            self._write(self.client_writer, data, last=passed == limit)
        self._later(self.close)

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        try:
            data = await reader.read(CHUNK)
            while self.proxy.black_hole or self.number in self.proxy.mute:
                await asyncio.sleep(0.01)
            return data
        except OSError:
            return b""

    def _answer(self, data: bytes) -> bytes:
        """Whole packets of the broker, without those that are kept back."""
        self.answers += data
        passed = b""
        while parts := split(self.answers) if self.answers else None:
            packet, self.answers = self.answers[: parts[2]], self.answers[parts[2] :]
            if self.proxy.keep_back(packet):
                continue
            passed += packet
            if packet[0] in (0x40, 0x90):
                self.stream.acknowledged(int.from_bytes(packet[2:4], "big"))
        return passed

    def _write(self, writer: asyncio.StreamWriter, data: bytes, last: bool) -> None:
        def write() -> None:
            if not writer.is_closing():
                writer.write(data)
                if last:
                    writer.close()
                    self._later(self.close)

        self._later(write)

    def _later(self, action: Callable[[], None]) -> None:
        if self.proxy.delay_ms:
            asyncio.get_running_loop().call_later(self.proxy.delay_ms / 1000, action)
        else:
            action()
