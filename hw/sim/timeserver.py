"""An SNTP server (RFC 4330) on a port of its own, which can be silent or lie."""

from __future__ import annotations

import asyncio
import struct
import time

UNIX_TO_NTP_S = 2_208_988_800


class TimeServer(asyncio.DatagramProtocol):
    """Answers with UTC plus `offset_s`, `speed` times as fast; not at all while `silent`."""

    def __init__(self) -> None:
        self.offset_s = 0.0
        self.silent = False
        self.speed = 1
        self._began_s = time.monotonic()
        self._began_utc_s = time.time()
        self.stratum = 2
        self.requests = 0
        self.port = 0
        self._transport: asyncio.DatagramTransport | None = None

    async def start(self) -> None:
        loop = asyncio.get_running_loop()
        transport, _ = await loop.create_datagram_endpoint(
            lambda: self, local_addr=("127.0.0.1", 0)
        )
        self._transport = transport
        self.port = int(transport.get_extra_info("sockname")[1])

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.requests += 1
        if self.silent or len(data) < 48 or self._transport is None:
            return
        elapsed_s = time.monotonic() - self._began_s
        now = self._began_utc_s + elapsed_s * self.speed + self.offset_s + UNIX_TO_NTP_S
        stamp = struct.pack(">II", int(now) & 0xFFFFFFFF, int(now % 1 * 2**32))
        head = struct.pack(">BBbbII4s", 0x24, self.stratum, 6, -20, 0, 0, b"LOCL")
        self._transport.sendto(head + stamp + data[40:48] + stamp + stamp, addr)

    def close(self) -> None:
        if self._transport:
            self._transport.close()
