"""Raw sectors of a ring, piece by piece; each sector as it is at one instant."""

import asyncio
from binascii import b2a_base64

from micropython import const

from ..commands import ACCEPTED, REJECTED

_PIECE = const(256)
_COUNT = const(4)
_SIZE = const(5)


async def export(reply, device, first: int, count: int) -> tuple:
    sectors = device.ioctl(_COUNT, 0)
    size = device.ioctl(_SIZE, 0)
    told = {"sectors": sectors, "size": size}
    if first >= sectors:
        return REJECTED, "first: below %d" % sectors, told
    sector_bytes = bytearray(size)
    view = memoryview(sector_bytes)
    nothing = b"\xff" * _PIECE
    for sector in range(first, min(first + count, sectors)):
        device.readblocks(sector, sector_bytes, 0)
        blank = True
        for at in range(0, size, _PIECE):
            if view[at : at + _PIECE] != nothing:
                blank = False
                break
        if blank:
            reply.part({"sector": sector, "blank": True})
            await asyncio.sleep_ms(0)
            continue
        for at in range(0, size, _PIECE):
            data = b2a_base64(bytes(view[at : at + _PIECE])).decode().strip()
            reply.part({"sector": sector, "at": at, "data": data})
            await asyncio.sleep_ms(1)
    return ACCEPTED, "", told
