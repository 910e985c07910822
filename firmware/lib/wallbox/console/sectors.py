"""Raw sectors of a ring, piece by piece; each sector as it is at one instant."""

import asyncio
from binascii import b2a_base64, crc32

from micropython import const

from ..commands import ACCEPTED, REJECTED

_PIECE = const(256)  # a whole sector at once is more than a heap in use has in one place
_COUNT = const(4)
_SIZE = const(5)
_TRIES = const(4)


async def export(reply, device, first: int, count: int) -> tuple:
    sectors = device.ioctl(_COUNT, 0)
    size = device.ioctl(_SIZE, 0)
    told = {"sectors": sectors, "size": size}
    if first >= sectors:
        return REJECTED, "first: below %d" % sectors, told
    piece = bytearray(_PIECE)
    blank = b"\xff" * _PIECE
    for sector in range(first, min(first + count, sectors)):
        for _ in range(_TRIES):
            if await _send(reply, device, sector, size, piece, blank):
                break
    return ACCEPTED, "", told


async def _send(reply, device, sector: int, size: int, piece, blank: bytes) -> bool:
    """False if the sector has changed meanwhile: then it goes once more, from its begin."""
    whole = 0
    used = False
    for at in range(0, size, _PIECE):
        device.readblocks(sector, piece, at)
        whole = crc32(piece, whole)
        used = used or piece != blank
    if not used:
        reply.part({"sector": sector, "blank": True})
        await asyncio.sleep_ms(0)
        return True
    sent = 0
    for at in range(0, size, _PIECE):
        device.readblocks(sector, piece, at)
        sent = crc32(piece, sent)
        reply.part({"sector": sector, "at": at, "data": b2a_base64(piece).decode().strip()})
        await asyncio.sleep_ms(1)
    return sent == whole
