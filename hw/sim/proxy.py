"""The wire between box and broker: a TCP relay that can be slow, silent or gone."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct

CHUNK_BYTES = 16_384


class Proxy:
    """Listens on a port of its own and carries bytes to `target_port`; lives in one loop."""

    def __init__(self) -> None:
        self.port = 0
        self.target_port = 0
        self.delay_s = 0.0
        self.refuses = False
        self.connections = 0
        self.bytes_up = 0
        self.bytes_down = 0
        self._open = asyncio.Event()
        self._open.set()
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = int(self._server.sockets[0].getsockname()[1])

    def silence(self, silent: bool) -> None:
        """Nothing gets through, no connection ends; what waited comes later."""
        if silent:
            self._open.clear()
        else:
            self._open.set()

    def break_connections(self) -> None:
        """Resets every connection at once."""
        for writer in list(self._writers):
            _reset(writer)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        self._writers.add(writer)
        try:
            await self._carry(reader, writer)
        except asyncio.CancelledError:
            pass
        finally:
            writer.close()  # what was carried last still arrives
            self._writers.discard(writer)
            self._tasks.discard(task)

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._open.wait()
        if self.refuses:
            _reset(writer)
            return
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target_port)
        except OSError:
            _reset(writer)
            return
        self.connections += 1
        self._writers.add(far_writer)
        up = asyncio.create_task(self._pump(reader, far_writer, True))
        down = asyncio.create_task(self._pump(far_reader, writer, False))
        try:
            await asyncio.wait((up, down), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for pump in (up, down):
                pump.cancel()
            await asyncio.gather(up, down, return_exceptions=True)
            far_writer.close()
            self._writers.discard(far_writer)

    async def _pump(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, upwards: bool
    ) -> None:
        with contextlib.suppress(OSError):
            while True:
                await self._open.wait()
                data = await reader.read(CHUNK_BYTES)
                await self._open.wait()
                if not data:
                    return
                if upwards:
                    self.bytes_up += len(data)
                else:
                    self.bytes_down += len(data)
                if self.delay_s:
                    await asyncio.sleep(self.delay_s)
                writer.write(data)
                await writer.drain()

    async def close(self) -> None:
        if self._server:
            self._server.close()
        self.break_connections()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


def _reset(writer: asyncio.StreamWriter) -> None:
    sock = writer.get_extra_info("socket")
    if sock is not None:
        with contextlib.suppress(OSError):
            linger = struct.pack("ii", 1, 0)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)
    with contextlib.suppress(OSError, RuntimeError):
        writer.transport.abort()
