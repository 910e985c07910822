"""A network of known delay between a client and its broker, in a process of its own.

As a program: `python -m host.figures.delay_line BROKER_PORT DELAY_MS CAP_BYTES CLOSES`. It prints
its port, and when its standard input ends, one JSON object.
"""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from typing import Any

_CHUNK = 65_536
_PUBLISHES_BEFORE_CLOSE = 100
_HELD_S = 0.02
_PUBLISH, _DUP = 0x30, 0x08


class DelayLine:
    """Each byte takes `delay_s`, each way. A context manager; `port` is where clients connect.

    cap_bytes: so many bytes of the client may be under way unacknowledged, that is for a round
    trip; 0 = any number. closes: so many connections are closed, each after 100 publishes, with
    the last PUBACKs held back.
    """

    def __init__(self, port: int, delay_ms: int, cap_bytes: int = 0, closes: int = 0) -> None:
        numbers = [str(number) for number in (port, delay_ms, cap_bytes, closes)]
        self._process = subprocess.Popen(
            [sys.executable, "-m", "host.figures.delay_line", *numbers],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        )
        assert self._process.stdout is not None
        self.port = int(self._process.stdout.readline())
        self.told: dict[str, Any] = {}

    def __enter__(self) -> DelayLine:
        return self

    def __exit__(self, *exception: object) -> None:
        output, _ = self._process.communicate(timeout=30)
        self.told = json.loads(output)


class _Line:
    def __init__(self, target: int, delay_s: float, cap: int, closes: int) -> None:
        self.target = target
        self.delay_s = delay_s
        self.cap = cap
        self.closes = closes
        self.watching = closes > 0
        self.closed_at: float | None = None
        self.resent_s: list[float] = []
        self.under_way = self.most_under_way = self.bytes_up = 0
        self.free = asyncio.Event()

    async def accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self.holding = False
        watch = _Watch(self) if self.watching else None
        await asyncio.gather(
            self.up(reader, far_writer, watch), self.down(far_reader, writer, far_writer)
        )

    async def up(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, watch: _Watch | None
    ) -> None:
        while True:
            room = self.cap - self.under_way if self.cap else _CHUNK
            if room <= 0:
                self.free.clear()
                await self.free.wait()
                continue
            try:
                data = await reader.read(room)
            except OSError:
                data = b""
            if not data:
                self.later(self.delay_s, writer.close)
                return
            self.bytes_up += len(data)
            self.under_way += len(data)
            self.most_under_way = max(self.most_under_way, self.under_way)
            self.later(self.delay_s, writer.write, data)
            self.later(2 * self.delay_s, self.arrived, len(data))
            if watch:
                watch.feed(data)

    async def down(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, far: asyncio.StreamWriter
    ) -> None:
        while True:
            try:
                data = await reader.read(_CHUNK)
            except OSError:
                data = b""
            if not data:
                self.later(self.delay_s, writer.close)
                return
            if not self.holding:
                self.later(self.delay_s, writer.write, data)
            elif self.closed_at is None:
                self.closed_at = 0.0
                self.later(_HELD_S, self.close, writer, far)

    def close(self, *writers: asyncio.StreamWriter) -> None:
        for writer in writers:
            writer.close()
        self.closes -= 1
        self.closed_at = time.monotonic()

    def arrived(self, count: int) -> None:
        self.under_way -= count
        self.free.set()

    def later(self, delay_s: float, function: Any, *arguments: Any) -> None:
        if delay_s:
            asyncio.get_running_loop().call_later(delay_s, function, *arguments)
        else:
            function(*arguments)


class _Watch:
    """Counts a connection's PUBLISH packets, and notes when the first repeated one comes."""

    def __init__(self, line: _Line) -> None:
        self.line = line
        self.buffer = b""
        self.publishes = 0

    def feed(self, data: bytes) -> None:
        self.buffer += data
        while len(self.buffer) > 4:
            length, size = 0, 0
            for size in range(1, 5):
                length |= (self.buffer[size] & 127) << 7 * (size - 1)
                if self.buffer[size] < 128:
                    break
            if len(self.buffer) < 1 + size + length:
                return
            self._packet(self.buffer[0])
            self.buffer = self.buffer[1 + size + length :]

    def _packet(self, first: int) -> None:
        line = self.line
        if first & 0xF0 != _PUBLISH or not first & 0x06:
            return
        self.publishes += 1
        if first & _DUP and line.closed_at:
            line.resent_s.append(time.monotonic() - line.closed_at)
            line.closed_at = None
        if line.closes and self.publishes == _PUBLISHES_BEFORE_CLOSE:
            line.holding = True


async def _serve(target: int, delay_ms: int, cap: int, closes: int) -> None:
    line = _Line(target, delay_ms / 1000, cap, closes)
    server = await asyncio.start_server(line.accept, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)
    told = {
        "most_under_way": line.most_under_way,
        "bytes_up": line.bytes_up,
        "resent_s": line.resent_s,
    }
    print(json.dumps(told), flush=True)
    os._exit(0)


if __name__ == "__main__":
    asyncio.run(_serve(*map(int, sys.argv[1:])))
