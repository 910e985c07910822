"""The flash chip: one file under NOR rules.  Programming only clears bits; a
program or an erase reaches the file in two writes, so that a power cut can tear it."""

from micropython import const

import _wire

_SECTOR = const(4096)
_PAGE = const(256)

file = None
_old = bytearray(_PAGE)
_blank = b"\xff" * _PAGE


def attach(path):
    global file
    file = open(path, "r+b")


def read(at, buf):
    file.seek(at)
    file.readinto(buf)


def _cut():
    # the world may have asked for the power to go at the n-th operation, half-way
    _wire.listen()
    if _wire.cut > 0:
        _wire.cut -= 1
    elif _wire.cut == 0:
        _wire.stop(0)


def program(at, buf):
    n = len(buf)
    done = 0
    while done < n:
        size = min(n - done, _PAGE - (at + done) % _PAGE)
        _page(at + done, buf, done, size)
        done += size
    _wire.tell(_wire.FLASH, 0, n, at)


def _page(at, buf, start, size):
    file.seek(at)
    file.readinto(_old, size)
    for i in range(size):
        if buf[start + i] & ~_old[i]:
            raise OSError(5, "flash: bits set without erase at 0x%x" % (at + i))
    half = size // 2
    file.seek(at)
    file.write(buf, start, half)
    _cut()
    file.write(buf, start + half, size - half)


def erase(sector):
    file.seek(sector * _SECTOR)
    for i in range(_SECTOR // _PAGE):
        if i == 8:
            _cut()
        file.write(_blank)
    _wire.tell(_wire.FLASH, 1, 0, sector)
